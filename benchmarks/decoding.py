"""Images a second from a folder of JPEGs, beside Keras's and torchvision's readers, in turns.

    python benchmarks/decoding.py [FOLDER]

Without a FOLDER the drawn flowers are written as JPEGs of 128x128. A first start decodes them,
a second one reads the cache; `image_dataset_from_directory` and `ImageFolder` decode at each start,
and in each epoch anew. Each reading is a process of its own, which says how much memory it took
above what its libraries do.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

ROUNDS, SIZE, BATCH = 5, 64, 32
READERS = ("this package, first start", "this package, second start", "Keras", "torchvision")


def write_flowers(folder: Path) -> None:
    from PIL import Image

    from wgan_gp import load_images

    for index, pixels in enumerate(load_images("synthetic", 128)):
        Image.fromarray(pixels).save(folder / f"{index}.jpg")


def with_this_package(folder: str, cache: str) -> Callable[[], int]:
    import numpy as np

    from wgan_gp import load_images

    def read() -> int:
        images = load_images(folder, SIZE, cache_dir=cache)
        order = np.random.default_rng(0).permutation(len(images))
        batches = (images[order[start : start + BATCH]] for start in range(0, len(images), BATCH))
        return sum(map(len, batches))

    return read


def with_keras(folder: str) -> Callable[[], int]:
    import keras

    options = {"labels": None, "image_size": (SIZE, SIZE), "verbose": False, "batch_size": BATCH}
    return lambda: sum(map(len, keras.utils.image_dataset_from_directory(folder, **options)))


def with_torchvision(folder: str) -> Callable[[], int]:
    from torch.utils.data import DataLoader
    from torchvision import datasets, transforms

    steps = [transforms.Resize((SIZE, SIZE)), transforms.PILToTensor()]

    def read() -> int:
        images = datasets.ImageFolder(folder, transforms.Compose(steps))
        loader = DataLoader(images, BATCH, shuffle=True, num_workers=os.cpu_count())
        return sum(len(batch) for batch, _ in loader)

    return read


def read_once(reader: str, folder: str, cache: str) -> None:
    """Print images a second, and megabytes above those of a process that has read nothing."""
    if reader == "Keras":
        read = with_keras(folder)
    elif reader == "torchvision":
        read = with_torchvision(folder)
    else:
        read = with_this_package(folder, cache)
    idle, start = peak_megabytes(), time.perf_counter()
    count = read()
    print(count / (time.perf_counter() - start), peak_megabytes() - idle)


def peak_megabytes() -> int:
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024


def compare(folder: str) -> None:
    """Take turns; a first start has a cache that is empty, a second one that of the first."""
    found = {reader: [] for reader in READERS}
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as cache:
            for reader in READERS:
                command = [sys.executable, __file__, folder, reader, cache]
                result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
                found[reader].append([float(x) for x in result.stdout.split()])
    print("| | images/s | spread | memory | to Keras's | to torchvision's |")
    print("| --- | --- | --- | --- | --- | --- |")
    keras, torchvision = ([speed for speed, _ in found[name]] for name in READERS[2:])
    for reader, values in found.items():
        speeds, megabytes = zip(*values, strict=True)
        ratios = [
            statistics.median(a / b for a, b in zip(speeds, others, strict=True))
            for others in (keras, torchvision)
        ]
        print(
            f"| {reader} | {statistics.median(speeds):,.0f} | {min(speeds):,.0f} to "
            f"{max(speeds):,.0f} | {statistics.median(megabytes):,.0f} MB | {ratios[0]:.2f} | "
            f"{ratios[1]:.2f} |"
        )


def main() -> None:
    if len(sys.argv) > 2:
        folder, reader, cache = sys.argv[1:]
        read_once(reader, folder, cache)
    elif len(sys.argv) > 1:
        compare(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            flowers = Path(folder) / "flowers"  # torchvision reads folders of classes
            flowers.mkdir()
            write_flowers(flowers)
            compare(folder)


if __name__ == "__main__":
    main()
