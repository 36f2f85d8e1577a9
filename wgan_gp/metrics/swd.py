"""The sliced Wasserstein distance of image patches: needs neither a network nor its weights.

Karras et al., Progressive Growing of GANs (arXiv:1710.10196), section 5, and their code: the
patches of each band of a Laplacian pyramid are compared, so that each number speaks of one scale,
from the finest texture (the largest size) to the layout (16).
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from wgan_gp.metrics.inputs import check_images
from wgan_gp.metrics.laplacian_pyramid import laplacian_band
from wgan_gp.support.errors import InputError

SMALLEST = 16  # the size of the last band
PATCH = 7
PATCHES = 128  # of an image
DIRECTIONS = 4 * 128
_BLOCK = 32  # directions at a time
_CHUNK = 128  # images at a time


def sliced_wasserstein_distance(
    real_images: np.ndarray, generated_images: np.ndarray, seed: int = 0
) -> dict[str, float]:
    """The distance of the patches of two sets of images: per size of band, and their mean.

    Along a unit direction d, the patches a_i of one set and b_i of the other, sorted by their
    projections, lie  W(d) = mean_i |sort(a d)_i - sort(b d)_i|  apart (the Wasserstein-1 distance
    of the projections). The distance is 10^3 times the mean of W over 512 random directions.
    Beforehand each channel of a set's patches is brought to mean 0 and deviation 1 by the set's own
    statistics: overall brightness and contrast are not compared.

    Args:
        real_images: uint8 `(count, size, size, channels)`, size 16 times a power of two.
        generated_images: the same shape; with unequal counts the numbers would not compare.
        seed: of the patches' places and the directions; both sets get the same ones, so that
            identical sets are at distance 0. Places go by an image's number in the set, hence
            another order changes the result by a sampling error.

    Returns:
        {"64": ..., "32": ..., "16": ..., "mean": ...} for images of 64x64. Compare it with the
        distance between two sets of real images of the same count: that is not 0, and smaller
        counts make it larger.

    Raises:
        InputError: the sets differ in shape, or the size is not 16 times a power of two.
    """
    return SlicedWasserstein(real_images, seed, keep=False)(generated_images)


class SlicedWasserstein:
    """`sliced_wasserstein_distance` to one set of real images, for many generated ones.

    Args:
        real_images: as there.
        keep: hold the real patches' sorted projections, 0.26 MB an image and band, which about
            halves the time of a call; else they are computed anew, with 0.15 MB an image.
    """

    def __init__(self, real_images: np.ndarray, seed: int = 0, keep: bool = True) -> None:
        check_images(real_images)
        self.sizes = _band_sizes(real_images.shape[1])
        self._real_images, self._seed = real_images, seed
        self._kept = {
            size: list(_sorted_projections(real_images, size, seed)) if keep else None
            for size in self.sizes
        }

    def __call__(self, generated_images: np.ndarray) -> dict[str, float]:
        """The distance of `generated_images`, of the real images' shape."""
        check_images(generated_images)
        if generated_images.shape != self._real_images.shape:
            raise InputError(
                f"the sliced Wasserstein distance compares sets of one shape, not "
                f"{generated_images.shape} with {self._real_images.shape}"
            )
        distances = {str(size): self._distance(generated_images, size) for size in self.sizes}
        return {**distances, "mean": float(np.mean([*distances.values()]))}

    def _distance(self, generated_images: np.ndarray, size: int) -> float:
        real = self._kept[size] or _sorted_projections(self._real_images, size, self._seed)
        generated = _sorted_projections(generated_images, size, self._seed)
        distances = []
        for a, b in zip(real, generated, strict=True):
            np.subtract(a, b, out=b)  # in place: new memory would take as long as the sorting
            distances.append(np.abs(b, out=b).mean(dtype=np.float64))
        return 1e3 * float(np.mean(distances))


def _band_sizes(size: int) -> list[int]:
    """64 -> 64, 32, 16."""
    sizes = [size]
    while sizes[-1] > SMALLEST and sizes[-1] % 2 == 0:
        sizes.append(sizes[-1] // 2)
    if sizes[-1] != SMALLEST:
        raise InputError(
            f"the sliced Wasserstein distance takes images of 16, 32, 64, ... pixels, not {size}"
        )
    return sizes


def _sorted_projections(images: np.ndarray, size: int, seed: int) -> Iterator[np.ndarray]:
    """The patches of one band on every direction, each sorted: blocks `(_BLOCK, patches)`."""
    rng = np.random.default_rng([seed, size])
    directions = rng.standard_normal((DIRECTIONS, PATCH * PATCH * images.shape[3]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    patches = _standardized_patches(images, size, rng)
    with ThreadPoolExecutor() as pool:
        for block in np.split(directions.astype(np.float32), DIRECTIONS // _BLOCK):
            projections = block @ patches.T
            list(pool.map(np.ndarray.sort, projections))  # in place, the rows side by side
            yield projections


def _standardized_patches(images: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Random patches of one band, each channel with mean 0 and deviation 1 over the whole set.

    Returns:
        float32 `(count * PATCHES, PATCH * PATCH * channels)`.
    """
    count, channels = len(images), images.shape[3]
    places = rng.integers(0, size - PATCH + 1, (2, count, PATCHES))
    patches = np.empty((count, PATCHES, PATCH * PATCH, channels), np.float32)
    sums = np.zeros((2, channels))
    for start in range(0, count, _CHUNK):
        chunk = slice(start, start + _CHUNK)
        band = laplacian_band(images[chunk], size, SMALLEST)
        patches[chunk] = _cut(band, *places[:, chunk]).reshape(-1, PATCHES, PATCH**2, channels)
        values = patches[chunk].reshape(-1, channels)
        sums += [values.sum(0, np.float64), np.square(values).sum(0, np.float64)]
    mean, square = sums / (count * PATCHES * PATCH**2)
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    for part in np.array_split(patches, max(1, count // _CHUNK)):
        part -= mean.astype(np.float32)
        part /= np.where(deviation > 0, deviation, 1).astype(np.float32)  # a constant stays 0
    return patches.reshape(count * PATCHES, -1)


def _cut(band: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The patches whose upper left corners are at `rows` and `columns`, both `(count, PATCHES)`."""
    count, size, _, channels = band.shape
    values = band.reshape(count, size, -1)  # so that a row of a patch is one run in memory
    window = (PATCH, PATCH * channels)
    patches = np.lib.stride_tricks.sliding_window_view(values, window, axis=(1, 2))
    return patches[np.arange(count)[:, None], rows, channels * columns]
