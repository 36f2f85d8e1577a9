"""The sliced Wasserstein distance against a plain second implementation, and its habits."""

import warnings

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
import tensorflow as tf

from wgan_gp.metrics import swd
from wgan_gp.metrics.laplacian_pyramid import laplacian_band
from wgan_gp.metrics.swd import SlicedWasserstein, sliced_wasserstein_distance
from wgan_gp.support.errors import InputError

BINOMIAL = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256


@pytest.fixture
def flowers(flowers) -> np.ndarray:
    return flowers[:80]


@pytest.fixture
def other_flowers(other_flowers) -> np.ndarray:
    return other_flowers[:80]


def reference_pyramid(image: np.ndarray) -> dict[int, np.ndarray]:
    """The bands of one image `(size, size, channels)`, by SciPy's convolution."""

    def convolved(image, kernel):
        return scipy.ndimage.convolve(image, kernel[..., None], mode="mirror")

    bands, current = {}, image.astype(np.float64)
    while len(current) > 16:
        smaller = convolved(current, BINOMIAL)[::2, ::2]
        spread = np.zeros_like(current)
        spread[::2, ::2] = smaller
        bands[len(current)] = current - convolved(spread, 4 * BINOMIAL)
        current = smaller
    return {**bands, 16: current}


def reference_patches(images: np.ndarray, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The patches of one band, one after the other, and the directions."""
    channels = images.shape[3]
    rng = np.random.default_rng([seed, size])
    directions = rng.standard_normal((512, 49 * channels))
    rows, columns = rng.integers(0, size - 6, (2, len(images), 128))
    patches = []
    for image, its_rows, its_columns in zip(images, rows, columns, strict=True):
        band = reference_pyramid(image)[size]
        for row, column in zip(its_rows, its_columns, strict=True):
            patches.append(band[row : row + 7, column : column + 7])
    patches = np.array(patches)
    for channel in range(channels):
        values = patches[..., channel]
        patches[..., channel] = (values - values.mean()) / values.std()
    return patches.reshape(len(patches), -1), directions


def reference_distance(real: np.ndarray, generated: np.ndarray, size: int, seed: int) -> float:
    a, directions = reference_patches(real, size, seed)
    b, _ = reference_patches(generated, size, seed)
    distances = []
    for direction in directions:
        direction = direction / np.sqrt(np.sum(direction**2))
        distances.append(scipy.stats.wasserstein_distance(a @ direction, b @ direction))
    return 1000 * np.mean(distances)


@pytest.mark.parametrize(("size", "channels"), [(64, 3), (32, 1)])
def test_every_band_agrees_with_plain_loops_and_scipy(size, channels, noisy):
    rng = np.random.default_rng(0)
    real = rng.integers(0, 256, (4, size, size, channels), dtype=np.uint8)
    real[:, : size // 2] //= 3
    generated = noisy(np.roll(real, 5, axis=2) // 2, 20)
    result = sliced_wasserstein_distance(real, generated, seed=3)
    expected = {}
    while size >= 16:
        expected[str(size)] = reference_distance(real, generated, size, 3)
        size //= 2
    expected["mean"] = np.mean([*expected.values()])
    assert result == pytest.approx(expected, rel=1e-4)
    assert list(result) == list(expected)


@pytest.mark.parametrize("size", [64, 32, 16])
def test_the_bands_are_those_of_a_convolution_with_mirrored_borders(size):
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    bands = laplacian_band(images, size, 16)
    for image, band in zip(images, bands, strict=True):
        np.testing.assert_allclose(band, reference_pyramid(image)[size], atol=1e-4)


def test_identical_sets_are_at_distance_zero(flowers):
    assert set(sliced_wasserstein_distance(flowers, flowers).values()) == {0.0}


def test_the_prepared_form_gives_the_same_numbers_each_time(flowers, other_flowers):
    expected = sliced_wasserstein_distance(flowers, other_flowers)
    prepared = SlicedWasserstein(flowers)
    assert prepared(other_flowers) == expected
    assert prepared(flowers)["mean"] == 0
    assert prepared(other_flowers) == expected


def test_the_order_of_images_matters_no_more_than_another_seed(flowers, other_flowers):
    spoilt = other_flowers // 2 + flowers[::-1] // 2  # as a double exposure
    distances = [
        sliced_wasserstein_distance(flowers, spoilt[np.random.default_rng(n).permutation(80)])
        for n in range(3)
    ]
    distances += [sliced_wasserstein_distance(flowers, spoilt, seed=seed) for seed in (1, 2)]
    means = [distance["mean"] for distance in distances]
    assert np.std(means) < 0.05 * np.mean(means)


def test_brightness_and_contrast_of_a_whole_set_do_not_count(flowers):
    darker = (flowers // 8 * 4 + 20).astype(np.uint8)
    brighter = (flowers // 8 * 8).astype(np.uint8)
    assert sliced_wasserstein_distance(darker, brighter)["mean"] == pytest.approx(0, abs=1e-2)


def test_other_flowers_are_nearer_than_spoilt_ones(flowers, other_flowers, noisy, blurred):
    distance = SlicedWasserstein(flowers)
    floor = distance(other_flowers)["mean"]
    for spoil, strengths in ((noisy, (10, 30, 90)), (blurred, (0.7, 1.5, 3))):
        distances = [distance(spoil(other_flowers, strength))["mean"] for strength in strengths]
        assert [floor, *distances] == sorted([floor, *distances])
        assert distances[0] > 1.2 * floor


def test_noise_shows_in_the_finest_band_first(flowers, other_flowers, noisy):
    distance = SlicedWasserstein(flowers)
    before, after = distance(other_flowers), distance(noisy(other_flowers, 20))
    assert after["32"] / before["32"] > 2 * after["16"] / before["16"]


def test_flat_images_are_measured_without_a_warning(flowers):
    flat = np.full_like(flowers, 128)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sliced_wasserstein_distance(flowers, flat)["mean"] > 100
        assert sliced_wasserstein_distance(flat, flat)["mean"] == 0


@pytest.mark.parametrize("size", [24, 48, 8])
def test_only_sizes_with_a_whole_pyramid_are_taken(size):
    images = np.zeros((2, size, size, 3), np.uint8)
    with pytest.raises(InputError, match=f"not {size}"):
        sliced_wasserstein_distance(images, images)


def test_sets_of_unequal_counts_are_refused(flowers):
    with pytest.raises(InputError, match="of one shape"):
        sliced_wasserstein_distance(flowers, flowers[:40])


def test_images_that_are_not_uint8_are_refused(flowers):
    with pytest.raises(InputError, match="uint8"):
        sliced_wasserstein_distance(flowers / 255, flowers)


def test_images_that_are_no_array_are_refused(flowers):
    for images in (list(flowers), tf.constant(flowers)):
        with pytest.raises(InputError, match=f"as a NumPy array, not as {type(images).__name__}:"):
            sliced_wasserstein_distance(flowers, images)


def test_chunks_change_nothing(flowers, other_flowers, monkeypatch):
    sets = flowers[:10], other_flowers[:10]
    whole = sliced_wasserstein_distance(*sets)
    monkeypatch.setattr(swd, "_CHUNK", 3)
    assert sliced_wasserstein_distance(*sets) == pytest.approx(whole, rel=1e-5)
