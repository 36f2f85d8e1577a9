"""One seed, many independent streams of random numbers.

Every use of randomness has a stream of its own, and every draw in a stream a position, so that a
draw is a function of (seed, stream, position): nothing has to be replayed to get there again.
"""

import tensorflow as tf

SHUFFLE, FLIPS, TRAINING, MONITOR, SAMPLES, WALK, QUALITY, VALIDATION = range(8)


def stream_seed(seed: int | tf.Tensor, stream: int, position: int | tf.Tensor = 0) -> tf.Tensor:
    """The seed of one draw, int64 `(2,)`, for TensorFlow's stateless random operations."""
    root = tf.stack([tf.cast(seed, tf.int64), 0])
    key = tf.random.fold_in(root, tf.cast(stream, tf.int64), alg="philox")
    return tf.random.fold_in(key, tf.cast(position, tf.int64), alg="philox")


def draw_latents(count: int | tf.Tensor, latent_dim: int, seed: tf.Tensor) -> tf.Tensor:
    """`count` points of the latent space: float32 `(count, latent_dim)`, standard normal.

    Args:
        seed: int64 `(2,)`, as `stream_seed` makes it.
    """
    return tf.random.stateless_normal((count, latent_dim), seed, alg="philox")
