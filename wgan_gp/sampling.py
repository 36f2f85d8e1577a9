"""New images from a trained generator."""

import zipfile
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from wgan_gp.config import MAX_SEED
from wgan_gp.errors import InputError
from wgan_gp.random_streams import SAMPLES, draw_latents, stream_seed
from wgan_gp.run_folder import RunFolder

_BATCH_SIZE = 64


def load_generator(run_dir: Path) -> keras.Model:
    """The trained generator of the run in `run_dir`.

    Raises:
        InputError: there is no such run, or its generator is missing or damaged.
    """
    file = RunFolder.find(run_dir).generator
    if not file.is_file():
        raise InputError(f"'{run_dir}' holds no {file.name}: has its training finished?")
    try:
        return keras.saving.load_model(file, compile=False)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"'{file}' is damaged and cannot be loaded: {error}") from error


def generate_images(generator: keras.Model, count: int, seed: int = 0) -> np.ndarray:
    """`count` images from latents drawn with `seed`: uint8 `(count, height, width, 3)`.

    The same generator, count and seed give the same images.

    Raises:
        InputError: `count` is less than 1, or `seed` not in 0..2^63-1.
    """
    if count < 1:
        raise InputError(f"count must be at least 1, not {count}")
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f"seed must be from 0 to {MAX_SEED}, not {seed}")
    latents = draw_latents(count, generator.input_shape[-1], stream_seed(seed, SAMPLES))
    return render(generator, latents)


def render(generator: keras.Model, latents: tf.Tensor) -> np.ndarray:
    """The generator's images for `latents`, `(n, latent_dim)`, as uint8, in bounded memory."""
    batches = tf.data.Dataset.from_tensor_slices(latents).batch(_BATCH_SIZE)
    return np.concatenate([to_uint8(generator(batch, training=False)) for batch in batches])


def to_uint8(images: np.ndarray | tf.Tensor) -> np.ndarray:
    """Images in -1..1 as uint8: -1 is always 0 and 1 always 255, so that pictures compare."""
    return np.clip(np.rint((np.asarray(images) + 1.0) * 127.5), 0, 255).astype(np.uint8)
