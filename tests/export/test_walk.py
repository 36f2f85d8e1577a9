"""Walks between latents, and the films of them."""

import imageio.v3
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from wgan_gp import InputError, image_grid
from wgan_gp.export.walk import interpolate, save_walk, walk
from wgan_gp.model import build_model
from wgan_gp.random_streams import WALK, draw_latents, stream_seed
from wgan_gp.sampling import render


@pytest.fixture
def generator(tiny_config) -> keras.Model:
    return build_model(tiny_config).generator


def test_interpolation_keeps_to_the_sphere_and_to_an_even_pace():
    a, b = np.random.default_rng(0).standard_normal((2, 100))
    a, b = a / np.linalg.norm(a) * 10, b / np.linalg.norm(b) * 10
    way = np.array([interpolate(a, b, t) for t in np.linspace(0, 1, 11)])
    np.testing.assert_allclose(way[0], a)
    np.testing.assert_allclose(way[-1], b)
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 10)
    steps = np.linalg.norm(np.diff(way, axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0])


def test_a_right_angle_is_halved():
    middle = interpolate(np.array([2.0, 0.0]), np.array([0.0, 2.0]), 0.5)
    np.testing.assert_allclose(middle, [2**0.5, 2**0.5])


@pytest.mark.parametrize(("b", "middle"), [([3.0, 0.0], [2.0, 0.0]), ([-1.0, 0.0], [0.0, 0.0])])
def test_latents_in_one_line_are_joined_by_it(b, middle):
    np.testing.assert_allclose(interpolate(np.array([1.0, 0.0]), np.array(b), 0.5), middle)


def test_a_walk_passes_its_stations_and_ends_where_it_began(generator, tiny_config):
    frames = walk(generator, stations=3, frames=4, tiles=2, seed=5)
    assert frames.shape == (12, 32, 64, 3)
    seed = stream_seed(5, WALK)
    ways = draw_latents(6, tiny_config.latent_dim, seed).numpy().reshape(2, 3, -1)
    for station in range(3):
        expected = image_grid(render(generator, ways[:, station]).numpy())
        np.testing.assert_array_equal(frames[4 * station], expected)
    repeated = np.concatenate([frames, frames[:1]]).astype(int)
    steps = np.abs(np.diff(repeated, axis=0)).mean(axis=(1, 2, 3))
    assert steps[-1] < 1.5 * np.median(steps)  # no jump where the film begins again


def test_the_seed_decides_the_walk(generator):
    same, again, other = (walk(generator, 2, 2, 1, seed) for seed in (1, 1, 2))
    assert np.array_equal(same, again)
    assert not np.array_equal(same, other)


@pytest.mark.parametrize("number", [0, 2.5])
@pytest.mark.parametrize("name", ["stations", "frames", "tiles"])
def test_numbers_that_are_no_counts_are_refused(generator, name, number):
    numbers = {"stations": 2, "frames": 2, "tiles": 1, name: number}
    least = 2 if name == "stations" else 1
    with pytest.raises(InputError, match=f"{name} must be a whole number from {least} to "):
        walk(generator, **numbers)


@pytest.mark.parametrize(
    ("stations", "frames", "tiles"), [(100_001, 1, 1), (2, 50_001, 1), (2, 1, 100_001)]
)
def test_a_film_without_an_end_is_refused(generator, stations, frames, tiles):
    with pytest.raises(InputError, match=r"must be a whole number from . to "):
        walk(generator, stations, frames, tiles)


def test_a_walk_of_one_station_would_stand_still(generator):
    with pytest.raises(InputError, match="stations must be a whole number from 2 to 100000, not 1"):
        walk(generator, stations=1, frames=3)


@pytest.mark.parametrize("name", ["a.gif", "a.mp4"])
def test_what_the_system_refuses_is_said_as_it_says_it(tmp_path, name):
    with pytest.raises(FileNotFoundError):
        save_walk(np.zeros((2, 32, 32, 3), np.uint8), tmp_path / "missing" / name)


def test_a_gif_repeats_and_an_mp4_has_every_frame(generator, tmp_path):
    frames = walk(generator, 2, 3, 4)
    save_walk(frames, tmp_path / "a.gif")
    save_walk(frames, tmp_path / "a.mp4")
    with Image.open(tmp_path / "a.gif") as film:
        assert (film.n_frames, film.info["loop"], film.info["duration"]) == (6, 0, 50)
    film = imageio.v3.imread(tmp_path / "a.mp4", plugin="pyav")
    assert film.shape == frames.shape
    assert np.abs(film.astype(int) - frames).mean() < 20
    assert len(list(tmp_path.iterdir())) == 2


def test_an_mp4_of_odd_sizes_repeats_the_last_row_and_column(tmp_path):
    frames = np.tile(np.linspace(0, 255, 31).astype(np.uint8)[:, None, None], (4, 1, 33, 3))
    save_walk(frames, tmp_path / "a.mp4")
    film = imageio.v3.imread(tmp_path / "a.mp4", plugin="pyav")
    even = np.pad(frames, [(0, 0), (0, 1), (0, 1), (0, 0)], "edge")
    assert film.shape == even.shape
    assert np.abs(film.astype(int) - even).mean() < 20


def test_grey_frames_make_films(generator, tmp_path):
    frames = walk(generator, 2, 2, 4)[..., :1]
    save_walk(frames, tmp_path / "a.gif")
    save_walk(frames, tmp_path / "a.mp4")
    with Image.open(tmp_path / "a.gif") as film:
        np.testing.assert_array_equal(np.asarray(film.convert("L")), frames[0, ..., 0])
    film = imageio.v3.imread(tmp_path / "a.mp4", plugin="pyav")
    assert np.abs(film.astype(int) - frames).mean() < 20


def test_the_command_writes_a_film(wgan_gp, finished):
    run = ["interpolate", "--run-dir", finished[0], "--stations=2", "--frames=2"]
    wgan_gp(*run, "--output", "new/walk.gif")
    with Image.open(wgan_gp.folder / "new" / "walk.gif") as film:
        assert (film.n_frames, film.size) == (4, (96, 96))
    assert "exists already" in wgan_gp.mistake(*run, "--output", "new/walk.gif")
    assert "FILE.gif or a FILE.mp4" in wgan_gp.mistake(*run, "--output", "walk.avi")


def test_a_walk_is_on_the_arc(tiny_config):
    generator = build_model(tiny_config).generator
    frames = walk(generator, stations=3, frames=4, tiles=1, seed=5)
    stations = draw_latents(3, tiny_config.latent_dim, stream_seed(5, WALK)).numpy()
    between = [interpolate(stations[i], stations[(i + 1) % 3], 0.25) for i in range(3)]
    expected = render(generator, tf.constant(np.stack(between))).numpy()
    assert np.abs(frames[1::4].astype(int) - expected).max() <= 1
