"""The generator as a LiteRT (formerly TensorFlow Lite) file, for phones and small devices.

run = Interpreter("flowers.tflite").get_signature_runner("serving_default")
images = run(latents=latents)["images"]
"""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from wgan_gp.export.saved_model import export_saved_model
from wgan_gp.support.extras import require
from wgan_gp.support.quiet_tensorflow import silent_stderr


def export_litert(generator: keras.Model, path: str | Path, float16: bool = False) -> None:
    """Write `generator`, latents `(n, latent_dim)` -> images in -1..1, as a LiteRT file.

    Args:
        float16: keep the weights in half the space, to three digits.

    Raises:
        InputError: the extra `litert` is not installed.
        OSError: the file cannot be written.
    """
    require("litert", "ai_edge_litert")
    with tempfile.TemporaryDirectory() as folder:
        export_saved_model(_with_static_sizes(generator), folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=["serving_default"]
        )
        if float16:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        Path(path).write_bytes(converter.convert())


def _with_static_sizes(generator: keras.Model) -> keras.Model:
    """The same function, with resizing in place of repeated pixels.

    Repetition hides the size of what it makes from the converter, which then finds no convolution.
    """
    if not any(isinstance(layer, keras.layers.UpSampling2D) for layer in generator.layers):
        return generator

    def replaced(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, keras.layers.UpSampling2D):
            height, width = layer.output.shape[1:3]
            return keras.layers.Resizing(height, width, layer.interpolation)
        return layer.__class__.from_config(layer.get_config())

    same = keras.models.clone_model(generator, clone_function=replaced)
    same.set_weights(generator.get_weights())
    return same


def load_litert(path: str | Path) -> Callable[[np.ndarray], np.ndarray]:
    """The function latents -> images in the LiteRT file at `path`."""
    from ai_edge_litert.interpreter import Interpreter

    with silent_stderr():  # at its first run it notes which kernels it uses
        interpreter = Interpreter(str(path), num_threads=os.cpu_count())
        run = interpreter.get_signature_runner("serving_default")
        run(latents=np.zeros(interpreter.get_input_details()[0]["shape"], np.float32))
    return lambda latents: run(latents=latents)["images"]
