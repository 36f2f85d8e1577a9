"""Images moved by whole pixels."""

import tensorflow as tf


def shift(images: tf.Tensor, by: tf.Tensor, most: int) -> tf.Tensor:
    """Images `(n, height, width, channels)`, moved up and to the left.

    What comes in on the other side is a mirror image.

    Args:
        by: two whole numbers from -most to most: by how many rows and columns.
        most: less than height and width.
    """
    margin = [most, most]
    padded = tf.pad(images, [[0, 0], margin, margin, [0, 0]], "REFLECT")
    begin = tf.pad(most + by, [[1, 1]])
    return tf.ensure_shape(tf.slice(padded, begin, tf.shape(images)), images.shape)
