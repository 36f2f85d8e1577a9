"""Grids of known amplitude must be measured at their share of power."""

import keras
import numpy as np
import pytest
from helpers.drawn import draw_flowers

import wgan_gp.metrics.checkerboard as checkerboard_module
from wgan_gp.metrics.checkerboard import checkerboard, grid_power_share
from wgan_gp.support.errors import InputError

ROWS = (-1.0) ** np.arange(64)[:, None] * np.ones(64)
GRIDS = {"rows": ROWS, "columns": ROWS.T, "both": ROWS * ROWS.T}


def soft_waves(amplitude: float, size: int = 64) -> np.ndarray:
    """Waves of 3 and 5 periods a picture, without any power near the grid's frequencies."""
    phase = 2 * np.pi * np.arange(size) / size
    return 128 + amplitude * np.sin(3 * phase)[:, None] * np.cos(5 * phase)


def as_images(*values: np.ndarray) -> np.ndarray:
    return np.stack(values)[..., None].round().astype(np.uint8)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_grid_of_known_amplitude_has_its_share_of_the_power(grid):
    # The power of amplitude a is a^2 for a grid and a^2 / 4 for a product of two sines.
    for grid_amplitude, wave_amplitude in ((4, 80), (20, 40)):
        image = soft_waves(wave_amplitude) + grid_amplitude * GRIDS[grid]
        expected = grid_amplitude**2 / (grid_amplitude**2 + wave_amplitude**2 / 4)
        assert grid_power_share(as_images(image)) == pytest.approx(expected, rel=0.03)


def test_a_faint_grid_adds_its_share_to_drawn_flowers(flowers):
    flowers = np.clip(draw_flowers(50, 64), 10, 245)  # so that nothing is clipped
    window = np.sin(np.pi * (np.arange(64) + 0.5) / 64) ** 2
    window = np.outer(window, window)[..., None]
    mean = (flowers * window).sum(axis=(1, 2), keepdims=True) / window.sum()
    power = np.sum(((flowers - mean) * window) ** 2)  # by Parseval's theorem
    share = grid_power_share(flowers)
    for amplitude in (2, 6):
        added = amplitude**2 * np.sum(window**2) * 50 * 3
        grid = (amplitude * GRIDS["both"])[..., None]
        expected = (share * power + added) / (power + added)
        measured = grid_power_share((flowers + grid).astype(np.uint8))
        assert measured == pytest.approx(expected, rel=0.02)


def test_images_are_weighed_by_their_power_in_any_order():
    strong, flat = soft_waves(80) + 10 * ROWS, np.full((64, 64), 128.0)
    share = grid_power_share(as_images(strong))
    assert grid_power_share(as_images(strong, flat)) == pytest.approx(share)
    assert grid_power_share(as_images(flat, flat, strong)) == pytest.approx(share)


def test_images_that_are_taken_by_parts_share_as_they_do_together(monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
    together = grid_power_share(noise)
    monkeypatch.setattr(checkerboard_module, "_CHUNK", 2 * 32 * 32)
    assert grid_power_share(noise) == pytest.approx(together)


def test_flat_images_have_no_grid():
    assert grid_power_share(np.full((3, 64, 64, 3), 77, np.uint8)) == 0


def test_a_ramp_has_no_grid_though_its_borders_do_not_meet():
    ramp = np.linspace(0, 255, 64)[:, None] * np.ones(64)
    assert grid_power_share(as_images(ramp)) < 1e-4


def test_white_noise_has_the_share_of_the_area_of_the_band():
    noise = np.random.default_rng(0).integers(0, 256, (50, 64, 64, 3), dtype=np.uint8)
    # Frequencies -4 to 4 are 9 of 64, and -32 to -28 with 28 to 31 are 9 as well.
    assert grid_power_share(noise) == pytest.approx(3 * 9 * 9 / 64**2, rel=0.03)


def test_an_untrained_transposed_convolution_leaves_a_grid_and_upsampling_does_not():
    def images(layer):
        small = np.random.default_rng(0).normal(size=(30, 32, 32, 8)).astype(np.float32)
        small = keras.layers.AveragePooling2D(9, 1, "same")(small)  # smooth, as features are
        values = keras.ops.convert_to_numpy(layer(small))
        return np.clip(128 + 60 * values / values.std(), 0, 255).astype(np.uint8)

    keras.utils.set_random_seed(0)
    transposed = images(keras.layers.Conv2DTranspose(3, 5, 2, "same"))
    smooth = images(
        keras.Sequential(
            [keras.layers.UpSampling2D(interpolation="bilinear"), keras.layers.Conv2D(3, 1)]
        )
    )
    result = checkerboard(smooth, transposed)
    assert result.generated == grid_power_share(transposed) > 0.05
    assert result.real == grid_power_share(smooth) < 0.005
    assert result.ratio == result.generated / result.real


def test_photographs_without_any_power_make_the_ratio_infinite():
    flat, grid = as_images(np.full((64, 64), 9.0)), as_images(128 + 5 * ROWS)
    assert checkerboard(flat, grid) == (1, 0, np.inf)


def test_the_share_grows_with_the_grid(flowers):
    grid = GRIDS["rows"][:32, :32, None]
    shares = [grid_power_share((flowers // 2 + 40 + a * grid).astype(np.uint8)) for a in range(6)]
    assert shares == sorted(shares)


def test_a_set_without_images_is_refused():
    with pytest.raises(InputError, match="one of the sets has none"):
        grid_power_share(np.zeros((0, 32, 32, 3), np.uint8))


def test_chunks_change_nothing(flowers, monkeypatch):
    whole = grid_power_share(flowers[:20])
    monkeypatch.setattr("wgan_gp.metrics.checkerboard._CHUNK", 7)
    assert grid_power_share(flowers[:20]) == pytest.approx(whole)


def test_flat_colours_have_no_grid():
    colour = np.array([10, 77, 201], np.uint8)
    assert grid_power_share(np.broadcast_to(colour, (3, 64, 64, 3))) == 0
