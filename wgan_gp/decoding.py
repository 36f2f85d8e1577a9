"""From a picture of any kind to a square of RGB pixels."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")


def decode_file(path: Path, image_size: int) -> np.ndarray | None:
    """The picture in `path` as uint8 `(image_size, image_size, 3)`, or None if it is unreadable.

    Of an animation it is the first frame. A camera's rotation mark is obeyed.
    """
    try:
        with Image.open(path) as image:
            image.draft("RGB", (2 * image_size, 2 * image_size))  # a large JPEG is read reduced
            return to_square(ImageOps.exif_transpose(image), image_size)
    except Exception:  # a damaged file can make a decoder raise anything at all
        return None


def to_square(image: Image.Image, image_size: int) -> np.ndarray:
    """`image` as RGB, resized to a square whatever its aspect ratio: uint8 `(size, size, 3)`."""
    small = _to_rgb(image).resize((image_size, image_size), Image.Resampling.BICUBIC)
    return np.asarray(small)


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow would clip at 255
        grey = np.clip(np.asarray(image, np.float64) / 257, 0, 255)
        image = Image.fromarray(grey.round().astype(np.uint8))
    if image.has_transparency_data:
        # What lies behind transparent pixels is arbitrary; white is what a page would show.
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.convert("RGB")
