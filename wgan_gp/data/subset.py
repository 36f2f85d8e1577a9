"""Some images of a set that may be larger than memory."""

import numpy as np


class Subset:
    """The images of these numbers, read when they are looked at: along the first axis, an array.

    Args:
        images: `(count, height, width, channels)`, in memory or memory-mapped.
        numbers: int64, which of them.
    """

    def __init__(self, images: np.ndarray, numbers: np.ndarray) -> None:
        self._images = images
        self._numbers = numbers
        self.shape = (len(numbers), *images.shape[1:])
        self.dtype = images.dtype
        self.ndim = images.ndim

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, key: int | slice | np.ndarray) -> np.ndarray:
        return self._images[self._numbers[key]]
