"""The stream of real images: what each element holds, and that it can start anywhere."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from wgan_gp.config import MAX_SEED, Config
from wgan_gp.data.stream import make_dataset, training_indices
from wgan_gp.random_streams import FLIPS, SHUFFLE, stream_key, stream_seed
from wgan_gp.support.errors import InputError


def read(images: np.ndarray, config: Config, count: int, start: int = 0) -> np.ndarray:
    """Elements `start`, `start` + 1, ... of the stream: (count, batch, n_critic, h, w, 3)."""
    elements = make_dataset(images, config, start).take(count)
    return np.stack([element.numpy() for element in elements])


def marked(count: int) -> np.ndarray:
    """Images that are known by their brightness: number i is of the value i throughout."""
    values = np.arange(count, dtype=np.uint8).reshape(-1, 1, 1, 1)
    return np.broadcast_to(values, (count, 32, 32, 3)).copy()


def batches_of(elements: np.ndarray) -> np.ndarray:
    """Which marked images each mini-batch holds, in reading order: (mini-batches, batch)."""
    assert (elements == elements[..., :1, :1, :1]).all()
    numbers = np.rint((elements[..., 0, 0, 0] + 1) * 127.5).astype(int)
    return np.moveaxis(numbers, 2, 1).reshape(-1, numbers.shape[1])


def flips_of(elements: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Whether each image is mirrored left to right; it must be that or `image` itself, exactly."""
    original = image.astype(np.float32) / np.float32(127.5) - np.float32(1)
    mirrored = original[:, ::-1]
    is_original = (elements == original).all(axis=(-1, -2, -3))
    is_mirrored = (elements == mirrored).all(axis=(-1, -2, -3))
    assert (is_original ^ is_mirrored).all()
    return is_mirrored


# Elements


def test_elements_hold_the_mini_batches_of_one_iteration(tiny_config, tiny_images):
    dataset = make_dataset(tiny_images, tiny_config)
    assert dataset.element_spec == tf.TensorSpec((4, 3, 32, 32, 3), tf.float32)
    elements = read(tiny_images, tiny_config, 3)
    assert elements.shape == (3, 4, 3, 32, 32, 3)
    assert elements.dtype == np.float32
    assert elements.min() == -1
    assert elements.max() == 1


def test_8_bit_values_are_mapped_to_minus_one_to_one(tiny_config):
    config = dataclasses.replace(tiny_config, batch_size=256, n_critic=1)
    (element,) = read(marked(256), config, 1)
    assert (element == element[:, :, :1, :1, :1]).all()
    values = np.sort(element[:, 0, 0, 0, 0])
    np.testing.assert_allclose(values, np.arange(256) / 127.5 - 1, atol=1e-7)
    assert values[0] == -1  # exactly
    assert values[255] == 1


def test_memory_mapped_images_are_read_like_others(tiny_config, tiny_images, tmp_path):
    (tmp_path / "pixels").write_bytes(tiny_images.tobytes())
    mapped = np.memmap(tmp_path / "pixels", np.uint8, mode="r", shape=tiny_images.shape)
    np.testing.assert_array_equal(read(mapped, tiny_config, 3), read(tiny_images, tiny_config, 3))


# Passes


def test_a_pass_reads_every_image_at_most_once(tiny_config):
    # 23 images give 5 whole mini-batches of 4 a pass; 5 passes are 25 mini-batches.
    batches = batches_of(read(marked(23), tiny_config, 9))[:25]
    for images_read in batches.reshape(5, 20):
        assert len(set(images_read)) == 20
        assert images_read.min() >= 0
        assert images_read.max() < 23


def test_a_pass_over_a_whole_number_of_mini_batches_reads_every_image(tiny_config):
    batches = batches_of(read(marked(24), tiny_config, 4))  # 2 passes of 6 mini-batches
    for images_read in batches.reshape(2, 24):
        assert sorted(images_read) == list(range(24))


def test_every_pass_has_an_order_of_its_own(tiny_config):
    passes = batches_of(read(marked(12), tiny_config, 10)).reshape(10, 12)
    assert len({tuple(images_read) for images_read in passes}) == 10
    assert not any((images_read == np.arange(12)).all() for images_read in passes)


def test_the_images_that_a_pass_leaves_out_change(tiny_config):
    passes = batches_of(read(marked(7), tiny_config, 20)).reshape(60, 4)  # 3 of 7 are left out
    left_out = {frozenset(range(7)) - set(images_read) for images_read in passes}
    assert len(left_out) > 15
    reads = np.bincount(passes.reshape(-1), minlength=7)
    assert reads.min() > 60 * 4 / 7 * 0.6
    assert reads.max() < 60 * 4 / 7 * 1.4


def test_an_image_can_come_anywhere_in_a_pass(tiny_config):
    config = dataclasses.replace(tiny_config, batch_size=6, n_critic=1)
    passes = batches_of(read(marked(6), config, 200))
    for place in range(6):
        reads = np.bincount(passes[:, place], minlength=6)  # 33 are expected of each
        assert reads.min() > 15
        assert reads.max() < 55


