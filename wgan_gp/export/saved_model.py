"""The generator as a TensorFlow SavedModel, for services and for other languages.

It holds three signatures, with any number n of images from 1 on:

serving_default   latents float32 (n, latent_dim)  -> images float32 (n, height, width, c), -1..1
generate          count int32 (), seed int64 ()    -> images uint8 (count, height, width, c)
render_png        latents float32 (n, latent_dim)  -> png_bytes string (n,), a file each

count is from 1 to MAX_COUNT, seed from 0 to 2^63-1; c is 3, or 1 for grey images.

generator = tf.saved_model.load("flowers")  # TensorFlow is all that this needs
generator.signatures["generate"](count=tf.constant(25), seed=tf.constant(0, tf.int64))["images"]
"""

import re
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from wgan_gp.sampling import draw_samples, in_batches, to_uint8
from wgan_gp.support.errors import InputError
from wgan_gp.support.files import plain_path
from wgan_gp.support.portable import portable
from wgan_gp.support.shapes import latent_dim

MAX_COUNT = 4096  # images that one request for `generate` may ask for


def export_saved_model(generator: keras.Model, path: str | Path) -> None:
    """Write `generator`, latents `(n, latent_dim)` -> images in -1..1, as the folder `path`.

    A model that is there is overwritten file by file: when that is cut short, neither loads. (The
    command line replaces it as a whole.)

    Args:
        path: on this machine, or what TensorFlow can write to, such as gs://BUCKET/flowers.

    Raises:
        InputError: it takes no latents, as a whole `WGANGP` does not, or TensorFlow cannot load
            what lies at such a path.
        OSError: the folder cannot be written.
    """
    path = whole_path(path)
    latents = tf.TensorSpec((None, latent_dim(generator)), tf.float32, "latents")
    generator = portable(generator)

    def serving_default(latents: tf.Tensor) -> dict[str, tf.Tensor]:
        # A subclassed generator may compute in half precision.
        return {"images": tf.cast(generator(latents, training=False), tf.float32)}

    def generate(count: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        checks = [
            tf.debugging.assert_positive(count, "count must be at least 1"),
            tf.debugging.assert_less_equal(count, MAX_COUNT, f"count must be at most {MAX_COUNT}"),
            tf.debugging.assert_non_negative(seed, "seed must be 0 or more"),
        ]
        with tf.control_dependencies(checks):
            return {"images": draw_samples(generator, tf.identity(count), seed)}

    def render_png(latents: tf.Tensor) -> dict[str, tf.Tensor]:
        def render(batch: tf.Tensor) -> tf.Tensor:
            return tf.io.encode_png(to_uint8(generator(batch, training=False)))

        return {"png_bytes": in_batches(render, latents, tf.TensorSpec((None,), tf.string))}

    count, seed = tf.TensorSpec((), tf.int32, "count"), tf.TensorSpec((), tf.int64, "seed")
    archive = keras.export.ExportArchive()
    archive.add_endpoint("serving_default", serving_default, [latents])
    archive.add_endpoint("generate", generate, [count, seed])
    archive.add_endpoint("render_png", render_png, [latents])
    try:
        archive.write_out(path, verbose=False)
    except tf.errors.OpError as error:  # as which TensorFlow reports what the system refuses
        raise OSError(re.sub(r"\{\{.*?\}\} ?| ?\[Op:.*?\]", "", error.message)) from error


def whole_path(path: str | Path) -> str:
    """The whole name of `path`, by which a service may load it from elsewhere.

    Raises an InputError for the folder one is in, or what TensorFlow reads as a pattern.
    """
    if Path(path) == Path():
        raise InputError("a SavedModel is a folder of its own: name one that is not there yet")
    is_elsewhere = "://" in str(path)
    whole = str(path) if is_elsewhere else plain_path(Path(path)).absolute().as_posix()
    if re.search(r"[][\\]", whole):
        raise InputError(f"TensorFlow loads nothing from '{whole}': a path may not have [ ] or \\")
    return whole


def load_saved_model(path: str | Path) -> Callable[[np.ndarray], np.ndarray]:
    """The function latents -> images in the SavedModel at `path`."""
    model = tf.saved_model.load(str(path))

    def run(latents: np.ndarray) -> np.ndarray:
        # `model` is named in here because its signatures do not keep it alive.
        return model.signatures["serving_default"](latents=tf.constant(latents))["images"].numpy()

    return run
