"""What every metric asks of the images and features it is given."""

from typing import Any

import numpy as np

from wgan_gp.data.subset import Subset
from wgan_gp.support.errors import InputError


def as_images(images: Any) -> np.ndarray | Subset:
    """A `Subset` as it is, or an array, as lists and tensors are made to be.

    Raises:
        InputError: these are no images, as a `tf.data.Dataset` or the name of a folder is none.
    """
    images = images if isinstance(images, Subset) else np.asanyarray(images)
    check_images(images)
    return images


def check_images(*sets: np.ndarray | Subset) -> None:
    """Raise an InputError unless every set is uint8 `(count, size, size, 1 or 3)`, all alike."""
    for images in sets:
        _check_array("images", images)
        is_square = images.ndim == 4 and images.shape[1] == images.shape[2]
        if images.dtype != np.uint8 or not is_square or images.shape[3] not in (1, 3):
            raise InputError(
                f"a metric takes uint8 images (count, size, size, 1 or 3), not "
                f"{images.dtype} {images.shape}"
            )
        if not len(images):
            raise InputError("a metric takes images, and one of the sets has none")
        if images.shape[1:] != sets[0].shape[1:]:
            raise InputError(
                f"images of {_size(images)} do not compare with images of {_size(sets[0])}: "
                f"bring both to one size and number of channels"
            )


def check_features(*sets: np.ndarray, least: int = 2) -> None:
    """Raise an InputError unless every set is `(count, dims)` with one `dims` and finite values.

    Args:
        least: the fewest images that the metric can work with.
    """
    for features in sets:
        _check_array("features", features)
        is_table = features.ndim == 2 and 0 < features.shape[1] == sets[0].shape[-1]
        if not is_table or features.dtype.kind not in "fiu":
            given = " and ".join(f"{each.dtype} {each.shape}" for each in sets)
            raise InputError(
                f"a metric takes features as numbers (count, dims) of one dims, not {given}"
            )
        if len(features) < least:
            raise InputError(f"the metric needs {least} images or more, not {len(features)}")
        if not np.isfinite(features).all():
            raise InputError("the features hold numbers that are not finite: check the network")


def _check_array(name: str, values: np.ndarray | Subset) -> None:
    if not isinstance(values, np.ndarray | Subset):
        raise InputError(
            f"a metric takes {name} as a NumPy array, not as {type(values).__name__}: give it "
            f"numpy.asarray of them"
        )


def _size(images: np.ndarray | Subset) -> str:
    return "x".join(map(str, images.shape[1:]))
