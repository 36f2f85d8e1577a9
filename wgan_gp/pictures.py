"""Images laid out as pictures, and pictures as files."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from wgan_gp.sampling import to_uint8
from wgan_gp.support.errors import InputError
from wgan_gp.support.files import numbered
from wgan_gp.support.whole_files import replacing, replacing_in

_MARK = ("Software", "wgan_gp")  # a text in the pictures that are ours to replace


def image_grid(images: np.ndarray) -> np.ndarray:
    """All `images` as one picture, row by row, as square as their number allows.

    Args:
        images: `(count, height, width, 1 or 3)`, uint8 or floats in -1..1.

    Returns:
        uint8 `(rows * height, columns * width, 1 or 3)`; places left over are black.

    Raises:
        InputError: there is no image, or these are none.
    """
    images = np.asarray(images)
    is_known = images.dtype == np.uint8 or np.issubdtype(images.dtype, np.floating)
    if images.shape[3:] not in ((1,), (3,)) or not len(images) or not is_known:
        raise InputError(
            f"images to lay out are (count, height, width, 1 or 3), uint8 or floats in -1..1, "
            f"not {images.dtype} {images.shape}"
        )
    images = np.asarray(images if images.dtype == np.uint8 else to_uint8(images))
    count, height, width, channels = images.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    places = np.zeros((rows * columns, height, width, channels), np.uint8)
    places[:count] = images
    by_row = places.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return by_row.reshape(rows * height, columns * width, channels)


def save_png(picture: np.ndarray, path: Path, texts: PngInfo | None = None) -> None:
    """Write `picture`, uint8 `(height, width, 1 or 3)`, as a PNG file, whole or not at all."""
    # In Pillow grey pictures have no third axis.
    image = Image.fromarray(picture[..., 0] if picture.shape[-1] == 1 else picture)
    with replacing(path) as unfinished:
        image.save(unfinished, format="PNG", pnginfo=texts)


def check_free(folder: Path, count: int) -> None:
    """Raise an InputError that names a file in `folder` that is in the way of `count` images.

    Files that `save_pngs` has written are not: they carry a mark.
    """
    for number, path in _numbered(folder).items():
        if number < count and not _is_ours(path):
            raise InputError(
                f"'{path}' was not written by this program: move it away, or choose another folder"
            )


def save_pngs(images: np.ndarray, folder: Path) -> None:
    """Write `images` as 00000.png, 00001.png, ... in `folder`, in place of those it has written.

    What others have written stays. A folder that is not there yet is there whole or not at all.

    Raises:
        InputError: one of these names is taken by a file that this function did not write, or by
            one that cannot be read.
        OSError: a file cannot be written.
    """
    check_free(folder, len(images))
    surplus = [path for n, path in _numbered(folder).items() if n >= len(images) and _is_ours(path)]
    if not os.path.lexists(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with replacing(folder) as unfinished:
            unfinished.mkdir()
            _save_each(images, unfinished)
        return
    with replacing_in(folder) as unfinished:  # or a stop would leave some of each set
        _save_each(images, unfinished)
    for path in surplus:
        path.unlink()


def _save_each(images: np.ndarray, folder: Path) -> None:
    mark = PngInfo()
    mark.add_text(*_MARK)
    for number, image in enumerate(images):
        save_png(image, folder / f"{number:05d}.png", mark)


def _numbered(folder: Path) -> dict[int, Path]:
    """The files in `folder` under names that `save_pngs` gives, by their numbers."""
    return numbered(folder, r"(\d{5}|[1-9]\d{5,})\.png")


def _is_ours(path: Path) -> bool:
    try:
        with Image.open(path, formats=["PNG"]) as image:
            name, value = _MARK
            return image.info.get(name) == value
    except (FileNotFoundError, IsADirectoryError):  # a link that leads nowhere; a folder
        return False
    except OSError as error:
        if error.errno is None:  # a decoder's verdict
            return False
        raise InputError(
            f"'{path}' cannot be read ({error.strerror}), and may be another program's: move it "
            f"away, or choose another folder"
        ) from error
    except Exception:  # a damaged file can make a decoder raise anything at all
        return False


def save_film(
    frames: Sequence[Path], path: Path, seconds_per_frame: float = 0.15, at_most: int = 100
) -> None:
    """Write PNG files as an animated GIF that repeats, resting on the last one.

    At most so many of the frames are taken, `evenly_spread`.
    """
    kept = evenly_spread(frames, at_most)
    pictures = [Image.open(frame, formats=["PNG"]).convert("RGB") for frame in kept]
    duration = round(1000 * seconds_per_frame)
    save_gif(pictures, path, [duration] * (len(pictures) - 1) + [10 * duration])


def save_gif(pictures: Sequence[Image.Image], path: Path, duration: int | list[int]) -> None:
    """Write `pictures` as an animated GIF that repeats, each shown for `duration` milliseconds."""
    first, *rest = pictures
    with replacing(path) as unfinished:
        first.save(
            unfinished, format="GIF", save_all=True, append_images=rest, duration=duration, loop=0
        )


def evenly_spread(items: Sequence[Any] | np.ndarray, at_most: int) -> list[Any]:
    """All of the items, or so many of them, the first and the last among them."""
    places = np.linspace(0, len(items) - 1, min(at_most, len(items))).astype(int)
    return [items[place] for place in places]
