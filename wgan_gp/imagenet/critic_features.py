"""The views of an image that a critic may score: its pixels and EfficientNet-Lite0's features.

Sauer et al., Projected GANs (arXiv:2111.01007): a critic that begins with what another network has
learned about photographs learns from few of them, and in little time. As there, each scale of the
features has a critic of its own, as otherwise the most telling one would dominate; here
the image itself has one as well, and all are held by a gradient penalty. The random projections,
the hinge loss and the augmentation there are not taken over.
"""

import keras
from keras import layers

from wgan_gp.imagenet import efficientnet_lite0  # as a module: see `wgan_gp.model`

_LEAST_SIZE = 128  # pixels; the network was trained on 224, and sees little in smaller images

# Stages of EfficientNet-Lite0: their strides and channels, and how far their values spread over
# photographs of flowers, which they are divided by, so that distances in all views are alike.
_STAGES = {3: (8, 40, 6.5), 5: (16, 112, 5.2), 7: (32, 320, 2.2)}


def view_shapes(image_size: int) -> dict[str, tuple[int, int, int]]:
    """Height, width and channels of each view: the image, and three scales of features."""
    size = _input_size(image_size)
    shapes = {"images": (image_size, image_size, 3)}
    for number, (stride, channels, _) in _STAGES.items():
        shapes[f"stage_{number}"] = (size // stride, size // stride, channels)
    return shapes


def load_critic_features(image_size: int) -> keras.Model:
    """Images `(n, image_size, image_size, 3)` in -1..1 -> a list of their views; not trained.

    The views are those of `view_shapes`, in that order.
    """
    images = keras.Input((image_size, image_size, 3), name="images")
    input_size = _input_size(image_size)
    # (0..255 - 127) / 128; in float32, since in bfloat16 neighbouring shades are the same.
    pixels = layers.Rescaling(127.5 / 128, 0.5 / 128, dtype="float32")(images)
    enlarged = layers.Resizing(input_size, input_size, dtype="float32")(pixels)
    maps = efficientnet_lite0.load_efficientnet_lite0_stages(input_size, [*_STAGES])(enlarged)
    scaled = [
        layers.Rescaling(1 / spread)(x)
        for x, (_, _, spread) in zip(maps, _STAGES.values(), strict=True)
    ]
    network = keras.Model(images, [images, *scaled], name="critic_features")
    network.trainable = False
    return network


def _input_size(image_size: int) -> int:
    return max(image_size, _LEAST_SIZE)
