"""Some images of a set, which are read no earlier than they are looked at."""

import numpy as np

from wgan_gp.data.subset import Subset
from wgan_gp.metrics import distances
from wgan_gp.metrics.memorization import nearest_images


class Recording(np.ndarray):
    """Images that note how many of them each look takes."""

    taken: list[int]

    def __getitem__(self, key):
        found = np.asarray(self)[key]
        self.taken.append(len(found))
        return found


def recording(images: np.ndarray) -> Recording:
    recorded = images.view(Recording)
    recorded.taken = []
    return recorded


def test_it_is_what_the_array_of_these_images_would_be(tiny_images):
    numbers = np.array([7, 3, 40, 11])
    subset, array = Subset(tiny_images, numbers), tiny_images[numbers]
    assert (subset.shape, subset.dtype, subset.ndim) == (array.shape, array.dtype, array.ndim)
    assert len(subset) == 4
    for key in (2, slice(1, 3), np.array([3, 0])):
        np.testing.assert_array_equal(subset[key], array[key])


def test_a_search_reads_a_block_at_a_time(tiny_images, monkeypatch):
    monkeypatch.setattr(distances, "_ROWS", 5)
    images, numbers = recording(tiny_images), np.arange(3, 50)
    found = nearest_images(tiny_images[:4], Subset(images, numbers))
    expected = nearest_images(tiny_images[:4], tiny_images[3:])
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_array_equal(x, y)
    assert images.taken
    assert max(images.taken) == 5
