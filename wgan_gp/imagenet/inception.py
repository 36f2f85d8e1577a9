"""Keras's InceptionV3 as a feature network, its weights downloaded once or given as a file.

Szegedy et al. (arXiv:1512.00567). These are Keras's weights, not those of the TensorFlow graph of
2015 that published FID and KID values were computed with: such values do not compare with these.
"""

import contextlib
import os
import sys
from pathlib import Path

import keras

from wgan_gp.support.errors import InputError, UnreachableError
from wgan_gp.support.layer_defaults import layer_defaults
from wgan_gp.support.reachable import is_reachable

_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
_URL = f"https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/{_FILE}"
_OTHER_HOME = Path("/tmp/.keras")  # Keras's, where its own is not writable


def load_inception(weights: Path | None = None) -> keras.Model:
    """The network without its classes: images `(n, 299, 299, 3)` in -1..1 -> features `(n, 2048)`.

    Args:
        weights: a file of its weights, without those of the classes; by default Keras's ImageNet
            weights, which Keras downloads (88 MB) at the first use and keeps.

    Raises:
        InputError: the weights are out of reach, or are those of another network.
    """
    if weights:
        return _with_weights_of(weights)
    if not _is_kept() and not is_reachable(_URL):
        raise UnreachableError(
            "the weights of InceptionV3 are out of reach: name their file, use the features "
            "'efficientnet-lite0', or metrics that need none (swd, diversity, checkerboard)"
        )
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras shows its progress
            return _build("imagenet")
    except Exception as error:  # whatever a server or a network can do
        raise UnreachableError(
            f"the weights of InceptionV3 could not be downloaded: {error}"
        ) from error


def _with_weights_of(path: Path) -> keras.Model:
    model = _build(None)
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"'{path}' does not hold the weights of InceptionV3 without its classes: {error}"
        ) from error
    return model


@layer_defaults("float32")  # whatever a model that is measured computes in
def _build(weights: str | None) -> keras.Model:
    return keras.applications.InceptionV3(
        include_top=False, weights=weights, input_shape=(299, 299, 3), pooling="avg"
    )


def _is_kept() -> bool:
    """Whether Keras has downloaded the weights before."""
    places = [_OTHER_HOME]
    if "KERAS_HOME" in os.environ:
        places.append(Path(os.environ["KERAS_HOME"]))
    else:
        with contextlib.suppress(RuntimeError):  # there are users without a home
            places.append(Path.home() / ".keras")
    return any((folder / "models" / _FILE).exists() for folder in places)
