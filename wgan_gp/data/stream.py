"""The endless stream of real images that training reads.

Its element number i holds the `n_critic` mini-batches of generator iteration i, and is a function
of (seed, i) alone: there is no shuffle buffer and no state, so the stream can start anywhere and
gives what it would have given there.
"""

import numpy as np
import tensorflow as tf

from wgan_gp.config import Config, check_config
from wgan_gp.data.holdout import is_held_out
from wgan_gp.random_streams import FLIPS, SHUFFLE, stream_key
from wgan_gp.support.errors import InputError
from wgan_gp.support.whole_numbers import check_whole

_AT_ONCE = 4  # elements in the making


def make_dataset(
    images: np.ndarray,
    config: Config,
    start_iteration: int = 0,
    indices: np.ndarray | None = None,
) -> tf.data.Dataset:
    """Endless `(batch_size, n_critic, height, width, channels)` float32 elements in -1..1.

    Each pass over the images takes every one of them at most once, in an order of its own, and
    drops the partial mini-batch at its end. With `config.mirror` every use of an image is flipped
    left to right with probability 1/2. The share `config.holdout` of the images is never read;
    `held_out_images` gives those.

    Args:
        images: `(count, height, width, 3 or 1)` uint8, in memory or memory-mapped.
        start_iteration: the generator iteration, from 0, to start at.
        indices: what `training_indices` gave for them, if it was called before.

    Raises:
        InputError: the images have another shape or type, those to train on are fewer than one
            mini-batch, `indices` are not whole numbers of images, or `start_iteration` is below 0.
    """
    check_whole("start_iteration", start_iteration, least=0)
    images = np.asanyarray(images)
    if indices is None:
        indices = training_indices(images, config)
    else:
        indices = _checked(np.asarray(indices), images, config)
    shuffle_key, flip_key = (stream_key(config.seed, stream) for stream in (SHUFFLE, FLIPS))

    @tf.autograph.experimental.do_not_convert  # it would take half a second to find nothing
    def load(iteration: tf.Tensor) -> tf.Tensor:
        chosen = _image_indices(iteration, len(indices), config, shuffle_key)
        chosen = tf.gather(indices, chosen)
        batch = tf.numpy_function(images.__getitem__, [chosen], tf.uint8, stateful=False)
        batch = tf.ensure_shape(batch, (config.batch_size, config.n_critic, *images.shape[1:]))
        if config.mirror:
            batch = _flip_at_random(batch, seed=tf.stack([flip_key, iteration]))
        return tf.cast(batch, tf.float32) / 127.5 - 1.0

    iterations = tf.data.Dataset.range(start_iteration, np.iinfo(np.int64).max)
    elements = iterations.map(load, num_parallel_calls=_AT_ONCE).prefetch(2)
    return elements.with_options(_untuned())


def _untuned() -> tf.data.Options:
    """Options without tf.data's autotuning, which has a thread of its own.

    Dropping an iterator means waiting for that thread, which may sleep for many seconds: at the end
    of training, or wherever Python happens to collect its garbage.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def _image_indices(iteration: tf.Tensor, count: int, config: Config, key: int) -> tf.Tensor:
    """Which images generator iteration `iteration` reads: int64, `(batch_size, n_critic)`."""
    batches_per_pass = count // config.batch_size
    places = tf.range(config.batch_size, dtype=tf.int64)
    columns = []
    for update in range(config.n_critic):
        batch = iteration * config.n_critic + update  # mini-batches read before this one
        # A pseudorandom permutation of 0..count-1, evaluated only where it is needed.
        columns.append(
            tf.random.experimental.index_shuffle(
                batch % batches_per_pass * config.batch_size + places,
                [key, batch // batches_per_pass],
                count - 1,
            )
        )
    return tf.stack(columns, axis=1)


def _flip_at_random(batch: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """`batch`, `(batch, n_critic, height, width, channels)`, each image mirrored or not."""
    drawn = tf.random.stateless_uniform([*batch.shape[:2], 1, 1, 1], seed, alg="philox")
    return tf.where(drawn < 0.5, tf.reverse(batch, axis=[3]), batch)


def training_indices(images: np.ndarray, config: Config) -> np.ndarray:
    """The indices of the images that `make_dataset` reads: int64, rising.

    Raises:
        InputError: it cannot read `images`.
    """
    _check_readable(images, config)
    indices = np.flatnonzero(~is_held_out(images, config.holdout))
    check_enough(len(indices), config, held_out=len(images) - len(indices))
    return indices


def _check_readable(images: np.ndarray, config: Config) -> None:
    check_config(config)
    expected = (config.image_size, config.image_size)
    is_fitting = images.shape[1:3] == expected and images.shape[3:] in ((1,), (3,))
    if images.dtype != np.uint8 or not is_fitting:
        raise InputError(
            f"images must be uint8 of shape (count, {', '.join(map(str, expected))}, 3 or 1) for "
            f"image_size {config.image_size}, not {images.dtype} of shape {images.shape}"
        )


def _checked(indices: np.ndarray, images: np.ndarray, config: Config) -> np.ndarray:
    """`indices`, if they may be what `training_indices` gave."""
    _check_readable(images, config)
    is_whole = indices.ndim == 1 and np.issubdtype(indices.dtype, np.integer)
    if not is_whole or ((indices < 0) | (indices >= len(images))).any():
        raise InputError(
            f"indices must be whole numbers from 0 to {len(images) - 1}, as training_indices gives "
            f"them for these images"
        )
    check_enough(len(indices), config)
    return indices


def check_enough(count: int, config: Config, held_out: int = 0) -> None:
    """Raise an InputError unless `count` images to train on make a mini-batch."""
    if count >= config.batch_size:
        return
    held = f" ({held_out} more are held out)" if held_out else ""
    raise InputError(
        f"{count} images{held} are fewer than one mini-batch of {config.batch_size}: "
        f"add images, or lower the batch size{' or holdout' if held_out else ''}"
    )
