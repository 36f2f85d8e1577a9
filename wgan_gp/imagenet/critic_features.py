"""What a critic scores that looks through EfficientNet-Lite0: features in place of pixels.

Sauer et al., Projected GANs (arXiv:2111.01007): a critic that begins with what another network has
learned about photographs learns from few of them, and in little time. Here the features of three
scales are one map, for one critic with a gradient penalty; their random projections, four
discriminators and hinge loss are not taken over.
"""

import keras
from keras import layers

from wgan_gp.imagenet import efficientnet_lite0  # as a module: see `wgan_gp.model`

_LEAST_SIZE = 128  # pixels; the network was trained on 224, and sees little in smaller images
_CELL = 16  # pixels of its input to a cell of the map

# Stages of EfficientNet-Lite0 (strides 8, 16 and 32; 40, 112 and 320 channels), and how far their
# values spread over photographs of flowers, which they are divided by: so that none of them
# outweighs the others in a distance.
_SPREADS = {3: 6.5, 5: 5.2, 7: 2.2}
_CHANNELS = 4 * 40 + 112 + 320


def critic_features_shape(image_size: int) -> tuple[int, int, int]:
    """Height, width and channels of the map of features."""
    cells = max(image_size, _LEAST_SIZE) // _CELL
    return cells, cells, _CHANNELS


def load_critic_features(image_size: int) -> keras.Model:
    """Images `(n, image_size, image_size, 3)` in -1..1 -> features `(n, h, w, 592)`; not trained.

    Raises:
        InputError: the extra `features` is not installed.
    """
    images = keras.Input((image_size, image_size, 3), name="images")
    input_size = max(image_size, _LEAST_SIZE)
    # (0..255 - 127) / 128; in float32, since in bfloat16 neighbouring shades are the same.
    pixels = layers.Rescaling(127.5 / 128, 0.5 / 128, dtype="float32")(images)
    enlarged = layers.Resizing(input_size, input_size, dtype="float32")(pixels)
    maps = efficientnet_lite0.load_efficientnet_lite0_stages(input_size, [*_SPREADS])(enlarged)
    fine, middle, coarse = (
        layers.Rescaling(1 / spread)(x) for x, spread in zip(maps, _SPREADS.values(), strict=True)
    )
    features = layers.Concatenate()([_gathered(fine), middle, _repeated(coarse)])
    network = keras.Model(images, features, name="critic_features")
    network.trainable = False
    return network


def _gathered(x: keras.KerasTensor) -> keras.KerasTensor:
    """Half the height and width: 2x2 pixels become the channels of one."""
    _, height, width, channels = x.shape
    x = layers.Reshape((height // 2, 2, width // 2, 2 * channels))(x)
    x = layers.Permute((1, 3, 2, 4))(x)
    return layers.Reshape((height // 2, width // 2, 4 * channels))(x)


def _repeated(x: keras.KerasTensor) -> keras.KerasTensor:
    """Twice the height and width, and the same norm: each pixel four times, each time half."""
    return layers.UpSampling2D(2)(layers.Rescaling(0.5)(x))
