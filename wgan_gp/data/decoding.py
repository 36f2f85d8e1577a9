"""From a picture to a square of RGB pixels.

The pictures may come from strangers. Which decoder reads a file is decided by its content, so only
those of the documented formats can be reached: others start programs or read further files.
"""

import contextlib
import os
import threading
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from wgan_gp.support.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp")
# Pictures, too, but nothing here reads them.
OTHER_SUFFIXES = (
    *(".avif", ".heic", ".heif", ".jp2", ".jxl", ".psd", ".tif", ".tiff"),
    *(".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".raf", ".rw2"),  # raw files of cameras
)
_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")

MAX_PIXELS = 50_000_000  # of a picture in memory: with all that is done to it, half a gigabyte
_MOST_SIDE = 65_535  # pixels; the filter that resizes has a table for each of them
_MOST_BYTES = 250_000_000  # of a file, of which a decoder may keep all, twice
_LARGE = 4_000_000  # pixels; with more, one picture at a time
_LARGE_FILE = 50_000_000  # bytes; likewise
_one_large_picture = threading.RLock()


def decode_file(path: Path, image_size: int) -> np.ndarray | None:
    """The picture in `path` as uint8 `(image_size, image_size, 3)`, or None if it is unreadable.

    Of an animation it is the first frame. A camera's rotation mark is obeyed. However many threads
    call it, the memory stays below a gigabyte; a picture that needs more counts as unreadable.

    Raises:
        InputError: the system does not give the file or the memory, which says nothing of the
            picture.
    """
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            return None
        with _alone_if(size > _LARGE_FILE), Image.open(path, formats=_FORMATS) as image:
            return _decode(image, image_size)
    except MemoryError as error:
        raise InputError(f"'{path}' cannot be read: out of memory") from error
    except OSError as error:
        if error.errno is None:  # a decoder's verdict
            return None
        raise InputError(
            f"'{path}' cannot be read ({error.strerror}): start again when that is mended, or "
            f"take the file away"
        ) from error
    except Exception:  # a damaged file can make a decoder raise anything at all
        return None


def _decode(image: Image.Image, image_size: int) -> np.ndarray | None:
    whole, may_be_reduced = image.width * image.height, _is_read_by_rows(image)
    image.draft("RGB", (2 * image_size, 2 * image_size))
    pixels = image.width * image.height if may_be_reduced else whole
    if pixels > MAX_PIXELS or max(image.size) > _MOST_SIDE:
        return None
    with _alone_if(pixels > _LARGE):
        with contextlib.suppress(Exception):  # a damaged mark raises anything at all, but once
            image.getexif()
        ImageOps.exif_transpose(image, in_place=True)
        return to_square(image, image_size)


def _alone_if(is_large: bool) -> contextlib.AbstractContextManager:
    return _one_large_picture if is_large else contextlib.nullcontext()


def _is_read_by_rows(image: Image.Image) -> bool:
    """Whether it is a JPEG that its decoder does not keep whole, even if it is read reduced.

    It keeps one that is progressive, and one whose first scan does not have all the colours.
    """
    if not isinstance(image, JpegImageFile) or image.format != "JPEG":  # but "MPO", of several
        return False
    if "progressive" in image.info:
        return False
    length = 6 + 2 * image.layers  # of the header of a scan of them all, which was read last
    image.fp.seek(-length, os.SEEK_CUR)
    return image.fp.read(length)[:3] == bytes([0, length, image.layers])


def to_square(image: Image.Image, image_size: int) -> np.ndarray:
    """`image` as RGB, resized to a square whatever its aspect ratio: uint8 `(size, size, 3)`."""
    size = (image_size, image_size)
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip at 255
        grey = np.asarray(image.convert("F").resize(size, Image.Resampling.BICUBIC)) / 257
        return np.stack([np.clip(grey.round(), 0, 255).astype(np.uint8)] * 3, axis=-1)
    if not image.has_transparency_data:
        colours = image if image.mode == "RGB" else image.convert("RGB")  # which would copy it
        return np.asarray(colours.resize(size, Image.Resampling.BICUBIC))
    # What lies behind transparent pixels is arbitrary; white is what a page would show. Pillow
    # resizes colours weighted by their opacity.
    small = image.convert("RGBA").resize(size, Image.Resampling.BICUBIC)
    white = Image.new("RGBA", size, "white")
    return np.asarray(Image.alpha_composite(white, small).convert("RGB"))