def test_the_mini_batches_of_one_iteration_are_different(tiny_config):
    elements = read(marked(50), tiny_config, 4)  # 12 mini-batches are just one pass
    for element in elements:
        mini_batches = [set(batch) for batch in batches_of(element[None])]
        assert len(set.union(*mini_batches)) == 12


def test_fewer_images_than_an_iteration_reads_are_enough(tiny_config):
    # 5 images, 4 in a mini-batch, 3 mini-batches in an iteration: every one is a pass.
    batches = batches_of(read(marked(5), tiny_config, 6))
    assert all(len(set(batch)) == 4 for batch in batches)
    assert len({tuple(batch) for batch in batches}) > 12
    assert set(batches.reshape(-1)) == set(range(5))


def test_as_many_images_as_a_mini_batch_has_are_enough(tiny_config):
    batches = batches_of(read(marked(4), tiny_config, 6))
    assert all(sorted(batch) == [0, 1, 2, 3] for batch in batches)
    assert len({tuple(batch) for batch in batches}) > 6


def test_one_image_is_enough_for_mini_batches_of_one(tiny_config):
    config = dataclasses.replace(tiny_config, batch_size=1, n_critic=2)
    image = np.full((1, 32, 32, 3), 77, np.uint8)
    assert set(batches_of(read(image, config, 5)).reshape(-1)) == {77}


# Seeds and starts


def test_a_stream_can_start_at_any_iteration(tiny_config, tiny_images):
    whole = read(tiny_images, tiny_config, 9)
    for start in (1, 5, 8):  # a pass ends in element 4
        np.testing.assert_array_equal(
            read(tiny_images, tiny_config, 9 - start, start), whole[start:]
        )


def test_a_dataset_gives_the_same_elements_every_time_it_is_read(tiny_config, tiny_images):
    dataset = make_dataset(tiny_images, tiny_config).take(3)
    first, second = ([element.numpy() for element in dataset] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_no_thread_of_tensorflow_s_tunes_it(tiny_config, tiny_images):
    """Whoever drops an iterator would wait until that thread wakes up."""
    dataset = make_dataset(tiny_images, tiny_config)
    assert dataset.options().autotune.enabled is False
    assert dataset.map(lambda images: images).options().autotune.enabled is False


def test_the_stream_is_decided_by_the_seed_alone(tiny_config, tiny_images):
    first = read(tiny_images, tiny_config, 4)
    tf.random.set_seed(123)
    np.random.seed(123)
    np.testing.assert_array_equal(read(tiny_images, tiny_config, 4), first)


def test_another_seed_gives_other_orders_and_other_flips(tiny_config):
    images = marked(20)
    images[:, :, :16] += 100  # the left half is brighter
    orders, flips = set(), set()
    for seed in (0, 1, 2**32, MAX_SEED):
        config = dataclasses.replace(tiny_config, n_critic=1, seed=seed)
        elements = read(images, config, 10)
        left, right = elements[..., :16, :], elements[..., 16:, :]
        orders.add(batches_of(np.minimum(left, right)).tobytes())
        flips.add((left < right).tobytes())
    assert len(orders) == 4
    assert len(flips) == 4


def test_no_two_iterations_are_alike(tiny_config):
    elements = read(marked(12), tiny_config, 40)
    assert len({element.tobytes() for element in elements}) == 40


# Flips


@pytest.fixture
def uses(tiny_config) -> np.ndarray:
    """Whether each of 800 uses of one picture was mirrored: (iterations, batch, n_critic)."""
    config = dataclasses.replace(tiny_config, batch_size=2, n_critic=4)
    image = np.zeros((32, 32, 3), np.uint8)
    image[2:9, 1:5] = (250, 10, 90)  # in the upper left corner
    return flips_of(read(np.stack([image] * 2), config, 100), image)


def test_half_of_the_uses_of_an_image_are_mirrored_left_to_right(uses):
    assert 0.45 < uses.mean() < 0.55


def test_the_flip_is_drawn_anew_for_every_use(uses):
    for axis in range(3):  # iterations, images of a mini-batch, mini-batches
        first, second = np.split(uses, 2, axis)
        assert 0.4 < (first == second).mean() < 0.6
    assert 0.4 < (uses[1:] == uses[:-1]).mean() < 0.6


def test_a_flip_is_independent_of_the_image_s_place_in_the_pass(tiny_config):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    elements = read(images, tiny_config, 60)
    for image in images:
        original = image.astype(np.float32) / np.float32(127.5) - np.float32(1)
        is_it = (elements == original).all(axis=(-1, -2, -3))
        is_it_mirrored = (elements == original[:, ::-1]).all(axis=(-1, -2, -3))
        assert is_it.sum() + is_it_mirrored.sum() == 180  # once in each mini-batch
        assert 60 < is_it.sum() < 120


def test_no_image_is_flipped_where_the_settings_say_so(tiny_config):
    config = dataclasses.replace(tiny_config, mirror=False)
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    elements = read(images, config, 60)
    order = batches_of(read(marked(4), tiny_config, 60))  # the same with and without
    expected = images[order.reshape(60, 3, 4)] / np.float32(127.5) - np.float32(1)
    np.testing.assert_array_equal(np.moveaxis(elements, 2, 1), expected)


# Images that cannot be read


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((9, 32, 32, 3), np.float32), r"not float32 of shape \(9, 32, 32, 3\)"),
        (np.zeros((9, 32, 32, 3), np.int64), r"not int64 of shape"),
        (np.zeros((9, 64, 64, 3), np.uint8), r"uint8 of shape \(count, 32, 32, 3 or 1\) for"),
        (np.zeros((9, 32, 64, 3), np.uint8), r"not uint8 of shape \(9, 32, 64, 3\)"),
        (np.zeros((9, 32, 32), np.uint8), r"not uint8 of shape \(9, 32, 32\)"),
        (np.zeros((9, 32, 32, 2), np.uint8), r"not uint8 of shape \(9, 32, 32, 2\)"),
        (np.zeros((32, 32, 3), np.uint8), r"not uint8 of shape \(32, 32, 3\)"),
        (np.zeros((3, 32, 32, 3), np.uint8), r"3 images are fewer than one mini-batch of 4"),
        (np.zeros((0, 32, 32, 3), np.uint8), r"0 images are fewer"),
    ],
)
def test_images_that_do_not_fit_the_settings_are_an_error(tiny_config, images, message):
    with pytest.raises(InputError, match=message):
        training_indices(images, tiny_config)
    with pytest.raises(InputError, match=message):
        make_dataset(images, tiny_config)


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        (np.arange(5, 10), "indices must be whole numbers from 0 to 8, as training_indices gives"),
        (np.arange(-1, 5), "indices must be whole numbers"),
        (np.ones(9, bool), "indices must be whole numbers"),
        ([0.0, 1.0, 2.0, 3.0], "indices must be whole numbers"),
        (5, "indices must be whole numbers"),
        ([0, 1, 2], "3 images are fewer than one mini-batch of 4"),
    ],
)
def test_indices_that_are_none_of_the_images_are_an_error(tiny_config, indices, message):
    with pytest.raises(InputError, match=message):
        make_dataset(marked(9), tiny_config, indices=indices)
    with pytest.raises(InputError, match="not float32 of shape"):
        make_dataset(marked(9).astype("float32"), tiny_config, indices=indices)


