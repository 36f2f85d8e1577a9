"""Images taken apart into bands of frequencies, each half the size of the one before.

Burt and Adelson, The Laplacian Pyramid as a Compact Image Code (1983), with the 5x5 binomial kernel
(1 4 6 4 1)/16 along rows and columns, mirrored at the border as OpenCV's `pyrDown` and `pyrUp`.
"""

import numpy as np


def laplacian_band(images: np.ndarray, size: int, smallest: int) -> np.ndarray:
    """One band of a pyramid that goes down to `smallest`.

    G_0 = images, G_(k+1) = down(G_k);  band k = G_k - up(G_(k+1)), the smallest band = G_k itself.

    Args:
        images: `(count, n, n, channels)`, n being `smallest` times a power of two.
        size: the width of the band wanted, n, n / 2, ... or `smallest`.

    Returns:
        float32 `(count, size, size, channels)`.
    """
    band = images.astype(np.float32)
    while band.shape[1] > size:
        band = down(band)
    return band if size == smallest else band - up(down(band))


def down(images: np.ndarray) -> np.ndarray:
    """Blurred, then every second row and column: half the size."""
    return _down_along(_down_along(images, 1), 2)


def up(images: np.ndarray) -> np.ndarray:
    """Zeros between all rows and columns, then blurred and four times as bright: twice the size."""
    return _up_along(_up_along(images, 1), 2)


def _down_along(images: np.ndarray, axis: int) -> np.ndarray:
    x = np.moveaxis(images, axis, 0)
    x = np.concatenate([x[2:0:-1], x, x[-2:-3:-1]])  # ... x2 x1 | x0 x1 ... xn | x(n-1)
    blurred = (x[:-4:2] + x[4::2] + 4 * (x[1:-3:2] + x[3:-1:2]) + 6 * x[2:-2:2]) / 16
    return np.moveaxis(blurred, 0, axis)


def _up_along(images: np.ndarray, axis: int) -> np.ndarray:
    x = np.moveaxis(images, axis, 0)
    x = np.concatenate([x[1:2], x, x[-1:]])  # the mirror of x0 0 x1 0 ... xn 0
    doubled = np.empty((2 * images.shape[axis], *x.shape[1:]), x.dtype)
    doubled[0::2] = (x[:-2] + 6 * x[1:-1] + x[2:]) / 8
    doubled[1::2] = (x[1:-1] + x[2:]) / 2
    return np.moveaxis(doubled, 0, axis)
