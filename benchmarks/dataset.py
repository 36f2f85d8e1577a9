"""Images a second: the stateless stream beside the usual shuffle buffer, in turns.

    python benchmarks/dataset.py

The usual pipeline cannot start in the middle, and its buffer holds the whole set in memory.
"""

import os
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf

from wgan_gp import Config, load_images, make_dataset

ELEMENTS = 200
ROUNDS = 3


def usual_dataset(images: np.ndarray, config: Config) -> tf.data.Dataset:
    """The same elements from `shuffle`, `batch` and `tf.image`, in an order of its own."""

    def finish(batches: tf.Tensor) -> tf.Tensor:  # (n_critic, batch, height, width, 3)
        is_flipped = tf.random.uniform([*batches.shape[:2], 1, 1, 1]) < 0.5
        flipped = tf.where(is_flipped, tf.reverse(batches, axis=[3]), batches)
        return tf.cast(tf.transpose(flipped, (1, 0, 2, 3, 4)), tf.float32) / 127.5 - 1.0

    slices = tf.data.Dataset.from_tensor_slices(images).shuffle(len(images))
    batches = slices.batch(config.batch_size, drop_remainder=True).repeat().batch(config.n_critic)
    shape = (config.n_critic, config.batch_size, *images.shape[1:])
    ensured = batches.map(lambda x: tf.ensure_shape(x, shape))
    return ensured.map(finish, num_parallel_calls=tf.data.AUTOTUNE).prefetch(2)


def images_per_second(dataset: tf.data.Dataset, config: Config) -> float:
    elements = iter(dataset)
    next(elements)
    start = time.perf_counter()
    for _ in range(ELEMENTS):
        next(elements)
    return ELEMENTS * config.batch_size * config.n_critic / (time.perf_counter() - start)


def main() -> None:
    config = Config()
    images = load_images("synthetic", config.image_size)
    for _ in range(ROUNDS):
        ours = images_per_second(make_dataset(images, config), config)
        usual = images_per_second(usual_dataset(images, config), config)
        print(f"stateless {ours:,.0f}  usual {usual:,.0f} images/s  ratio {ours / usual:.2f}")


if __name__ == "__main__":
    main()
