"""Images held out of training: which, and that training never reads them."""

import dataclasses

import numpy as np
import pytest

from wgan_gp.data.holdout import held_out_images, is_held_out
from wgan_gp.data.images import load_images
from wgan_gp.data.stream import make_dataset, training_indices
from wgan_gp.support.errors import InputError


@pytest.fixture
def images() -> np.ndarray:
    """2,000 different images of one colour each."""
    colours = np.random.default_rng(0).permutation(256**2)[:2000]
    planes = np.stack([colours // 256, colours % 256, np.zeros(2000, int)], axis=-1)
    return np.broadcast_to(planes[:, None, None].astype(np.uint8), (2000, 32, 32, 3))


def test_about_the_share_is_held_out(images):
    for share in (0.05, 0.1, 0.5):
        expected, deviation = 2000 * share, np.sqrt(2000 * share * (1 - share))
        assert abs(is_held_out(images, share).sum() - expected) < 4 * deviation
    assert not is_held_out(images, 0.0).any()


def test_a_larger_share_holds_out_the_same_and_more(images):
    small, large = is_held_out(images, 0.1), is_held_out(images, 0.3)
    assert (large | ~small).all()


def test_the_content_alone_decides(images):
    before = is_held_out(images, 0.2)
    order = np.random.default_rng(1).permutation(2000)
    np.testing.assert_array_equal(is_held_out(images[order], 0.2), before[order])
    np.testing.assert_array_equal(is_held_out(images[500:], 0.2), before[500:])
    changed = images.copy()
    changed[:, 0, 0] ^= 1
    assert (is_held_out(changed, 0.2) != before).mean() > 0.2  # another picture, another side


def test_duplicates_are_on_one_side(images):
    twice = np.concatenate([images, images])
    held_out = is_held_out(twice, 0.2)
    np.testing.assert_array_equal(held_out[:2000], held_out[2000:])


def sides(images: np.ndarray) -> list[tuple[bytes, bool]]:
    return [(x.tobytes(), bool(is_held_out(x[None], 0.4)[0])) for x in images]


def test_the_sides_stay_when_files_are_added_and_renamed(pictures, tmp_path, caplog):
    caplog.set_level("CRITICAL")
    folder, cache = tmp_path / "folder", tmp_path / "cache"
    folder.mkdir()
    sound = sorted(pictures.glob("*.png"))
    for path in sound[:12]:
        (folder / path.name).write_bytes(path.read_bytes())
    before = dict(sides(load_images(folder, 32, cache_dir=cache)))
    for number, path in enumerate(sound):
        (folder / f"{99 - number}.png").write_bytes(path.read_bytes())
    (folder / sound[0].name).unlink()
    after = sides(load_images(folder, 32, cache_dir=cache))
    assert len(after) == 31
    assert 0 < sum(before.values()) < 12
    assert {pixels: side for pixels, side in after if pixels in before} == before


def test_training_never_reads_a_held_out_image(images, tiny_config):
    config = dataclasses.replace(tiny_config, holdout=0.3, batch_size=50, n_critic=4)
    held_out = {tuple(image[0, 0]) for image in held_out_images(images, config)}
    read = set()
    for element in make_dataset(images, config).take(30):  # four passes over the images
        pixels = np.rint((element.numpy()[:, :, 0, 0] + 1) * 127.5).astype(int)
        read |= {tuple(pixel) for pixel in pixels.reshape(-1, 3)}
    assert not read & held_out
    assert len(read) == len(training_indices(images, config)) == 2000 - len(held_out)


def test_images_whose_pixels_were_changed_are_refused(images, tiny_config):
    for others in (images / np.float32(127.5) - 1, images[0]):
        with pytest.raises(InputError, match="as load_images gives them"):
            held_out_images(others, tiny_config)


def test_a_stream_does_not_begin_before_its_beginning(images, tiny_config):
    with pytest.raises(InputError, match="start_iteration must be a whole number, at least 0"):
        make_dataset(images, tiny_config, -1)


def test_nothing_held_out_is_the_stream_of_all_images(images, tiny_config):
    first = next(iter(make_dataset(images, tiny_config))).numpy()
    numbers = training_indices(images, tiny_config)
    np.testing.assert_array_equal(numbers, np.arange(2000))
    held_out = dataclasses.replace(tiny_config, holdout=1e-9)  # of which nothing is below
    np.testing.assert_array_equal(next(iter(make_dataset(images, held_out))).numpy(), first)


def test_too_few_left_to_train_on_is_an_error(images, tiny_config):
    config = dataclasses.replace(tiny_config, holdout=0.9, batch_size=64)
    with pytest.raises(
        InputError,
        match=r"^\d+ images \(\d\d more are held out\) are fewer than one mini-batch of 64",
    ):
        make_dataset(images[:100], config)


def test_images_keep_the_sides_that_earlier_versions_gave_them():
    images = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones((2, 2, 3), np.uint8)
    held_out = [0, 1, 3, 4, 6, 9, 11, 14, 16, 17, 18]
    assert np.flatnonzero(is_held_out(images, 0.3)).tolist() == held_out
