"""All that a finished run has come to, in a form that two runs can be compared in."""

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image


def outcome(run: Path) -> dict[str, Any]:
    """By what it is: everything in the folder `run` but the time that training took.

    Of the checkpoints it is the newest; which others there are depends on the sessions.
    """
    older = sorted((run / "checkpoints").iterdir())[:-1]
    files = sorted(
        path
        for path in run.rglob("*")
        if path.is_file() and path.name != ".lock" and path.parent not in older
    )
    return {
        "files": [str(path.relative_to(run)) for path in files],
        "history": _history(run / "history.csv"),
        "states": [_without_seconds(json.loads(x.read_text())) for x in _all(files, "state.json")],
        "models": [_weights(path) for path in _all(files, ".keras")],
        "pictures": [_pixels(x) for x in _all(files, ".png") if x.name != "progress.png"],
        "film": hashlib.sha256((run / "training.gif").read_bytes()).hexdigest(),
    }


def _all(files: list[Path], ending: str) -> list[Path]:
    return [path for path in files if path.name.endswith(ending)]


def _history(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return [_without_seconds(row) for row in csv.DictReader(lines)]


def _without_seconds(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_seconds(item) for item in value]
    if isinstance(value, dict):
        return {k: _without_seconds(v) for k, v in value.items() if k != "seconds"}
    return value


def _weights(model: Path) -> dict[str, bytes]:
    """Every array in a `.keras` file: weights, optimizers' moments and counts, seed, iteration."""
    arrays = {}
    with zipfile.ZipFile(model) as parts:
        content = io.BytesIO(parts.read("model.weights.h5"))

    def note(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()].tobytes()

    with h5py.File(content) as file:
        file.visititems(note)
    return arrays


def _pixels(picture: Path) -> bytes:
    with Image.open(picture) as image:
        return np.asarray(image).tobytes()
