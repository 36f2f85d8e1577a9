"""The objective of WGAN-GP (Gulrajani et al., arXiv:1704.00028, equation 3 and Algorithm 1).

Pure functions. D is the critic, x are real images, x~ = G(z) generated ones.
"""

from collections.abc import Callable

import tensorflow as tf

Critic = Callable[[tf.Tensor], tf.Tensor]

# Inside the root of the norm: d sqrt(s)/ds is infinite at s = 0, where a flat critic is.
_NORM_STABILIZER = 1e-10


def unregularized_critic_loss(real_scores: tf.Tensor, generated_scores: tf.Tensor) -> tf.Tensor:
    """mean D(x~) - mean D(x): minus the gap by which real images score higher."""
    return tf.reduce_mean(generated_scores) - tf.reduce_mean(real_scores)


def generator_loss(generated_scores: tf.Tensor) -> tf.Tensor:
    """-mean D(G(z))."""
    return -tf.reduce_mean(generated_scores)


def gradient_norms(
    critic: Critic, real_images: tf.Tensor, generated_images: tf.Tensor, epsilon: tf.Tensor
) -> tf.Tensor:
    """||grad D(x^)||_2 of every image, `(batch,)`, at x^ = epsilon x + (1 - epsilon) x~.

    Args:
        critic: images -> one score an image, in any shape.
        real_images: `(batch, height, width, channels)`.
        generated_images: the same shape.
        epsilon: `(batch, 1, 1, 1)`, uniform in 0..1: one number **per image**.

    The norm is over height, width and channels: sqrt(sum of squares + 1e-10).
    """
    mixed_images = tf.convert_to_tensor(epsilon * real_images + (1.0 - epsilon) * generated_images)
    with tf.GradientTape() as tape:
        tape.watch(mixed_images)
        scores = critic(mixed_images)
    # An image's score depends on that image alone, so the gradient of the sum of the scores
    # holds the gradient of each score. A critic that ignores its input has gradient zero.
    gradients = tape.gradient(
        scores, mixed_images, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    return tf.sqrt(tf.reduce_sum(tf.square(gradients), axis=[1, 2, 3]) + _NORM_STABILIZER)


def unit_norm_penalty(norms: tf.Tensor) -> tf.Tensor:
    """mean (||grad D(x^)||_2 - 1)^2: two-sided, so that slopes are drawn to 1 from both sides."""
    return tf.reduce_mean(tf.square(norms - 1.0))


def gradient_penalty(
    critic: Critic, real_images: tf.Tensor, generated_images: tf.Tensor, epsilon: tf.Tensor
) -> tf.Tensor:
    """mean (||grad D(x^)||_2 - 1)^2, a scalar, not yet weighted by lambda.

    The arguments are those of `gradient_norms`.
    """
    return unit_norm_penalty(gradient_norms(critic, real_images, generated_images, epsilon))
