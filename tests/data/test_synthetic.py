"""The drawn flowers: what decides a picture, and whether it looks like one."""

import numpy as np
import pytest
from helpers.drawn import draw_flowers

from wgan_gp.config import IMAGE_SIZES
from wgan_gp.data.synthetic import draw_picture


@pytest.fixture(scope="module")
def flowers() -> np.ndarray:
    return draw_flowers(200, 32)


def green_excess(pixels: np.ndarray) -> float:
    """How far green exceeds the two other channels, on average."""
    red, green, blue = pixels.reshape(-1, 3).mean(axis=0)
    return green - (red + blue) / 2


@pytest.mark.parametrize("image_size", IMAGE_SIZES)
def test_pictures_of_every_size_are_uint8_rgb(image_size):
    pictures = draw_flowers(2, image_size)
    assert pictures.shape == (2, image_size, image_size, 3)
    assert pictures.dtype == np.uint8
    assert draw_picture(image_size, 0, 0).shape == (image_size, image_size, 3)
    assert draw_picture(image_size, 0, 0).dtype == np.uint8


def test_a_picture_depends_on_seed_and_number_alone():
    nine = draw_flowers(9, 32, seed=3)
    np.testing.assert_array_equal(draw_flowers(4, 32, seed=3), nine[:4])
    for number in (8, 0, 5):  # in any order
        np.testing.assert_array_equal(draw_picture(32, 3, number), nine[number])


def test_drawing_neither_uses_nor_disturbs_the_global_random_state():
    np.random.seed(1)
    first = draw_flowers(2, 32)
    state = np.random.get_state()[1].copy()
    np.random.seed(2)
    np.testing.assert_array_equal(draw_flowers(2, 32), first)
    np.random.seed(1)
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_another_seed_draws_other_pictures():
    pictures = np.concatenate([draw_flowers(10, 32, seed=seed) for seed in (0, 1, 2)])
    assert len(np.unique(pictures, axis=0)) == 30


def test_the_default_seed_is_0():
    np.testing.assert_array_equal(draw_flowers(2, 32), draw_flowers(2, 32, seed=0))


def test_no_two_pictures_are_alike(flowers):
    assert len(np.unique(flowers, axis=0)) == len(flowers)
    assert flowers.std(axis=0).min() > 8  # at every place and in every channel


def test_a_larger_picture_shows_the_same_scene():
    small, large = draw_flowers(8, 32), draw_flowers(8, 256)
    reduced = large.reshape(8, 32, 8, 32, 8, 3).mean(axis=(2, 4))
    differences = np.abs(reduced - small).mean(axis=(1, 2, 3))
    assert differences.max() < 6
    to_another_scene = np.abs(np.roll(reduced, 1, axis=0) - small).mean(axis=(1, 2, 3))
    assert to_another_scene.min() > 15


def test_the_whole_range_is_used_without_much_clipping(flowers):
    assert flowers.min() < 20
    assert flowers.max() > 240
    assert np.isin(flowers, (0, 255)).mean() < 0.03
    assert flowers.std(axis=(1, 2)).max(axis=1).min() > 15  # no picture is of one colour


def test_a_green_meadow_lies_below_a_sky_that_is_not_green(flowers):
    # The outermost columns, where a flower rarely reaches.
    sides = np.concatenate([flowers[:, :, :3], flowers[:, :, -3:]], axis=2)
    sky, meadow = sides[:, :4], sides[:, -4:]
    assert green_excess(meadow) > 25
    assert green_excess(sky) < 10
    assert sky[..., 2].mean() > meadow[..., 2].mean() + 60  # sky blue
    assert sky.mean() > meadow.mean() + 40


def test_a_flower_of_a_colour_all_its_own_stands_in_the_middle(flowers):
    def vivid(pixels: np.ndarray) -> np.ndarray:
        """The part of saturated pixels that are neither green nor sky, of each picture."""
        pixels = pixels.astype(int)
        red, green, blue = (pixels[..., channel] for channel in range(3))
        is_saturated = pixels.max(-1) - pixels.min(-1) > 110
        is_petal = (red > green) | (blue > green + 60)
        return (is_saturated & is_petal).mean(axis=(1, 2))

    middle = vivid(flowers[:, 6:22, 8:24])
    corners = vivid(np.concatenate([flowers[:, :5, :5], flowers[:, :5, -5:]], axis=2))
    assert middle.mean() > 0.3
    assert corners.mean() < 0.05
    assert (middle > 0.1).mean() > 0.7  # not white flowers, which are one in seven


def test_flowers_come_in_many_colours(flowers):
    middles = flowers[:, 8:20, 10:22].reshape(len(flowers), -1, 3).mean(axis=1)
    red, green, blue = middles.T
    kinds = {
        "yellow or orange": (red > blue + 60) & (green > blue + 30),
        "red": (red > green + 60) & (red > blue + 50),
        "violet or blue": (blue > green + 20) & (blue >= red - 20),
        "white": middles.min(axis=1) > 120,
    }
    for kind, is_of_it in kinds.items():
        assert is_of_it.mean() > 0.04, kind
