"""A run's generator in the formats that others can load, each with its facts and a model card."""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from wgan_gp.export.formats import Format
from wgan_gp.export.litert import export_litert, load_litert
from wgan_gp.export.model_card import model_card, model_facts
from wgan_gp.export.onnx import export_onnx, load_onnx
from wgan_gp.export.saved_model import export_saved_model, load_saved_model
from wgan_gp.runs.folder import RunFolder
from wgan_gp.support.errors import InputError
from wgan_gp.support.files import replacing

Images = Callable[[np.ndarray], np.ndarray]  # latents -> images


def _load_keras(path: Path) -> Images:
    generator = keras.saving.load_model(path)
    return lambda latents: generator(latents).numpy()


LOADERS: dict[Format, Callable[[Path], Images]] = {
    "saved_model": load_saved_model,
    "onnx": load_onnx,
    "litert": load_litert,
    "keras": _load_keras,
}
_CHECKED = 64  # images


def export_run(
    folder: RunFolder,
    format_: Format,
    path: Path,
    *,
    float16: bool = False,
    overwrite: bool = False,
) -> float:
    """Write the generator of a run to `path`, its facts to `path` + ".json", and a model card.

    Returns:
        How far the exported generator's images are from its own, at most, of -1..1.

    Raises:
        InputError: there is no trained generator, the format's extra is not installed, or one of
            the files exists and is not to be overwritten.
        OSError: a file cannot be written.
    """
    generator, (config, known) = folder.load_generator(), folder.read()
    facts = model_facts(config, known)
    metrics = folder.metrics_at(int(facts["iteration"]))
    texts = {
        path.with_name(path.name + ".json"): json.dumps(facts, indent=2) + "\n",
        path.with_name("MODEL_CARD.md"): model_card(
            config, known, metrics, generator, folder.read_quality()
        ),
    }
    _check_free(path, texts, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        _write(generator, format_, unfinished, facts, float16)
    for file, text in texts.items():
        with replacing(file) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
    latents = np.random.default_rng(0).standard_normal((_CHECKED, generator.input_shape[-1]), "f4")
    return float(np.abs(LOADERS[format_](path)(latents) - generator(latents).numpy()).max())


def _write(
    generator: keras.Model, format_: Format, path: Path, facts: dict[str, str], float16: bool
) -> None:
    if format_ == "saved_model":
        export_saved_model(generator, path)
    elif format_ == "onnx":
        export_onnx(generator, path, facts)
    elif format_ == "litert":
        export_litert(generator, path, float16)
    else:
        generator.save(path)


def _check_free(path: Path, texts: dict[Path, str], overwrite: bool) -> None:
    """Raise an InputError if something would be lost."""
    if path.is_dir() and any(path.iterdir()) and not (path / "saved_model.pb").is_file():
        raise InputError(f"'{path}' is a folder that holds other files: choose another output")
    if overwrite:
        return
    taken = [path] if path.exists() else []
    taken += [f for f, text in texts.items() if f.is_file() and f.read_text("utf-8") != text]
    if taken:
        raise InputError(f"'{taken[0]}' exists already: choose another output, or overwrite it")
