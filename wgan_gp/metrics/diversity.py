"""Diversity: how different the generated images are from one another, against real ones."""

import numpy as np

from wgan_gp.metrics.distances import distance_blocks
from wgan_gp.metrics.inputs import check_features, check_images
from wgan_gp.support.errors import InputError

_SIZE = 16


def diversity(real_images: np.ndarray, generated_images: np.ndarray) -> float:
    """The mean distance between two generated images over that between two real ones.

    1 is the variety of the real set; near 0, the generator draws one image again and again. Images
    are averaged down to 16x16 before, where noise of single pixels hardly counts (of 64x64 images a
    quarter of its strength is left) and what remains is colour and layout.

    It detects some kinds of mode collapse, not all: an image of higher contrast is farther from
    every other one, strong noise still adds, and a set that lacks a few of many modes keeps most of
    its mean distance.

    Args:
        real_images: uint8 `(count, size, size, channels)`, 2 or more, 16 divides size.
        generated_images: `(another count, size, size, channels)`; the counts need not be equal.

    Raises:
        InputError: the images do not compare, or all real images are equal.
    """
    check_images(real_images, generated_images)
    real = mean_pairwise_distance(_reduced(real_images))
    if real == 0:
        raise InputError("the real images are all the same: diversity has nothing to compare with")
    return mean_pairwise_distance(_reduced(generated_images)) / real


def mean_pairwise_distance(vectors: np.ndarray) -> float:
    """2 / (n (n-1)) sum_{i < j} |x_i - x_j| over all pairs of n vectors `(n, dims)`."""
    check_features(vectors)
    total = sum(distances.sum() for _, distances in distance_blocks(vectors, vectors))
    return float(total) / (len(vectors) * (len(vectors) - 1))


def _reduced(images: np.ndarray) -> np.ndarray:
    """Averaged over squares of pixels: float32 `(count, 16 * 16 * channels)`."""
    count, size, _, channels = images.shape
    if size % _SIZE:
        raise InputError(f"diversity takes images of 16, 32, 48, 64, ... pixels, not {size}")
    squares = images.reshape(count, _SIZE, size // _SIZE, _SIZE, size // _SIZE, channels)
    return squares.mean(axis=(2, 4), dtype=np.float32).reshape(count, -1)
