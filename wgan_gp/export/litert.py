"""The generator as a LiteRT (formerly TensorFlow Lite) file, for phones and small devices.

run = Interpreter("flowers.tflite").get_signature_runner("serving_default")
images = run(latents=latents)["images"]
"""

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wgan_gp.export.saved_model import export_saved_model
from wgan_gp.support.copying import rebuilt
from wgan_gp.support.errors import InputError
from wgan_gp.support.extras import require
from wgan_gp.support.files import plain_path
from wgan_gp.support.layers import is_functional, layers_within
from wgan_gp.support.quiet_tensorflow import silent_stderr
from wgan_gp.support.shapes import latent_dim
from wgan_gp.support.whole_files import write_whole


def export_litert(generator: keras.Model, path: str | Path, float16: bool = False) -> None:
    """Write `generator`, latents `(n, latent_dim)` -> images in -1..1, as a LiteRT file.

    Args:
        float16: keep the weights in half the space, to three digits.

    Raises:
        InputError: the extra `litert` is not installed, the generator has parts that LiteRT
            cannot compute, such as repeated pixels within a subclassed network, or there is no
            room for temporary files.
        OSError: the file cannot be written.
    """
    require("litert", "ai_edge_litert")
    latent_dim(generator)  # which raises if it is no generator
    path = plain_path(Path(path))
    with tempfile.TemporaryDirectory() as folder:
        _export_temporarily(_with_static_sizes(generator), folder)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=["serving_default"]
        )
        if float16:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        try:
            converted = converter.convert()
        except (MemoryError, OSError):
            raise
        except Exception as error:  # at whatever the converter has no kernel for
            missing = re.search(r"TF Select ops: (.+)", str(error))
            why = f" (its {missing[1]})" if missing else ""
            raise InputError(
                f"LiteRT has no way to compute this generator{why}: build it as a Sequential or "
                f"functional model of Keras's own layers, or choose another format"
            ) from error
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, converted)


def _export_temporarily(generator: keras.Model, folder: str) -> None:
    try:
        export_saved_model(generator, folder)
    except OSError as error:
        raise InputError(
            f"the temporary files of this export cannot be written in '{tempfile.gettempdir()}' "
            f"({error.strerror or error}): free some space, or let TMPDIR name another folder"
        ) from error


def _with_static_sizes(generator: keras.Model) -> keras.Model:
    """The same function, with resizing in place of repeated pixels.

    Repetition hides the size of what it makes from the converter, which then finds no convolution.
    """
    within = layers_within(generator)
    if not (any(map(_repeats_pixels, within)) and is_functional(generator)):
        return generator
    # A graph of its layers, which may be called more than once each; a `Sequential` hides its own.
    graph = keras.Model(generator.inputs, generator.outputs[0])
    same = keras.models.clone_model(graph, clone_function=_rebuilt, call_function=_called)
    same.set_weights(graph.get_weights())
    return same


def _repeats_pixels(layer: keras.Layer) -> bool:
    return type(layer) is keras.layers.UpSampling2D  # a class made of it may do anything else


def _rebuilt(layer: keras.Layer) -> keras.Layer:
    return _with_static_sizes(layer) if isinstance(layer, keras.Model) else rebuilt(layer)


def _called(layer: keras.Layer, *inputs: Any, **options: Any) -> Any:
    """Call `layer` on its inputs, resizing where it would repeat pixels."""
    if not _repeats_pixels(layer):
        return layer(*inputs, **options)
    height, width = layer.compute_output_shape(inputs[0].shape)[1:3]
    data_format = layer.data_format  # not Keras's default, which may be another by now
    return keras.layers.Resizing(height, width, layer.interpolation, data_format=data_format)(
        *inputs
    )


def load_litert(path: str | Path) -> Callable[[np.ndarray], np.ndarray]:
    """The function latents -> images in the LiteRT file at `path`."""
    from ai_edge_litert.interpreter import Interpreter

    with silent_stderr():  # at its first run it notes which kernels it uses
        interpreter = Interpreter(str(path), num_threads=os.cpu_count())
        run = interpreter.get_signature_runner("serving_default")
        run(latents=np.zeros(interpreter.get_input_details()[0]["shape"], np.float32))
    return lambda latents: run(latents=latents)["images"]
