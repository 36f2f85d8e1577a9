"""Images a second from a folder of JPEGs, beside Keras's `image_dataset_from_directory`, in turns.

    python benchmarks/decoding.py [FOLDER]

Without a FOLDER the embedded flowers are written as JPEGs of 128x128. A first start decodes them,
a second one reads the cache; Keras's decodes at each start, and in each epoch anew.
"""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
from PIL import Image

from wgan_gp import load_images

ROUNDS, SIZE = 3, 64


def write_flowers(folder: Path) -> None:
    for index, pixels in enumerate(load_images("synthetic", 128)):
        Image.fromarray(pixels).save(folder / f"{index}.jpg")


def read_with_keras(folder: Path) -> int:
    options = {"labels": None, "image_size": (SIZE, SIZE), "verbose": False}
    dataset = keras.utils.image_dataset_from_directory(folder, **options)
    return sum(len(batch) for batch in dataset)


def images_per_second(read: Callable[[], int]) -> float:
    start = time.perf_counter()
    count = read()
    return count / (time.perf_counter() - start)


def compare(folder: Path) -> None:
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as cache:

            def read_with_us(cache: str = cache) -> int:
                return len(load_images(str(folder), SIZE, cache_dir=cache))

            first, second = images_per_second(read_with_us), images_per_second(read_with_us)
        theirs = images_per_second(lambda: read_with_keras(folder))
        print(
            f"first start {first:,.0f}, second {second:,.0f}, Keras {theirs:,.0f} images/s: "
            f"ratios {first / theirs:.2f} and {second / theirs:.2f}"
        )


def main() -> None:
    if len(sys.argv) > 1:
        compare(Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        write_flowers(Path(folder))
        compare(Path(folder))


if __name__ == "__main__":
    main()
