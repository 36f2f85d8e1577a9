"""Images laid out as pictures, and pictures as files."""

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from wgan_gp.sampling import to_uint8
from wgan_gp.support.files import replacing


def image_grid(images: np.ndarray) -> np.ndarray:
    """All `images` as one picture, row by row, as square as their number allows.

    Args:
        images: `(count, height, width, 3)`, uint8 or floats in -1..1.

    Returns:
        uint8 `(rows * height, columns * width, 3)`; places left over are black.
    """
    images = np.asarray(images if images.dtype == np.uint8 else to_uint8(images))
    count, height, width, channels = images.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    places = np.zeros((rows * columns, height, width, channels), np.uint8)
    places[:count] = images
    by_row = places.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return by_row.reshape(rows * height, columns * width, channels)


def save_png(picture: np.ndarray, path: Path) -> None:
    """Write `picture`, uint8 `(height, width, 3)`, as a PNG file, whole or not at all."""
    with replacing(path) as unfinished:
        Image.fromarray(picture).save(unfinished, format="PNG")


def save_pngs(images: np.ndarray, folder: Path) -> None:
    """Write `images` as 00000.png, 00001.png, ... in `folder`, in place of any files so named."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("[0-9]" * 5 + ".png"):
        old.unlink()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:05d}.png")


def save_film(frames: Iterable[Path], path: Path, seconds_per_frame: float = 0.15) -> None:
    """Write the pictures in `frames` as an animated GIF that repeats, resting on the last one."""
    first, *rest = (Image.open(frame, formats=["PNG"]).convert("RGB") for frame in frames)
    duration = round(1000 * seconds_per_frame)
    durations = [duration] * len(rest) + [10 * duration]
    with replacing(path) as unfinished:
        first.save(
            unfinished, format="GIF", save_all=True, append_images=rest, duration=durations, loop=0
        )
