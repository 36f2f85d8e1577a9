"""Copies of training images must be found, mirrored ones too."""

import numpy as np
import pytest
from helpers.drawn import draw_flowers

from wgan_gp.metrics import distances
from wgan_gp.metrics.memorization import memorization_ratio, nearest_features, nearest_images
from wgan_gp.support.errors import InputError


@pytest.fixture(scope="module")
def held_out() -> np.ndarray:
    return draw_flowers(60, 32, seed=2)


def brute_force(images: np.ndarray, training_images: np.ndarray) -> list[tuple]:
    """(number, is mirrored, distance) of each image's nearest training image."""
    found = []
    for image in images.astype(float):
        candidates = []
        for number, training in enumerate(training_images.astype(float)):
            candidates.append((np.sqrt(np.sum((image - training) ** 2)), False, number))
            candidates.append((np.sqrt(np.sum((image - training[:, ::-1]) ** 2)), True, number))
        distance, is_mirrored, number = min(candidates)
        found.append((number, is_mirrored, distance))
    return found


def test_the_nearest_images_are_those_of_brute_force(flowers, held_out, monkeypatch):
    monkeypatch.setattr(distances, "_ROWS", 13)  # several blocks
    images = np.concatenate([held_out[:20], flowers[3:5], flowers[7:9, :, ::-1]])
    found = nearest_images(images, flowers)
    numbers, is_mirrored, expected_distances = zip(*brute_force(images, flowers), strict=True)
    np.testing.assert_array_equal(found.numbers, numbers)
    np.testing.assert_array_equal(found.is_mirrored, is_mirrored)
    np.testing.assert_allclose(found.distances, expected_distances, rtol=1e-12)
    assert 0 < sum(is_mirrored[:20]) < 20
    assert not any(expected_distances[20:])


def test_copies_and_mirrored_copies_have_ratio_0(flowers, held_out):
    yardstick = nearest_images(held_out, flowers)
    for copies in (flowers[:60], flowers[:60, :, ::-1]):
        assert memorization_ratio(nearest_images(copies, flowers), yardstick) == 0


def test_noisy_mirrored_copies_are_well_below_1(flowers, held_out, noisy):
    yardstick = nearest_images(held_out, flowers)
    copies = noisy(flowers[:60, :, ::-1], 10)
    assert memorization_ratio(nearest_images(copies, flowers), yardstick) < 0.4


def test_new_images_of_the_same_kind_have_a_ratio_of_about_1(flowers, other_flowers, held_out):
    yardstick = nearest_images(held_out, flowers)
    ratio = memorization_ratio(nearest_images(other_flowers, flowers), yardstick)
    assert ratio == pytest.approx(1, abs=0.1)


def test_unlike_images_are_above_1(flowers, held_out):
    noise = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    yardstick = nearest_images(held_out, flowers)
    assert memorization_ratio(nearest_images(noise, flowers), yardstick) > 1.5


def test_the_ratio_is_that_of_the_medians():
    generated = nearest_features(np.array([[0.0], [2.0], [3.0]]), *[np.array([[0.0]])] * 2)
    held_out = nearest_features(np.array([[1.0], [4.0], [100.0]]), *[np.array([[0.0]])] * 2)
    assert memorization_ratio(generated, held_out) == 2 / 4


def test_features_of_mirrored_training_images_are_searched_too():
    rng = np.random.default_rng(0)
    training, mirrored = rng.normal(size=(2, 30, 5)).astype(np.float32)
    found = nearest_features(np.stack([training[4], mirrored[9]]), training, mirrored)
    assert found.numbers.tolist() == [4, 9]
    assert found.is_mirrored.tolist() == [False, True]
    assert found.distances.tolist() == [0, 0]


def test_held_out_images_that_were_trained_on_are_refused(flowers):
    copies = nearest_images(flowers[:10], flowers)
    with pytest.raises(InputError, match=r"or mirror images of them: .* leave it out of"):
        memorization_ratio(copies, copies)


def test_neighbours_are_found_far_from_the_origin(flowers):
    rng = np.random.default_rng(0)
    training = (1e4 + rng.normal(size=(300, 64))).astype(np.float32)
    copies = training + rng.normal(scale=1e-2, size=training.shape).astype(np.float32)
    found = nearest_features(copies, training, -training)
    np.testing.assert_array_equal(found.numbers, np.arange(300))


def test_a_symmetric_copy_is_not_called_mirrored():
    half = np.random.default_rng(0).integers(0, 256, (4, 32, 16, 3), dtype=np.uint8)
    symmetric = np.concatenate([half, half[:, :, ::-1]], axis=2)
    assert not nearest_images(symmetric, symmetric).is_mirrored.any()
