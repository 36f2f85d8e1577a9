"""Checkerboard: the grid that transposed convolutions of stride 2 leave in an image.

Odena et al., Deconvolution and Checkerboard Artifacts (2016, doi:10.23915/distill.00003). Its
period is two pixels, so its power lies at the Nyquist frequency along rows, columns or both.
"""

from typing import NamedTuple

import numpy as np

from wgan_gp.metrics.inputs import check_images

_CHUNK = 2**20  # pixels at a time: 256 images of 64x64


class Checkerboard(NamedTuple):
    """The shares of power, each in 0..1, and generated / real."""

    generated: float
    real: float
    ratio: float


def checkerboard(real_images: np.ndarray, generated_images: np.ndarray) -> Checkerboard:
    """`grid_power_share` of both sets, and how many times the real one the generated one is.

    Args:
        real_images: uint8 `(count, size, size, channels)`.
        generated_images: uint8 `(another count, size, size, channels)`.

    Returns:
        A ratio of about 1: no more of a grid than photographs have. inf: these have none.
    """
    check_images(real_images, generated_images)
    generated, real = grid_power_share(generated_images), grid_power_share(real_images)
    return Checkerboard(generated, real, generated / real if real else float("inf"))


def grid_power_share(images: np.ndarray) -> float:
    """The share of an image's power, its mean apart, at and near the frequencies of a 2-pixel grid.

    With S(u, v) the power |DFT(w (x - m))|^2 at frequency (u, v), |u|, |v| <= N / 2, summed over
    images and channels,

        share = sum_{(u, v) in B} S(u, v) / sum_{u, v} S(u, v),

    where B holds the frequencies within N / 16 of (N/2, 0), (0, N/2) or (N/2, N/2) in both
    coordinates. w is the product of two Hann windows, which keeps the jump from one border to the
    opposite one, no part of the image, out of the high frequencies; m is the mean under w.

    Args:
        images: uint8 `(count, N, N, channels)`.

    Returns:
        A share in 0..1; images that are all flat have no power, and share 0.
    """
    check_images(images)
    size = images.shape[1]
    chunk = max(1, _CHUNK // size**2)
    powers = [_power(images[i : i + chunk]) for i in range(0, len(images), chunk)]
    power = np.sum(powers, axis=0)
    frequency = np.abs(np.fft.fftfreq(size, 1 / size))
    is_high, is_low = frequency >= size / 2 - size / 16, frequency <= size / 16
    of_grid = np.outer(is_high, is_high | is_low) | np.outer(is_low, is_high)
    total = power.sum()
    return float(power[of_grid].sum() / total) if total else 0.0


def _power(images: np.ndarray) -> np.ndarray:
    """The power at each frequency, summed over images and channels: float64 `(size, size)`."""
    size = images.shape[1]
    hann = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 2
    window = np.outer(hann, hann)[..., None] / hann.sum() ** 2
    x = images - images.mean(axis=(1, 2), keepdims=True)  # exactly 0 where an image is flat
    x = (x - (x * window).sum(axis=(1, 2), keepdims=True)) * window
    spectrum = np.fft.fft2(x, axes=(1, 2))
    return np.square(np.abs(spectrum)).sum(axis=(0, 3))
