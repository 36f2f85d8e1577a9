"""The two networks: a generator (latents -> images) and a critic (images -> scores).

At 64x64 they are, layer by layer, those of the MATLAB example. Another image size adds or removes
blocks: every block halves (critic) or doubles (generator) height and width, between 4x4 and the
image.
"""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from wgan_gp.config import Config

# How far the filters grow: base, 2, 4 and then always 8 times base.
_MAX_FILTER_FACTOR = 8


def build_critic(config: Config) -> keras.Model:
    """The critic: images `(n, size, size, 3)` in -1..1 -> one score each, `(n, 1)`.

    Nothing in it mixes the images of a batch, because the gradient penalty is defined image by
    image: hence layer norm, never batch norm.
    """
    filters = _critic_filters(config)
    glorot = _glorot_uniform(config.seed, stream=1)
    critic = keras.Sequential(name="critic")
    critic.add(keras.Input((config.image_size, config.image_size, 3), name="images"))
    for index, channels in enumerate(filters):
        critic.add(
            layers.Conv2D(channels, 5, strides=2, padding="same", kernel_initializer=next(glorot))
        )
        if index > 0:
            critic.add(ImageLayerNormalization(epsilon=1e-5))
        critic.add(layers.LeakyReLU(negative_slope=0.2))
    critic.add(layers.Conv2D(1, 4, padding="valid", kernel_initializer=next(glorot)))
    critic.add(layers.Flatten())
    critic.add(layers.Activation(config.critic_activation, name="score"))
    return critic


def build_generator(config: Config) -> keras.Model:
    """The generator: latents `(n, latent_dim)`, standard normal -> images `(n, size, size, 3)`.

    Images lie in -1..1. There is no normalisation.
    """
    first, *rest = reversed(_critic_filters(config))
    glorot = _glorot_uniform(config.seed, stream=0)
    generator = keras.Sequential(name="generator")
    generator.add(keras.Input((config.latent_dim,), name="latents"))
    generator.add(layers.Dense(4 * 4 * first, kernel_initializer=next(glorot)))
    generator.add(layers.Reshape((4, 4, first)))
    for index, channels in enumerate([*rest, 3]):
        # The first one, with stride 1 and no cropping, grows 4x4 to 8x8; the others double.
        stride, padding = (1, "valid") if index == 0 else (2, "same")
        is_last = index == len(rest)
        generator.add(
            layers.Conv2DTranspose(
                channels, 5, strides=stride, padding=padding, kernel_initializer=next(glorot)
            )
        )
        generator.add(layers.Activation("tanh", name="images") if is_last else layers.ReLU())
    return generator


@keras.saving.register_keras_serializable(package="wgan_gp")
class ImageLayerNormalization(keras.layers.Layer):
    """Normalises each image over height, width and channels; one scale and offset per channel.

    The same function as `keras.layers.GroupNormalization(groups=1)`, not the same derivatives:
    Keras takes the variance from `tf.nn.moments`, which holds the mean constant. That is harmless
    in a first derivative and wrong in a second one, and the gradient penalty is trained by second
    derivatives. (`LayerNormalization()` would normalise over the channels alone.)

    Args:
        epsilon: added to the variance.
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = input_shape[-1]
        self.scale = self.add_weight(shape=(channels,), initializer="ones", name="scale")
        self.offset = self.add_weight(shape=(channels,), initializer="zeros", name="offset")

    def call(self, inputs):
        # In float16 the sum over an image overflows; float32 is the least to compute in.
        x = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        centred = x - ops.mean(x, axis=(1, 2, 3), keepdims=True)
        variance = ops.mean(ops.square(centred), axis=(1, 2, 3), keepdims=True)
        normalized = centred * ops.rsqrt(variance + self.epsilon)
        return ops.cast(normalized, inputs.dtype) * self.scale + self.offset

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


def _critic_filters(config: Config) -> list[int]:
    """Filters of the critic's blocks, from the image inwards: 64, 128, 256, 512 for 64x64."""
    n_blocks = (config.image_size // 4).bit_length() - 1  # halvings from the image to 4x4
    return [config.base_filters * min(2**i, _MAX_FILTER_FACTOR) for i in range(n_blocks)]


def _glorot_uniform(seed: int, stream: int) -> Iterator[keras.initializers.Initializer]:
    """Glorot-uniform initialisers with a seed of their own each, so that no two layers agree."""
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=(stream,))
    for layer_seed in sequence.generate_state(32):
        yield keras.initializers.GlorotUniform(seed=int(layer_seed))
