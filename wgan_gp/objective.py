"""The terms of WGAN-GP's objective (Gulrajani et al., arXiv:1704.00028, equation 3).

Pure functions, which `WGANGP._critic_losses` adds up:

L = mean D(x~) - mean D(x) + lambda mean (||grad D(x^)||_2 - 1)^2.

D is the critic, x are real images, x~ = G(z) generated ones. A critic may also
score several views of an image, each for itself: then a loss is the mean over these.
"""

from collections.abc import Callable
from typing import TypeAlias

import tensorflow as tf

Images: TypeAlias = tf.Tensor | list[tf.Tensor]
Critic = Callable[[Images], tf.Tensor]

# Inside the root of the norm: d sqrt(s)/ds is infinite at s = 0, where a flat critic is.
_NORM_STABILIZER = 1e-10


def unregularized_critic_loss(real_scores: tf.Tensor, generated_scores: tf.Tensor) -> tf.Tensor:
    """mean D(x~) - mean D(x): minus the gap by which real images score higher."""
    return tf.reduce_mean(generated_scores) - tf.reduce_mean(real_scores)


def generator_loss(generated_scores: tf.Tensor) -> tf.Tensor:
    """-mean D(G(z))."""
    return -tf.reduce_mean(generated_scores)


def gradient_norms(
    critic: Critic, real_images: Images, generated_images: Images, epsilon: tf.Tensor
) -> tf.Tensor:
    """||grad D(x^)||_2 of every image, `(batch,)`, at x^ = epsilon x + (1 - epsilon) x~.

    Args:
        critic: images -> one score an image, in any shape; or a list of views -> one score each,
            `(batch, views)`.
        real_images: `(batch, height, width, channels)`, or a list of such, views of the images.
        generated_images: the same shapes.
        epsilon: `(batch, 1, 1, 1)`, uniform in 0..1: one number **per image**.

    Returns:
        `(batch,)`: sqrt(sum of squares over height, width and channels + 1e-10). Of views
        `(batch, views)`: the norm of each score's gradient in its own view.
    """
    interpolated = tf.nest.map_structure(
        lambda real, generated: tf.convert_to_tensor(epsilon * real + (1.0 - epsilon) * generated),
        real_images,
        generated_images,
    )
    with tf.GradientTape() as tape:
        tape.watch(interpolated)
        scores = critic(interpolated)
    # A score depends on its own image and view alone, so the gradient of the sum of the scores
    # holds the gradient of each score. A critic that ignores its input has gradient zero.
    gradients = tape.gradient(
        scores, interpolated, unconnected_gradients=tf.UnconnectedGradients.ZERO
    )
    norms = tf.nest.map_structure(_norm, gradients)
    return tf.stack(norms, axis=1) if tf.nest.is_nested(norms) else norms


def _norm(gradients: tf.Tensor) -> tf.Tensor:
    return tf.sqrt(tf.reduce_sum(tf.square(gradients), axis=[1, 2, 3]) + _NORM_STABILIZER)


def unit_norm_penalty(norms: tf.Tensor) -> tf.Tensor:
    """mean (||grad D(x^)||_2 - 1)^2: two-sided, so that slopes are drawn to 1 from both sides."""
    return tf.reduce_mean(tf.square(norms - 1.0))


def gradient_penalty(
    critic: Critic, real_images: Images, generated_images: Images, epsilon: tf.Tensor
) -> tf.Tensor:
    """mean (||grad D(x^)||_2 - 1)^2, a scalar, not yet weighted by lambda.

    The arguments are those of `gradient_norms`.

    Raises:
        tf.errors.InvalidArgumentError: `epsilon` is not `(batch, 1, 1, 1)`; in a `tf.function`,
            where that is known before, a ValueError.
    """
    batch = tf.nest.flatten(real_images)[0].shape[0]
    epsilon = tf.ensure_shape(epsilon, (batch, 1, 1, 1))  # another shape would broadcast
    return unit_norm_penalty(gradient_norms(critic, real_images, generated_images, epsilon))
