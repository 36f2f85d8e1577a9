"""Drawn flowers in the memory, where the package keeps those that it draws in its cache."""

import numpy as np

from wgan_gp.data.synthetic import draw_picture


def draw_flowers(count: int, image_size: int, seed: int = 0) -> np.ndarray:
    """`count` pictures of flowers: uint8 `(count, image_size, image_size, 3)`."""
    return np.stack([draw_picture(image_size, seed, number) for number in range(count)])
