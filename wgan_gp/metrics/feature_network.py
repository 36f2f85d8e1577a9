"""Images to features, by whichever network: what KID, FID, precision and recall compare."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from wgan_gp.data.subset import Subset
from wgan_gp.metrics.inputs import check_images
from wgan_gp.support.errors import InputError

_BATCH = 32


@dataclass(frozen=True)
class FeatureNetwork:
    """Images uint8 `(count, size, size, 1 or 3)` -> features float32 `(count, dims)`.

    Images are resized to the network's input (bilinear, with antialiasing where they shrink), grey
    ones become RGB, and 0..255 becomes `value_range`. Features that are maps are averaged over
    height and width.

    Attributes:
        name: of the network; for a file with the beginning of its SHA-256.
        run: float32 `(n, size, size, channels)` in `value_range` -> features `(n, dims)`, or maps
            of them `(n, height, width, dims)`.
        input_size: what images are resized to; None: they stay as they are.
        value_range: what pixel values 0 and 255 become.
        channels: of the images that `run` takes: 3, or 1 for grey ones.
        batch: the only number of images that `run` takes; None: any.
    """

    name: str
    run: Callable[[np.ndarray], np.ndarray]
    input_size: int | None
    value_range: tuple[float, float]
    channels: int = 3
    batch: int | None = None

    def __call__(self, images: np.ndarray | Subset, mirrored: bool = False) -> np.ndarray:
        """Features of the images, or of their mirror images."""
        check_images(images)
        step = self.batch or _BATCH
        parts = (images[start : start + step] for start in range(0, len(images), step))
        return np.concatenate(
            [self._features(part[:, :, ::-1] if mirrored else part) for part in parts]
        )

    def _features(self, images: np.ndarray) -> np.ndarray:
        count = len(images)
        if self.batch:
            images = np.resize(images, (self.batch, *images.shape[1:]))  # repeats them
        features = np.asarray(self.run(self._prepared(images)), np.float32)[:count]
        if features.ndim == 4:
            features = features.mean(axis=(1, 2))
        return features.reshape(count, -1)

    def _prepared(self, images: np.ndarray) -> np.ndarray:
        if images.shape[3] > self.channels:
            raise InputError(f"the features '{self.name}' are those of grey images")
        low, high = self.value_range
        values = np.repeat(images, self.channels // images.shape[3], axis=3).astype(np.float32)
        if self.input_size not in (None, images.shape[1]):
            size = (self.input_size, self.input_size)
            values = tf.image.resize(values, size, antialias=True).numpy()
        return values * np.float32((high - low) / 255) + np.float32(low)
