"""Memorisation: are the generated images copies of training images?

A generator that copies lies nearer to the training images than new photographs of the same kind do.
The held-out images are that yardstick.
"""

from typing import NamedTuple

import numpy as np

from wgan_gp.data.subset import Subset
from wgan_gp.metrics.distances import nearest
from wgan_gp.metrics.inputs import check_features, check_images
from wgan_gp.support.errors import InputError


class Neighbours(NamedTuple):
    """The nearest training image of each of n images."""

    numbers: np.ndarray  # (n,), of the training images
    is_mirrored: np.ndarray  # (n,): it is the left-right mirror image that is so near
    distances: np.ndarray  # (n,), Euclidean


def nearest_images(images: np.ndarray, training_images: np.ndarray | Subset) -> Neighbours:
    """The nearest training images, as they are or mirrored, by their pixels.

    Args:
        images: uint8 `(n, size, size, channels)`.
        training_images: uint8 `(m, size, size, channels)`. Beside the images themselves, 1,024 of
            them as float32 are all that is held at a time.

    Returns:
        Distances sqrt(sum of squared differences) of pixel values in 0..255.
    """
    check_images(images, training_images)
    mirrored = images[:, :, ::-1]  # as far apart as if the other one were
    return _nearer(nearest(images, training_images), nearest(mirrored, training_images))


def nearest_features(
    features: np.ndarray, training_features: np.ndarray, mirrored_training_features: np.ndarray
) -> Neighbours:
    """The nearest training images, as they are or mirrored, by their features.

    Args:
        features: `(n, dims)`.
        training_features: `(m, dims)`.
        mirrored_training_features: `(m, dims)`, those of the training images flipped left-right.
    """
    check_features(features, training_features, mirrored_training_features, least=1)
    return _nearer(
        nearest(features, training_features), nearest(features, mirrored_training_features)
    )


def memorization_ratio(generated: Neighbours, held_out: Neighbours) -> float:
    """median(generated to nearest training image) / median(held-out to nearest training image).

    About 1: generated images are as far from the training images as new photographs are. Well
    below 1: they were copied (0: to the pixel). Above 1 says that they are unlike any photograph.

    Args:
        generated: the neighbours of generated images, from one of the functions above.
        held_out: the neighbours of real images that were not trained on, from the same function
            and the same training images.

    Raises:
        InputError: half of the held-out images are training images, as they are or mirrored.
    """
    held_out_median = np.median(held_out.distances)
    if held_out_median == 0:
        raise InputError(
            "half of the held-out images are training images, or mirror images of them: "
            "memorization needs others; leave it out of the metrics"
        )
    return float(np.median(generated.distances) / held_out_median)


def _nearer(
    plain: tuple[np.ndarray, np.ndarray], mirrored: tuple[np.ndarray, np.ndarray]
) -> Neighbours:
    is_mirrored = mirrored[1] < plain[1]
    return Neighbours(
        np.where(is_mirrored, mirrored[0], plain[0]),
        is_mirrored,
        np.minimum(mirrored[1], plain[1]),
    )
