"""Any network in an ONNX file as images -> features."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wgan_gp.support.errors import InputError
from wgan_gp.support.extras import require


class OnnxNetwork(NamedTuple):
    """A network with one input of images; its first output is the features."""

    run: Callable[[np.ndarray], np.ndarray]  # (n, height, width, channels) -> features
    size: int | None  # of the images; None: any
    channels: int
    batch: int | None  # the only number of images that it takes at a time; None: any


def load_onnx_features(path: Path) -> OnnxNetwork:
    """The network at `path`, with images as `(n, height, width, channels)` or channels first.

    Raises:
        InputError: the extra `onnx` is not installed, the file is not ONNX, or its input is not a
            batch of images with 1 or 3 channels.
    """
    require("onnx", "onnxruntime")
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common name
        raise InputError(f"'{path}' cannot be read as an ONNX file: {error}") from error
    images = session.get_inputs()[0]
    shape = [dim if isinstance(dim, int) else None for dim in images.shape]  # names: any size
    if len(shape) != 4 or not {shape[1], shape[3]} & {1, 3}:
        raise InputError(f"'{path}' does not take images of 1 or 3 channels, but {images.shape}")
    is_channels_first = shape[3] not in (1, 3)

    def run(batch: np.ndarray) -> np.ndarray:
        if is_channels_first:
            batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        (features, *_) = session.run(None, {images.name: batch})
        is_map = features.ndim == 4 and is_channels_first
        return features.transpose(0, 2, 3, 1) if is_map else features

    size, channels = (shape[2], shape[1]) if is_channels_first else (shape[1], shape[3])
    return OnnxNetwork(run, size, channels, shape[0])
