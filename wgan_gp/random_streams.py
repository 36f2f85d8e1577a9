"""One seed, many independent streams of random numbers.

Every use of randomness has a stream of its own, and every draw in a stream a position, so that a
draw is a function of (seed, stream, position): nothing has to be replayed to get there again.
"""

import math

import tensorflow as tf

# A stream's number is part of its draws: new ones come at the end, and none ever moves.
SHUFFLE, FLIPS, TRAINING, MONITOR, SAMPLES, WALK, QUALITY, VALIDATION = range(8)


def stream_seed(seed: int | tf.Tensor, stream: int, position: int | tf.Tensor = 0) -> tf.Tensor:
    """The seed of one draw, int64 `(2,)`, for TensorFlow's stateless random operations."""
    root = tf.stack([tf.cast(seed, tf.int64), 0])
    key = tf.random.fold_in(root, tf.cast(stream, tf.int64), alg="philox")
    return tf.random.fold_in(key, tf.cast(position, tf.int64), alg="philox")


def stream_key(seed: int, stream: int) -> int:
    """The first of the two numbers that `stream_seed` gives: the same at every position.

    The second is the position itself (`fold_in` puts it there), so that a graph that draws at many
    positions can do without `stream_seed`.
    """
    with tf.init_scope():  # also within a tf.function, where AutoGraph makes an int32 of `int`
        return stream_seed(seed, stream)[0].numpy().item()


def draw_latents(
    count: int | tf.Tensor, latent_dim: int, seed: tf.Tensor, under_xla: bool = False
) -> tf.Tensor:
    """`count` points of the latent space: float32 `(count, latent_dim)`, standard normal.

    Args:
        seed: int64 `(2,)`, as `stream_seed` makes it.
        under_xla: XLA compiles the graph that this is part of. Its own normal numbers are others,
            so the same ones are made of uniform ones; they agree but for rounding.
    """
    if not under_xla:
        return tf.random.stateless_normal((count, latent_dim), seed, alg="philox")
    drawn = 4 * ((count * latent_dim + 3) // 4)  # Philox gives four at a time
    return tf.reshape(
        _box_muller(draw_uniform(drawn, seed))[: count * latent_dim], (-1, latent_dim)
    )


def draw_uniform(count: int | tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """`count` numbers, float32 in [0, 1): those of `tf.random.stateless_uniform`, also under XLA.

    XLA makes other fractions of the same random bits. So the fractions are made here, as
    TensorFlow makes them: of the lower 23 bits.
    """
    bits = tf.random.stateless_uniform(
        (count,), seed, minval=None, maxval=None, dtype=tf.uint32, alg="philox"
    )
    fractions = tf.bitwise.bitwise_and(bits, tf.constant(2**23 - 1, tf.uint32))
    return tf.cast(tf.cast(fractions, tf.int32), tf.float32) * 2.0**-23


def _box_muller(uniform: tf.Tensor) -> tf.Tensor:
    """Standard-normal numbers, sqrt(-2 ln u) (sin 2 pi v, cos 2 pi v) of each pair u, v."""
    u, v = tf.unstack(tf.reshape(uniform, (-1, 2)), axis=1)
    radius = tf.sqrt(-2.0 * tf.math.log(tf.maximum(u, 1e-7)))
    angle = 2.0 * math.pi * v
    return tf.reshape(tf.stack([radius * tf.sin(angle), radius * tf.cos(angle)], axis=1), (-1,))
