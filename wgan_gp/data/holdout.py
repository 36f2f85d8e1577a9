"""Images held out of training, to measure generated ones against what no critic has seen."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import numpy as np

from wgan_gp.config import Config, check_config
from wgan_gp.support.errors import InputError

_AT_ONCE = 256  # images handed to a thread; what waits for one takes memory, too


def held_out_images(images: np.ndarray, config: Config) -> np.ndarray:
    """The images that `make_dataset` leaves out: uint8 `(some, height, width, channels)`.

    Their pixels decide, so the same pictures at another size are divided in another way.

    Raises:
        InputError: `images` are not uint8 `(count, height, width, channels)`.
    """
    check_config(config)
    images = np.asanyarray(images)
    if images.dtype != np.uint8 or len(images.shape) != 4:
        raise InputError(
            f"images must be uint8 of shape (count, height, width, channels), as load_images gives "
            f"them, not {images.dtype} of shape {images.shape}"
        )
    return images[is_held_out(images, config.holdout)]


def is_held_out(images: np.ndarray, share: float) -> np.ndarray:
    """Whether each image is held out: bool `(count,)`, about `share` of them.

    Its pixels alone decide: an image is held out if its BLAKE2b digest, read as a number in 0..1,
    is below `share`. So it stays on its side when files are added, removed or renamed, and equal
    images are on the same one.

    Args:
        images: uint8 `(count, height, width, channels)`.
        share: 0 or more and less than 1.
    """
    if not share:
        return np.zeros(len(images), bool)
    some = (images[start : start + _AT_ONCE] for start in range(0, len(images), _AT_ONCE))
    with ThreadPoolExecutor() as pool:
        places = np.fromiter(chain.from_iterable(pool.map(_places, some)), float)
    return places < share


def _places(images: np.ndarray) -> list[float]:
    """For each image a number in 0..1 that only its pixels decide."""
    digests = (hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images)
    return [int.from_bytes(digest, "big") / 2**64 for digest in digests]
