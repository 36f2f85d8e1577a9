"""The export formats side by side: file size, loading, and making 1 and 64 images.

    python benchmarks/exports.py

The generators are those of the presets paper (and matlab) and flowers; they need not be trained.
Each time is the median of rounds in which the formats take turns; loading leaves out the import of
packages.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the command line has it

import keras
import numpy as np

from wgan_gp import Config, build_generator, export_litert, export_onnx, export_saved_model
from wgan_gp.runs.exporting import LOADERS

ROUNDS = 9


def export_all(generator: keras.Model, folder: Path) -> dict[str, tuple[str, Path]]:
    """The generator in every format: name in the table -> format, path."""
    exports = {
        "SavedModel": ("saved_model", folder / "model"),
        "ONNX": ("onnx", folder / "model.onnx"),
        "LiteRT": ("litert", folder / "model.tflite"),
        "LiteRT, float16": ("litert", folder / "model16.tflite"),
        "Keras": ("keras", folder / "model.keras"),
    }
    export_saved_model(generator, exports["SavedModel"][1])
    export_onnx(generator, exports["ONNX"][1])
    export_litert(generator, exports["LiteRT"][1])
    export_litert(generator, exports["LiteRT, float16"][1], float16=True)
    generator.save(exports["Keras"][1])
    return exports


def seconds(function: Callable, *arguments: object) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def main() -> None:
    for preset in ("paper", "flowers"):
        print(f"\n{preset}\n")
        compare(build_generator(Config.preset(preset)))


def compare(generator: keras.Model) -> None:
    """Print the table of a generator's exports."""
    rng = np.random.default_rng(0)
    one, many = (rng.standard_normal((count, 100), "float32") for count in (1, 64))
    with tempfile.TemporaryDirectory() as folder:
        exports = export_all(generator, Path(folder))
        loaders = {name: LOADERS[format_] for name, (format_, _) in exports.items()}
        runs = {name: loaders[name](path) for name, (_, path) in exports.items()}
        for run in runs.values():  # the first time prepares
            run(one), run(many)
        times = {name: ([], [], []) for name in exports}
        for _ in range(ROUNDS):
            for name, (_, path) in exports.items():
                times[name][0].append(seconds(loaders[name], path))
                times[name][1].append(seconds(runs[name], one))
                times[name][2].append(seconds(runs[name], many))
        print("| format | size | loading | 1 image | 64 images |\n| --- | --- | --- | --- | --- |")
        for name, (_, path) in exports.items():
            load, first, batch = (1000 * statistics.median(values) for values in times[name])
            megabytes = size(path) / 1e6
            print(
                f"| {name} | {megabytes:.1f} MB | {load:.0f} ms | {first:.1f} ms | {batch:.0f} ms |"
            )


if __name__ == "__main__":
    main()
