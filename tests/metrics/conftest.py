"""Drawn flowers to measure, and what spoils them."""

import numpy as np
import pytest
import scipy.ndimage
from helpers.drawn import draw_flowers


@pytest.fixture(scope="session")
def flowers() -> np.ndarray:
    """200 drawn flowers, 32x32."""
    return draw_flowers(200, 32)


@pytest.fixture(scope="session")
def other_flowers() -> np.ndarray:
    """200 more, of the same kind."""
    return draw_flowers(200, 32, seed=1)


@pytest.fixture
def noisy():
    """The function (images, strength) -> images with noise of that deviation."""

    def add(images: np.ndarray, strength: float) -> np.ndarray:
        noise = np.random.default_rng(0).normal(0, strength, images.shape)
        return np.clip(images + noise, 0, 255).round().astype(np.uint8)

    return add


@pytest.fixture
def blurred():
    """The function (images, strength) -> images under a Gaussian blur of that many pixels."""

    def blur(images: np.ndarray, strength: float) -> np.ndarray:
        return scipy.ndimage.gaussian_filter(images, (0, strength, strength, 0))

    return blur
