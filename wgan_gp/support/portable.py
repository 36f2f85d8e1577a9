"""A generator that any device can hold and any format can take."""

from typing import Any

import keras
import tensorflow as tf

from wgan_gp.support.copying import rebuilt
from wgan_gp.support.layer_defaults import default_policy
from wgan_gp.support.layers import is_functional, layers_within
from wgan_gp.support.shapes import input_shape


def portable(generator: keras.Model) -> keras.Model:
    """The same generator where float32 and one device are all there is: to be kept and exported."""

    def is_portable(layer: keras.Layer) -> bool:
        return layer.compute_dtype == "float32" and not getattr(layer, "synchronized", False)

    def plain(layer: keras.Layer) -> keras.Layer:
        if not isinstance(layer, keras.Layer):  # an operation such as `x + y`, of no precision
            return rebuilt(layer)
        config = layer.get_config()
        settings: dict[str, Any] = {}
        if "dtype" in config:  # a layer of one's own may not take any
            settings["dtype"] = "float32"
        if "synchronized" in config:
            settings["synchronized"] = False
        if isinstance(layer, keras.layers.Wrapper):
            settings["layer"] = keras.saving.serialize_keras_object(plain(layer.layer))
        return rebuilt(layer, **settings)

    if not is_functional(generator) or all(map(is_portable, layers_within(generator))):
        return generator
    with default_policy("float32"):  # for layers that a layer of one's own makes
        same = keras.models.clone_model(generator, clone_function=plain, recursive=True)
    same(tf.zeros((1, *input_shape(generator)[1:])))  # which Keras's export to ONNX waits for
    same.set_weights(generator.get_weights())
    return same
