"""The averaged generator: a moving average of the generator's weights, which draws better.

theta' <- beta theta' + (1 - beta) theta, with beta = 0.5^(batch / h): of images generated h ago a
weight counts half. (Such averages are common in GANs; h follows StyleGAN2-ADA, Karras et al.,
arXiv:2006.06676.)
"""

import keras
import tensorflow as tf

from wgan_gp.support.copying import copied
from wgan_gp.support.layers import batch_norms, check_fine_enough, own_state

_RAMP = 0.05


def average_of(generator: keras.Model) -> keras.Model:
    """A copy to keep the average in, under a name of its own wherever Keras shows variables.

    Raises:
        InputError: a weight is too coarse to be averaged.
    """
    check_fine_enough(generator)
    with keras.name_scope("average"):
        average = copied(generator)
    average.name = "ema_generator"
    return average


def ema_decay(batch_size: tf.Tensor, iteration: tf.Tensor, half_life: float) -> tf.Tensor:
    """beta = 0.5^(batch / h), h = min(half-life, 0.05 images so far).

    Args:
        batch_size: images of one generator update, on all devices.
        iteration: generator iterations done before this one.
        half_life: in generated images, more than 0.
    """
    batch_size = tf.cast(batch_size, tf.float32)
    images_so_far = batch_size * tf.cast(iteration + 1, tf.float32)
    return 0.5 ** (batch_size / tf.minimum(float(half_life), _RAMP * images_so_far))


def update_average(
    average: keras.Model, generator: keras.Model, latents: tf.Tensor, decay: tf.Tensor
) -> None:
    """theta' <- beta theta' + (1 - beta) theta for weights that are trained; beta is `decay`.

    Args:
        average: what `average_of` has made of the generator.
        generator: as its update has left it.
        latents: those of that update, `(n, latent_dim)`.
    """
    own = {id(variable) for variable in own_state(average)}
    for averaged, current in zip(average.variables, generator.variables, strict=True):
        if averaged.trainable or current.trainable:  # a layer may have been frozen meanwhile
            share = tf.cast(decay, averaged.dtype)
            averaged.assign(share * averaged + (1.0 - share) * current)
        elif id(averaged) not in own:  # frozen, and perhaps set since the copy was made
            averaged.assign(current)
    # The statistics of batch norm are no averages of the generator's: averaged weights spread
    # their outputs less. So the averaged generator takes its own from the same latents.
    if average.non_trainable_variables:
        _match_frozen_norms(average, generator)
        average(latents, training=True)


def _match_frozen_norms(average: keras.Model, generator: keras.Model) -> None:
    """Let batch norms that are frozen in the generator be the same in its average."""
    for averaged, current in zip(batch_norms(average), batch_norms(generator), strict=True):
        averaged.trainable = current.trainable
        if not current.trainable:
            for variable, value in zip(averaged.variables, current.variables, strict=True):
                variable.assign(value)
