"""Any network in an ONNX file as images -> features."""

from pathlib import Path
from typing import Any

import numpy as np

from wgan_gp.metrics.feature_network import FeatureNetwork
from wgan_gp.support.errors import InputError
from wgan_gp.support.extras import require
from wgan_gp.support.onnx_runtime import load_onnxruntime


def load_onnx_features(path: Path, name: str, value_range: tuple[float, float]) -> FeatureNetwork:
    """The network at `path`, with images as `(n, height, width, channels)` or channels first.

    Its first output is the features.

    Raises:
        InputError: the extra `onnx` is not installed, the file is not ONNX, or what it takes is not
            a batch of square float32 images with 1 or 3 channels alone.
    """
    session = _session(path)
    inputs = session.get_inputs()
    if [each.type for each in inputs] != ["tensor(float)"]:
        taken = ", ".join(f"{each.name} {each.type}" for each in inputs) or "nothing"
        raise InputError(f"'{path}' does not take images alone, as float32, but {taken}")
    (images,) = inputs
    shape = [dim if isinstance(dim, int) else None for dim in images.shape]  # names: any size
    is_channels_first = len(shape) == 4 and shape[3] not in (1, 3)
    if is_channels_first:
        shape = [shape[0], *shape[2:], shape[1]]
    if len(shape) != 4 or shape[3] not in (1, 3) or shape[1] != shape[2]:
        raise InputError(
            f"'{path}' does not take square images of 1 or 3 channels, but {images.shape}"
        )

    def run(batch: np.ndarray) -> np.ndarray:
        if is_channels_first:
            batch = np.ascontiguousarray(batch.transpose(0, 3, 1, 2))
        (features, *_) = session.run(None, {images.name: batch})
        is_map = features.ndim == 4 and is_channels_first
        return features.transpose(0, 2, 3, 1) if is_map else features

    batch, size, _, channels = shape
    return FeatureNetwork(name, run, size, value_range, channels, batch)


def _session(path: Path) -> Any:
    require("onnx", "onnxruntime")
    try:
        return load_onnxruntime().InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common name
        raise InputError(f"'{path}' cannot be read as an ONNX file: {error}") from error
