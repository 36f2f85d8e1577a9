"""What a critic sees that looks through EfficientNet-Lite0: features in place of pixels.

Sauer et al., Projected GANs (arXiv:2111.01007): a critic that begins with what another network has
learned about photographs learns from few of them, and in little time. Here the features of three
scales are one map, and nothing else of theirs is taken over: neither their random projections nor
their four critics and hinge loss.
"""

import keras
from keras import layers

from wgan_gp.imagenet.efficientnet_lite0 import load_efficientnet_lite0_stages

_LEAST_SIZE = 128  # that the network still tells flowers apart at
_CELL = 16  # pixels of its input to a cell of the map

# Stages of EfficientNet-Lite0 and how far their values spread over photographs of flowers, which
# they are divided by: so each counts as much in a distance as it has values.
_SPREADS = {3: 6.5, 5: 5.2, 7: 2.2}  # strides 8, 16, 32; 40, 112, 320 channels
_CHANNELS = 4 * 40 + 112 + 320


def projection_shape(image_size: int) -> tuple[int, int, int]:
    """Height, width and channels of the map of features."""
    cells = max(image_size, _LEAST_SIZE) // _CELL
    return cells, cells, _CHANNELS


def load_projection(image_size: int) -> keras.Model:
    """Images `(n, image_size, image_size, 3)` in -1..1 -> features `(n, h, w, 592)`; not trained.

    Raises:
        InputError: the extra `features` is not installed.
    """
    images = keras.Input((image_size, image_size, 3), name="images")
    input_size = max(image_size, _LEAST_SIZE)
    enlarged = layers.UpSampling2D(input_size // image_size, interpolation="bilinear")(images)
    pixels = layers.Rescaling(127.5 / 128, offset=0.5 / 128)(enlarged)  # (0..255 - 127) / 128
    maps = load_efficientnet_lite0_stages(input_size, [*_SPREADS])(pixels)
    scaled = [
        layers.Rescaling(1 / spread)(x) for x, spread in zip(maps, _SPREADS.values(), strict=True)
    ]
    fine, middle, coarse = scaled
    features = layers.Concatenate()([_gathered(fine), middle, _repeated(coarse)])
    projection = keras.Model(images, features, name="projection")
    projection.trainable = False
    return projection


def _gathered(x: keras.KerasTensor) -> keras.KerasTensor:
    """Half the height and width: 2x2 pixels become the channels of one."""
    _, height, width, channels = x.shape
    x = layers.Reshape((height // 2, 2, width // 2, 2 * channels))(x)
    x = layers.Permute((1, 3, 2, 4))(x)
    return layers.Reshape((height // 2, width // 2, 4 * channels))(x)


def _repeated(x: keras.KerasTensor) -> keras.KerasTensor:
    """Twice the height and width, and the same norm: each pixel four times, each time half."""
    return layers.UpSampling2D(2)(layers.Rescaling(0.5)(x))
