"""What a run costs, estimated before it starts."""

import time

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from wgan_gp.config import Config

# Passes through the features network in an update: of the critic, real and generated images; of the
# generator, forward, and backward to the images.
_PASSES_OF_FEATURES = 2
_ROUNDS, _PRODUCTS = 3, 3  # of matrix products that are timed


def multiply_adds(network: keras.Model) -> int:
    """Multiply-adds of one forward pass of one image through dense and convolution layers."""
    return sum(_layer_multiply_adds(layer) for layer in network.layers)


def memory_remedy(config: Config) -> str:
    """What to do where `config` needs more memory than there is."""
    looks_through = config.critic_features != "none"
    return (
        f"try a new run with a smaller batch_size (here {config.batch_size}), base_filters "
        f"({config.base_filters}) or image_size ({config.image_size})"
        + (", or with critic_features none" if looks_through else "")
    )


def iteration_tflop(
    config: Config,
    generator: keras.Model,
    critic: keras.Model,
    critic_features: keras.Model | None = None,
) -> float:
    """Floating-point operations of one generator iteration, in units of 1e12."""
    # Passes of an image, a backward one counting as two. A critic update: real 3, generated 3, and
    # the penalty's 6; making the image. A generator update: 2 through the critic, 3 of its own.
    of_critic = config.n_critic * (6 + 6 / config.penalty_every) + 2
    of_generator = config.n_critic + 3
    if config.ema_half_life and config.generator_normalization == "batch":
        of_generator += 1  # of the averaged one, for its statistics
    done = of_critic * multiply_adds(critic) + of_generator * multiply_adds(generator)
    if critic_features is not None:
        done += (config.n_critic + 1) * _PASSES_OF_FEATURES * multiply_adds(critic_features)
    return 2 * config.batch_size * done / 1e12


def matrix_product_tflops() -> float:
    """The speed of a large float32 matrix product here, in 1e12 operations a second.

    It is the best of a few, since it is to say how fast a run can be at most. What is timed stays
    on the device: of the last product a single number is fetched, to know that it is done.
    """
    n = 2048
    matrix = keras.ops.ones((n, n))
    _seconds_a_product(matrix)  # the first time pays for starting up
    return 2 * n**3 / min(_seconds_a_product(matrix) for _ in range(_ROUNDS)) / 1e12


def _seconds_a_product(matrix: tf.Tensor) -> float:
    start = time.perf_counter()
    product = matrix
    for _ in range(_PRODUCTS):  # which a device begins one after another without being asked
        product = keras.ops.matmul(product, matrix)
    float(product[0, 0])
    return (time.perf_counter() - start) / _PRODUCTS


def _layer_multiply_adds(layer: layers.Layer) -> int:
    if isinstance(layer, keras.Model):
        return multiply_adds(layer)
    if isinstance(layer, layers.Dense):
        return int(np.prod(layer.kernel.shape))
    if isinstance(layer, layers.Conv2DTranspose):  # every input pixel meets the whole kernel
        return int(np.prod(layer.input.shape[1:3]) * np.prod(layer.kernel.shape))
    if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):  # every output pixel does
        return int(np.prod(layer.output.shape[1:3]) * np.prod(layer.kernel.shape))
    return 0
