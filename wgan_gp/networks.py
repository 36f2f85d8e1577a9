"""The two networks: a generator (latents -> images) and a critic (images -> scores).

With the preset `matlab` they are, layer by layer, those of the MATLAB example. Image sizes other
than its 64x64 add or remove blocks: every block halves (critic) or doubles (generator) height and
width, between 4x4 and the image.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from wgan_gp.config import Config
from wgan_gp.imagenet import critic_features  # as a module: see `wgan_gp.model`
from wgan_gp.support.layer_defaults import layer_defaults
from wgan_gp.support.standardize import standardize

Initializers = Iterator[keras.initializers.Initializer]

# How far the filters grow: base, 2, 4 and then always 8 times base.
_MAX_FILTER_FACTOR = 8


def build_critic(config: Config) -> keras.Model:
    """The critic: images `(n, size, size, 3)` in -1..1 -> one score each, `(n, 1)`.

    Nothing in it mixes the images of a batch, because the gradient penalty is defined image by
    image: hence layer norm, never batch norm. The example's kernel of 5, with its stride of 2,
    reaches every second pixel more often than the others, and so does the gradient that the
    generator learns from; a kernel of 4 reaches all of them equally often.

    With `config.critic_features` it takes what `build_critic_features` makes of the images, a list
    of views, and gives a score of each, `(n, views)`.
    """
    glorot = _glorot_uniform(config.seed, stream=1)
    with _precision(config):
        if config.critic_features != "none":
            return _critic_of_views(config, glorot)
        stack = [
            keras.Input((config.image_size, config.image_size, 3), name="images"),
            *_from_images(config, glorot),
            *_to_score("score", config, glorot),
        ]
        # From a list: `add` would build the whole stack anew each time.
        return keras.Sequential(stack, name="critic")


def _critic_of_views(config: Config, glorot: Initializers) -> keras.Model:
    """As many critics side by side as there are views, one of which is the image itself."""
    inputs, scores = [], []
    for view, shape in critic_features.view_shapes(config.image_size).items():
        x = keras.Input(shape, name=view)
        inputs.append(x)
        is_image = view == "images"
        stack = _from_images(config, glorot) if is_image else _from_map(shape[0], config, glorot)
        for layer in (*stack, *_to_score(f"score_of_{view}", config, glorot)):
            x = layer(x)
        scores.append(x)
    return keras.Model(inputs, layers.Concatenate(name="scores")(scores), name="critic")


def _from_images(config: Config, glorot: Initializers) -> Iterator[keras.Layer]:
    """Halve height and width down to 4x4. There is no norm after the first convolution."""
    first, *others = _critic_filters(config)
    yield layers.Conv2D(first, config.critic_kernel, 2, "same", kernel_initializer=next(glorot))
    yield layers.Activation(leaky_relu)
    for filters in others:
        yield from _critic_block(filters, config.critic_kernel, 2, config, glorot)


def _from_map(size: int, config: Config, glorot: Initializers) -> Iterator[keras.Layer]:
    """Mix the features at each place, then halve height and width, here `size`, down to 4x4.

    At each size it is as wide as the critic of images.
    """
    first, *others = _critic_filters(config)[-_halvings(size) - 1 :]
    yield from _critic_block(first, 1, 1, config, glorot)
    for filters in others:
        yield from _critic_block(filters, config.critic_kernel, 2, config, glorot)


def _to_score(name: str, config: Config, glorot: Initializers) -> Iterator[keras.Layer]:
    """4x4 -> one number."""
    yield layers.Conv2D(1, 4, padding="valid", kernel_initializer=next(glorot))
    yield layers.Flatten()
    yield layers.Activation(config.critic_activation, dtype="float32", name=name)


def _critic_block(
    filters: int, kernel: int, stride: int, config: Config, glorot: Initializers
) -> Iterator[keras.Layer]:
    """Convolution, layer norm, leaky ReLU."""
    yield layers.Conv2D(filters, kernel, stride, "same", kernel_initializer=next(glorot))
    is_over_image = config.critic_normalization == "image"  # as in the example
    yield ImageLayerNormalization() if is_over_image else PixelLayerNormalization()
    yield layers.Activation(leaky_relu)


def build_critic_features(config: Config) -> keras.Model | None:
    """The network before the critic, images -> views of them; None if the critic takes images."""
    if config.critic_features == "none":
        return None
    with _precision(config):
        return critic_features.load_critic_features(config.image_size)


def build_generator(config: Config) -> keras.Model:
    """The generator: latents `(n, latent_dim)`, standard normal -> images `(n, size, size, 3)`.

    Images lie in -1..1. It is `config.generator_width` times as wide as the critic; the example's
    is as wide, and has transposed convolutions and no normalisation. These with their kernel of 5
    and stride of 2 reach every second pixel more often than the others, which shows as a grid. The
    other `upsampling`s double the size first and then convolve: "nearest" by repeating pixels,
    "smoothed" likewise but for the last time, when it mixes them, and so leaves nothing of a grid.
    """
    filters = [config.generator_width * width for width in reversed(_critic_filters(config))]
    glorot = _glorot_uniform(config.seed, stream=0)
    enlarge = _transposed if config.upsampling == "transposed" else _upsampling
    with _precision(config):
        stack = [
            keras.Input((config.latent_dim,), name="latents"),
            layers.Dense(4 * 4 * filters[0], kernel_initializer=next(glorot)),
            layers.Reshape((4, 4, filters[0])),
            *enlarge(filters, config, glorot),
            layers.Activation("tanh", dtype="float32", name="images"),
        ]
        return keras.Sequential(stack, name="generator")


def _transposed(filters: list[int], config: Config, glorot: Initializers) -> Iterator[keras.Layer]:
    """Transposed convolutions: one from 4x4 to 8x8, and others that double the size each."""
    normalization = config.generator_normalization
    for index, channels in enumerate([*filters[1:], 3]):
        # The first one has stride 1 and no cropping.
        stride, padding = (1, "valid") if index == 0 else (2, "same")
        is_last = index == len(filters) - 1
        yield layers.Conv2DTranspose(
            channels,
            5,
            strides=stride,
            padding=padding,
            use_bias=is_last or normalization == "none",
            kernel_initializer=next(glorot),
        )
        if not is_last:
            yield from _norm_and_relu(normalization)


def _upsampling(filters: list[int], config: Config, glorot: Initializers) -> Iterator[keras.Layer]:
    """Upsampling that doubles the size, each with a convolution; one more makes the colours."""
    normalization = config.generator_normalization
    blocks = [*filters[1:], max(1, filters[-1] // 2)]
    for index, channels in enumerate(blocks):
        is_smoothed = config.upsampling == "smoothed" and index == len(blocks) - 1
        yield layers.UpSampling2D(2, interpolation="bilinear" if is_smoothed else "nearest")
        yield layers.Conv2D(
            channels,
            3,
            padding="same",
            use_bias=normalization == "none",
            kernel_initializer=next(glorot),
        )
        yield from _norm_and_relu(normalization)
    yield layers.Conv2D(3, 3, padding="same", kernel_initializer=next(glorot))


def _norm_and_relu(normalization: str) -> Iterator[keras.Layer]:
    """ReLU, after batch norm if that is asked for: it has an offset, so no bias goes before it."""
    if normalization == "batch":
        # With Keras's 0.99 inference lags hundreds of iterations behind training.
        yield layers.BatchNormalization(momentum=0.98)
    yield layers.ReLU()


@keras.saving.register_keras_serializable(package="wgan_gp")
def leaky_relu(x):
    """x where x > 0, else 0.2 x, as `keras.layers.LeakyReLU(0.2)`, without a second derivative.

    Keras's has one, a tensor full of zeros, which the convolutions before it would multiply.
    """
    return x * ops.stop_gradient(ops.cast(ops.where(x > 0, 1.0, 0.2), x.dtype))


@keras.saving.register_keras_serializable(package="wgan_gp")
class ImageLayerNormalization(keras.layers.Layer):
    """Normalises each image over height, width and channels; one scale and offset per channel.

    The same function as `keras.layers.GroupNormalization(groups=1, epsilon=1e-5)`, not the same
    derivatives: Keras takes the variance from `tf.nn.moments`, which holds the mean constant. That
    is harmless in a first derivative and wrong in a second one, and the gradient penalty is trained
    by second derivatives.

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
        axes = self._axes(len(inputs.shape))
        normalized = ops.cast(standardize(x, axes, self.epsilon), inputs.dtype)
        return normalized * self.scale + self.offset

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def _axes(self, rank: int) -> tuple[int, ...]:
        """The axes to normalise over, of inputs of this rank."""
        return tuple(range(1, rank))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


