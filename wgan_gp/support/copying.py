"""Networks once more, with variables of their own."""

from typing import Any

import keras
import tensorflow as tf

from wgan_gp.support.shapes import input_shape


def begun_anew(network: keras.Model) -> keras.Model:
    """The same network with new first weights."""
    same = rebuilt(network)
    same(tf.zeros((1, *input_shape(network)[1:])))  # which a subclassed one may wait for
    return same


def rebuilt(layer: keras.Layer, /, **settings: Any) -> keras.Layer:
    """A new layer or network of the same settings, but for those given."""
    kept = keras.saving.serialize_keras_object(layer)
    changed = {**kept, "config": {**kept["config"], **settings}}
    # A Lambda layer is safe, and a class need not be registered: they are in memory already, not in
    # a file of a stranger.
    classes = {type(part).__name__: type(part) for part in layer._flatten_layers()}
    return keras.saving.deserialize_keras_object(changed, classes, safe_mode=False)
