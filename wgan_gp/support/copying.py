"""Networks and layers once more, with variables of their own."""

from typing import Any

import keras
import tensorflow as tf

from wgan_gp.support.errors import InputError, without_example
from wgan_gp.support.layers import is_functional
from wgan_gp.support.shapes import input_shape


def copied(network: keras.Model) -> keras.Model:
    """The same network with variables of its own."""
    copy = reinitialized(network)
    copy(tf.zeros((1, *input_shape(network)[1:])))  # which a subclassed one may wait for
    copy.set_weights(network.get_weights())
    return copy


def reinitialized(network: keras.Model) -> keras.Model:
    """The same network with new first weights."""
    if not is_functional(network):
        return _as_it_says_itself(network)
    return keras.models.clone_model(network, clone_function=rebuilt, recursive=True)


def _as_it_says_itself(network: keras.Model) -> keras.Model:
    try:
        return keras.models.clone_model(network)
    except (NotImplementedError, TypeError) as error:
        raise InputError(
            f"there cannot be a second {type(network).__name__}: {without_example(error)}"
        ) from error


def rebuilt(layer: keras.Layer, /, **settings: Any) -> keras.Layer:
    """A new layer with the settings of `layer`, but for those given."""
    if not isinstance(layer, keras.layers.Lambda):
        return type(layer).from_config({**layer.get_config(), **settings})
    # With its functions themselves: what Keras writes of one has lost the names that it uses.
    functions = {"function": layer.function, "mask": layer.mask}
    functions["output_shape"] = layer._output_shape
    return type(layer)(**{**layer.get_config(), **functions, **settings})
