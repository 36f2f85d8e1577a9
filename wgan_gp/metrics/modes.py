"""Modes of the drawn flowers, whose truth is known: does a generator draw them all, as often?

A small classifier, trained here on flowers drawn for it, tells the petals' colour and the number of
flowers in a generated image; their shares are compared with those that the drawing code draws by.
"""

import itertools
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from wgan_gp.data.synthetic import FLOWER_COUNT_SHARES, PETAL_COLOURS, draw_labelled_picture
from wgan_gp.metrics.inputs import check_images
from wgan_gp.support.errors import InputError
from wgan_gp.support.layer_defaults import layer_defaults

TRUE_SHARES = {
    "colour": {colour: 1 / len(PETAL_COLOURS) for colour in PETAL_COLOURS},  # of the front flower
    "flowers": {str(count): share for count, share in FLOWER_COUNT_SHARES.items()},
}
_SIZE = 32
_TRAINING, _TEST = 4000, 1000  # pictures
_TRAINING_SEED, _TEST_SEED = 20_000, 20_001  # of drawings that no one trains a generator on
_EPOCHS = 8


class Modes(NamedTuple):
    """One property of a set of images: "colour" or "flowers"."""

    shares: dict[str, float]  # of each mode; their sum is 1
    true_shares: dict[str, float]
    total_variation: float  # 1/2 sum |share - true share|, in 0..1
    accuracy: float  # of the classifier, on drawn flowers that it was not trained on


class FlowerModes:
    """Images -> the shares of their modes; made once (in 10 to 25 s), used for many sets.

    The total variation is 0 where all modes have their true shares, and 6/7 where all flowers are
    of one colour. Drawn flowers themselves are not at 0: some 0.03 for 1,000 of them, by chance
    and by the classifier's mistakes. It sees clean drawings only: of a blurred or broken flower it
    still names the likeliest mode.

    Attributes:
        accuracy: by property, on drawn flowers that the classifier was not trained on.
    """

    def __init__(self) -> None:
        self._classifier = _build_classifier()
        images, labels = _labelled(_TRAINING, _TRAINING_SEED)
        mirrored = images[:, :, ::-1]
        self._classifier.fit(
            np.concatenate([images, mirrored]),
            {name: np.tile(values, 2) for name, values in labels.items()},
            batch_size=64,
            epochs=_EPOCHS,
            shuffle=False,  # drawn in a random order; and Keras's own random state stays as it is
            verbose=0,
        )
        test_images, test_labels = _labelled(_TEST, _TEST_SEED)
        found = self._classify(test_images)
        self.accuracy = {
            name: float(np.mean(found[name] == test_labels[name])) for name in TRUE_SHARES
        }

    def __call__(self, images: np.ndarray) -> dict[str, Modes]:
        """The modes of images uint8 `(count, size, size, 3)`, 32 divides size."""
        check_images(images)
        size = images.shape[1]
        if size % _SIZE or images.shape[3] != 3:
            raise InputError(
                f"modes are those of RGB images of 32, 64, 96, ... pixels, not {images.shape[1:]}"
            )
        squares = images.reshape(-1, _SIZE, size // _SIZE, _SIZE, size // _SIZE, 3)
        found = self._classify(squares.mean(axis=(2, 4), dtype=np.float32))
        return {name: self._modes(name, numbers) for name, numbers in found.items()}

    def _classify(self, images: np.ndarray) -> dict[str, np.ndarray]:
        # Not by `predict`: TensorFlow counts the graphs of all models together, and warns of many.
        batches = (images[start : start + 256] for start in range(0, len(images), 256))
        scores = [self._classifier(batch, training=False) for batch in batches]
        return {
            name: np.concatenate([batch[name] for batch in scores]).argmax(axis=1)
            for name in TRUE_SHARES
        }

    def _modes(self, name: str, numbers: np.ndarray) -> Modes:
        true_shares = TRUE_SHARES[name]
        counts = np.bincount(numbers, minlength=len(true_shares))
        shares = dict(zip(true_shares, (counts / len(numbers)).tolist(), strict=True))
        variation = sum(abs(shares[mode] - true_shares[mode]) for mode in shares) / 2
        return Modes(shares, dict(true_shares), variation, self.accuracy[name])


@layer_defaults("float32")
def _build_classifier() -> keras.Model:
    """Images `(n, 32, 32, 3)` in 0..255 -> scores of the colours and of the numbers of flowers."""
    seeds = itertools.count()  # the same first weights each time

    def glorot() -> keras.Initializer:
        return keras.initializers.GlorotUniform(next(seeds))

    images = keras.Input((_SIZE, _SIZE, 3))
    x = layers.Rescaling(1 / 127.5, -1)(images)
    for filters in (16, 32, 64):
        x = layers.Conv2D(filters, 3, 2, "same", activation="relu", kernel_initializer=glorot())(x)
    x = layers.Dense(96, "relu", kernel_initializer=glorot())(layers.Flatten()(x))
    scores = {
        name: layers.Dense(len(shares), kernel_initializer=glorot(), name=name)(x)
        for name, shares in TRUE_SHARES.items()
    }
    model = keras.Model(images, scores)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    schedule = keras.optimizers.schedules.CosineDecay(2e-3, _EPOCHS * 2 * _TRAINING // 64)
    model.compile(keras.optimizers.Adam(schedule), dict.fromkeys(TRUE_SHARES, loss))
    return model


def _labelled(count: int, seed: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Drawn flowers, and the number of the mode of each."""
    pictures = [draw_labelled_picture(_SIZE, seed, number) for number in range(count)]
    images, contents = zip(*pictures, strict=True)
    return np.stack(images), {
        "colour": np.array([content.colour for content in contents]),
        "flowers": np.array([content.n_flowers - 1 for content in contents]),
    }
