"""A walk through the latent space, as a film."""

import math
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from wgan_gp.pictures import image_grid, save_gif
from wgan_gp.random_streams import WALK, draw_latents, stream_seed
from wgan_gp.sampling import check_seed, render
from wgan_gp.support.errors import InputError
from wgan_gp.support.extras import require
from wgan_gp.support.shapes import latent_dim
from wgan_gp.support.whole_files import write_whole
from wgan_gp.support.whole_numbers import check_whole

_FRAMES_PER_SECOND = 20
_MOST = 100_000  # pictures of a film, which is more than an hour, and tiles of a picture


def interpolate(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """The latent at the share `t` of the arc from `a` to `b` (spherical interpolation, "slerp").

    Standard-normal latents lie close to a sphere: their length is about sqrt(latent_dim). A
    straight line between two of them leads through its inside, where the generator was never
    trained and may draw washed-out pictures.

    slerp(a, b, t) = sin((1 - t) w) / sin(w) a + sin(t w) / sin(w) b, with w the angle between them
    (Shoemake 1985).
    """
    cosine = np.vdot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))
    angle = math.acos(np.clip(cosine, -1.0, 1.0))
    if math.sin(angle) < 1e-6:  # the same direction, or the opposite one: there is no one arc
        return (1 - t) * a + t * b
    return (math.sin((1 - t) * angle) * a + math.sin(t * angle) * b) / math.sin(angle)


def walk(
    generator: keras.Model, stations: int, frames: int, tiles: int = 9, seed: int = 0
) -> np.ndarray:
    """Pictures of `tiles` walks side by side, each from latent to latent and back to its first.

    Args:
        stations: latents that each walk passes, at least 2.
        frames: pictures from one to the next.
        seed: decides the latents.

    Returns:
        uint8 `(stations * frames, height, width, channels)`.

    Raises:
        InputError: a number, or the seed, is not a whole one or out of its range.
    """
    check_whole("stations", stations, least=2, most=_MOST)
    check_whole("frames", frames, most=_MOST // stations)
    check_whole("tiles", tiles, most=_MOST)
    check_seed(seed)
    dimensions = latent_dim(generator)
    drawn = draw_latents(tiles * stations, dimensions, stream_seed(seed, WALK)).numpy()
    places = drawn.reshape(tiles, stations, dimensions)
    pictures = []
    for station in range(stations):
        for step in range(frames):
            latents = [
                interpolate(way[station], way[(station + 1) % stations], step / frames)
                for way in places
            ]
            pictures.append(image_grid(render(generator, tf.constant(latents)).numpy()))
    return np.stack(pictures)


def check_film(path: Path) -> None:
    """Raise an InputError unless `save_walk` can write such a file."""
    if path.suffix.lower() == ".mp4":
        require("video", "imageio", "av")
    elif path.suffix.lower() != ".gif":
        raise InputError(f"a film is a FILE.gif or a FILE.mp4, not '{path}'")


def save_walk(frames: np.ndarray, path: Path) -> None:
    """Write `frames` as a GIF that repeats, or as an MP4 film, by the ending of `path`.

    Films have an even number of rows and columns, so the last ones may be there twice.

    Raises:
        InputError: another ending, or the extra `video` is not installed.
        OSError: the file cannot be written.
    """
    check_film(path)
    frames = np.repeat(frames, 3 // frames.shape[-1], axis=-1)  # grey ones as RGB
    if path.suffix.lower() == ".gif":
        save_gif([Image.fromarray(frame) for frame in frames], path, 1000 // _FRAMES_PER_SECOND)
        return
    import imageio.v3

    height, width = frames.shape[1:3]
    even = np.pad(frames, [(0, 0), (0, height % 2), (0, width % 2), (0, 0)], "edge")  # for H.264
    film = imageio.v3.imwrite(
        "<bytes>",  # what the system refuses, it says better than imageio
        even,
        extension=".mp4",
        plugin="pyav",
        codec="libx264",
        fps=_FRAMES_PER_SECOND,
    )
    write_whole(path, film)
