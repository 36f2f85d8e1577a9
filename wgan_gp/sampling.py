"""From latents to images: new pictures from a generator."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from wgan_gp import random_streams  # a module, not names: see model.py
from wgan_gp.config import MAX_SEED
from wgan_gp.support.errors import InputError
from wgan_gp.support.shapes import latent_dim, output_shape
from wgan_gp.support.whole_numbers import check_whole

_BATCH_SIZE = 64
_MOST = 2**31 - 1  # images; TensorFlow counts them as int32


def generate_images(generator: keras.Model, count: int, seed: int = 0) -> np.ndarray:
    """`count` images from latents drawn with `seed`: uint8 `(count, height, width, channels)`.

    The same generator, count and seed give the same images.

    Raises:
        InputError: `count` is not in 1..2^31-1 or `seed` not in 0..2^63-1, the generator takes
            no latents, as a whole `WGANGP` does not, or it has a weight that is not finite.
    """
    check_count(count)
    check_seed(seed)
    images = draw_samples(generator, count, seed).numpy()  # here what is no generator is refused
    if not all(np.isfinite(weights).all() for weights in generator.get_weights()):
        raise InputError(
            "the generator has weights that are not finite, and would draw black images: its "
            "training has broken down"
        )
    return images


def check_count(count: int) -> None:
    """Raise an InputError unless `count` is in 1..2^31-1."""
    check_whole("count", count, most=_MOST)


def check_seed(seed: int) -> None:
    """Raise an InputError unless `seed` is in 0..2^63-1."""
    check_whole("seed", seed, least=0, most=MAX_SEED)


def draw_samples(
    generator: keras.Model, count: int | tf.Tensor, seed: int | tf.Tensor
) -> tf.Tensor:
    """What `generate_images` gives, as a tensor; it can be part of a graph."""
    sample_seed = random_streams.stream_seed(seed, random_streams.SAMPLES)
    latents = random_streams.draw_latents(count, latent_dim(generator), sample_seed)
    return render(generator, latents)


def render(generator: keras.Model, latents: tf.Tensor) -> tf.Tensor:
    """The generator's images for `latents`, `(n, latent_dim)`, as uint8, in bounded memory."""
    spec = tf.TensorSpec(output_shape(generator), tf.uint8)
    return in_batches(lambda batch: to_uint8(generator(batch, training=False)), latents, spec)


def in_batches(
    function: Callable[[tf.Tensor], tf.Tensor], latents: tf.Tensor, spec: tf.TensorSpec
) -> tf.Tensor:
    """`function`, which gives tensors like `spec`, of 64 rows of `latents` at a time.

    The memory that `function` takes does not grow with the number of rows.
    """
    batches = (tf.shape(latents)[0] + _BATCH_SIZE - 1) // _BATCH_SIZE
    results = tf.TensorArray(spec.dtype, size=batches, infer_shape=False, element_shape=spec.shape)

    def add_batch(i: tf.Tensor, results: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        batch = latents[i * _BATCH_SIZE : (i + 1) * _BATCH_SIZE]
        return i + 1, results.write(i, function(batch))

    _, results = tf.while_loop(
        lambda i, _: i < batches, add_batch, (0, results), parallel_iterations=1
    )
    return tf.ensure_shape(results.concat(), spec.shape)


def to_uint8(images: tf.Tensor) -> tf.Tensor:
    """Images in -1..1 as uint8: -1 is always 0 and 1 always 255, so that pictures compare."""
    images = tf.cast(images, tf.float32)  # half precision has fewer shades
    return tf.cast(tf.clip_by_value(tf.round((images + 1.0) * 127.5), 0.0, 255.0), tf.uint8)
