"""Two optimizers where Keras expects one, each fit for its network and for half precision."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wgan_gp.support import replicas
from wgan_gp.support.errors import InputError
from wgan_gp.support.layers import layers_within

Rates = list[tuple[keras.Variable, np.float32]]  # learning rates and their values

_TWO_RATES = "set the learning_rate of model.critic_optimizer and of model.generator_optimizer"


class BothOptimizers:
    """Both optimizers, as Keras's learning-rate callbacks expect those of a `MultiOptimizer`."""

    built = True

    def __init__(self, model: keras.Model) -> None:
        self._model = model

    @property
    def optimizers(self) -> tuple[keras.optimizers.Optimizer, keras.optimizers.Optimizer]:
        return self._model.critic_optimizer, self._model.generator_optimizer

    @property
    def are_rates_settable(self) -> bool:
        """Whether callbacks can move both learning rates: one that follows a schedule cannot be."""
        return all(
            any(variable.name == "learning_rate" for variable in unscaled(optimizer).variables)
            for optimizer in self.optimizers
        )

    @property
    def variables(self) -> list[keras.Variable]:
        return [variable for optimizer in self.optimizers for variable in optimizer.variables]

    @property
    def iterations(self) -> keras.Variable:
        """The updates of the last optimizer, the generator's: one a training step."""
        return self.optimizers[-1].iterations

    def get_config(self) -> dict[str, Any]:
        """What `keras.saving.save_model` asks for where it writes HDF5."""
        raise InputError("a WGANGP has two optimizers: save it as a .keras file, not as HDF5")

    @property
    def learning_rate(self) -> None:
        """There are two. Keras looks whether there is one, and so must not find it."""
        raise AttributeError(_TWO_RATES)

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        raise InputError(_TWO_RATES)


def settable_rates(model: keras.Model) -> Rates:
    """The optimizers' learning rates, except those that follow a schedule."""
    variables = model.optimizer.variables
    return [(rate, rate.numpy()) for rate in variables if rate.name == "learning_rate"]


def set_rates(rates: Rates) -> None:
    for rate, value in rates:
        rate.assign(value)


def unscaled(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer, or the one within it where it scales losses, whose own settings do nothing."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def scaling(
    optimizer: keras.optimizers.Optimizer, *networks: keras.Model
) -> keras.optimizers.Optimizer:
    """The optimizer, with its loss scaled where float16 would lose small gradients.

    Args:
        networks: those that the gradients come through.
    """
    layers = [layer for network in networks for layer in (network, *layers_within(network))]
    is_half = any(layer.compute_dtype == "float16" for layer in layers)
    if is_half and not isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        # Keras begins with 2^15, which overflows in a critic's first updates; it rises by itself.
        # Logs name the rate by the optimizer, which this one stands for.
        scaled = {"initial_scale": 2.0**8, "name": optimizer.name}
        return keras.optimizers.LossScaleOptimizer(optimizer, **scaled)
    return optimizer


def build(optimizer: keras.optimizers.Optimizer, weights: list[keras.Variable]) -> None:
    """Make the variables of `optimizer`, all of which are saved.

    Keras's `LossScaleOptimizer` turns tracking off while it builds the one within it. What that
    keeps as a mere attribute, such as Nadam's product of momenta, would not be saved.
    """
    optimizer.build(weights)
    inner = unscaled(optimizer)
    known = set(map(id, inner.variables))
    for name, value in list(vars(inner).items()):
        if isinstance(value, keras.Variable) and id(value) not in known:
            delattr(inner, name)  # Keras takes no note of what is there already
            setattr(inner, name, value)


def check_trains(optimizer: keras.optimizers.Optimizer, network: keras.Model) -> None:
    """Raise an InputError if it is several, averages weights, or has moments of others than these.

    Where those of layers that were frozen since are among them, Keras saves all and loads none.
    """
    optimizer = unscaled(optimizer)
    if hasattr(optimizer, "optimizers"):
        raise InputError(
            f"'{network.name}' is trained by one optimizer, such as Adam, not by several in a "
            f"{type(optimizer).__name__}"
        )
    if optimizer.use_ema:
        raise InputError("use_ema averages a network in place: give WGANGP an ema_half_life")
    known = getattr(optimizer, "_trainable_variables", None)  # where it is built by Keras's way
    if known and list(map(id, known)) != list(map(id, network.trainable_variables)):
        raise InputError(
            f"the optimizer '{optimizer.name}' belongs to other weights than those that the "
            f"network '{network.name}' has to train now: give compile a new one, such as "
            f"optimizer.from_config(optimizer.get_config())"
        )


def apply_gradients(
    optimizer: keras.optimizers.Optimizer,
    gradients: list[tf.Tensor],
    network: keras.Model,
    loss: tf.Tensor,
) -> None:
    """Update the weights of `network`, or none of them where a scaled gradient has overflowed.

    Args:
        loss: what the gradients are of.
    """
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        gradients = replicas.overflowing_together(gradients)
    # Where nothing else binds the two, TensorFlow's graph optimizer lets the update of a weight
    # overtake its use in the gradient of another. The loss has used them all.
    with tf.control_dependencies([loss]):
        optimizer.apply(_clipped_together(optimizer, gradients), network.trainable_variables)


def _clipped_together(
    optimizer: keras.optimizers.Optimizer, gradients: list[tf.Tensor]
) -> list[tf.Tensor]:
    """This replica's gradients, so that their sum is clipped: Keras would clip each one's part."""
    clipping = unscaled(optimizer)
    limits = (clipping.clipnorm, clipping.global_clipnorm, clipping.clipvalue)
    if replicas.count() == 1 or all(limit is None for limit in limits):
        return gradients
    scale = getattr(optimizer, "dynamic_scale", optimizer.loss_scale_factor or 1.0)
    known = [gradient for gradient in gradients if gradient is not None]
    sums = [gradient / scale for gradient in replicas.summed(known)]
    parts = iter(clipping._clip_gradients(sums))
    share = scale / replicas.count()
    return [None if gradient is None else share * next(parts) for gradient in gradients]