def test_images_that_fit_the_settings_are_no_error(tiny_config):
    training_indices(marked(4), tiny_config)


# All of it, for any settings


@settings(max_examples=15)
@given(data=st.data())
def test_every_stream_consists_of_passes_and_can_start_anywhere(data):
    batch_size = data.draw(st.integers(1, 5), "batch_size")
    count = data.draw(st.integers(batch_size, 17), "count")
    config = Config(
        image_size=32,
        batch_size=batch_size,
        n_critic=data.draw(st.integers(1, 3), "n_critic"),
        seed=data.draw(st.integers(0, MAX_SEED), "seed"),
    )
    start = data.draw(st.integers(0, 40) | st.just(10**9), "start")
    before = data.draw(st.integers(0, min(start, 3)), "before")

    elements = read(marked(count), config, before + 6, start - before)
    np.testing.assert_array_equal(read(marked(count), config, 6, start), elements[before:])

    batches_per_pass = count // batch_size
    passes: dict[int, list[int]] = {}
    for number, batch in enumerate(batches_of(elements), (start - before) * config.n_critic):
        passes.setdefault(number // batches_per_pass, []).extend(batch)
    for images_read in passes.values():
        assert len(set(images_read)) == len(images_read) <= batches_per_pass * batch_size
        assert set(images_read) <= set(range(count))


@pytest.mark.parametrize("seed", [0, 3, MAX_SEED])
def test_a_key_and_a_position_are_the_seed_of_a_draw(seed):
    for stream in (SHUFFLE, FLIPS):
        for position in (0, 7, 2**40):
            found = [stream_key(seed, stream), position]
            np.testing.assert_array_equal(stream_seed(seed, stream, position), found)
        assert int(tf.function(stream_key)(seed, stream)) == found[0]


def test_flips_are_drawn_from_a_stream_of_their_own(tiny_config):
    config = dataclasses.replace(tiny_config, seed=3)
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    dataset = make_dataset(np.stack([image] * 4), config, start_iteration=7)
    element = next(iter(dataset)).numpy()
    drawn = tf.random.stateless_uniform(
        (config.batch_size, config.n_critic), stream_seed(3, FLIPS, 7), alg="philox"
    )
    original = image / np.float32(127.5) - np.float32(1)
    is_mirrored = (element == original[:, ::-1]).all(axis=(-1, -2, -3))
    np.testing.assert_array_equal(is_mirrored, drawn < 0.5)
