"""The generator as an ONNX file, for runtimes of every kind.

session = onnxruntime.InferenceSession("flowers.onnx")  # neither TensorFlow nor Keras
images = session.run(["images"], {"latents": latents})[0]
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from wgan_gp.support.errors import InputError
from wgan_gp.support.extras import require
from wgan_gp.support.files import plain_path
from wgan_gp.support.onnx_runtime import load_onnxruntime
from wgan_gp.support.portable import portable
from wgan_gp.support.shapes import latent_dim
from wgan_gp.support.whole_files import write_whole

_PROVIDERS = ["CPUExecutionProvider"]
_OPSET = 18  # of ONNX 1.13; every runtime of the last years knows it


def export_onnx(
    generator: keras.Model, path: str | Path, metadata: Mapping[str, str | int] | None = None
) -> None:
    """Write `generator`, latents `(n, latent_dim)` -> images in -1..1, as an ONNX file.

    Args:
        metadata: goes into the file, as its metadata properties.

    Raises:
        InputError: the extra `onnx` is not installed, the generator takes no latents, or ONNX
            Runtime cannot compute what it does.
        OSError: the file cannot be written.
    """
    require("onnx", "onnx", "tf2onnx", "onnxruntime")
    import onnx
    import tf2onnx

    latents = tf.TensorSpec((None, latent_dim(generator)), tf.float32, "latents")
    generator, path = portable(generator), plain_path(Path(path))

    @tf.function(input_signature=[latents])
    def images(latents: tf.Tensor) -> dict[str, tf.Tensor]:
        # A subclassed generator may compute in half precision.
        return {"images": tf.cast(generator(latents, training=False), tf.float32)}

    model, _ = tf2onnx.convert.from_function(images, [latents], opset=_OPSET)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    onnx.helper.set_model_props(model, {name: str(x) for name, x in (metadata or {}).items()})
    content = model.SerializeToString()
    try:
        onnx.checker.check_model(model)
        load_onnxruntime().InferenceSession(content, providers=_PROVIDERS)
    except Exception as error:  # their errors have no class in common
        raise InputError(f"ONNX Runtime cannot compute this generator: {error}") from error
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, content)


def load_onnx(path: str | Path) -> Callable[[np.ndarray], np.ndarray]:
    """The function latents -> images in the ONNX file at `path`."""
    session = load_onnxruntime().InferenceSession(path, providers=_PROVIDERS)
    return lambda latents: session.run(["images"], {"latents": latents})[0]