@keras.saving.register_keras_serializable(package="wgan_gp")
class PixelLayerNormalization(ImageLayerNormalization):
    """Normalises each pixel over its channels, with one scale and offset per channel.

    The same function as `keras.layers.LayerNormalization(epsilon=1e-5)`, not the same derivatives:
    its second ones are wrong as well.

    Args:
        epsilon: added to the variance.
    """

    def _axes(self, rank: int) -> tuple[int, ...]:
        return (rank - 1,)


def _precision(config: Config) -> AbstractContextManager[None]:
    """Within it layers compute in `config.precision`; float32 leaves Keras's own policy."""
    is_given = config.precision != "float32"
    return layer_defaults(config.precision if is_given else keras.config.dtype_policy())


def _critic_filters(config: Config) -> list[int]:
    """Filters of the critic's blocks, from the image inwards: 64, 128, 256, 512 for 64x64."""
    n_blocks = _halvings(config.image_size)
    return [config.base_filters * min(2**i, _MAX_FILTER_FACTOR) for i in range(n_blocks)]


def _halvings(size: int) -> int:
    """How often a size is halved until it is 4."""
    return (size // 4).bit_length() - 1


def _glorot_uniform(seed: int, stream: int) -> Initializers:
    """Glorot-uniform initialisers with a seed of their own each, so that no two layers agree."""
    sequence = np.random.SeedSequence(entropy=seed, spawn_key=(stream,))
    for layer_seed in sequence.generate_state(32):
        yield keras.initializers.GlorotUniform(seed=int(layer_seed))
