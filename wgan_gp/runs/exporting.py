"""A run's generator in the formats that others can load, each with its facts and a model card.

The facts name every file of the export with its digest, and have one themselves: whatever is not
as it stands there was written or changed by someone else, and stays.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from wgan_gp.export.formats import Format
from wgan_gp.export.litert import export_litert, load_litert
from wgan_gp.export.model_card import model_card, model_facts
from wgan_gp.export.onnx import export_onnx, load_onnx
from wgan_gp.export.saved_model import export_saved_model, load_saved_model, whole_path
from wgan_gp.runs.folder import RunFolder
from wgan_gp.support.alone import alone
from wgan_gp.support.errors import MALFORMED, InputError
from wgan_gp.support.files import LITTER, digest
from wgan_gp.support.shapes import latent_dim
from wgan_gp.support.whole_files import recover, replacing, sync, write_whole

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
CHECKED = 64  # images, of which the exported generator's are compared with its own
# Of -1..1. Rounding, float16 weights and a GPU's TF32 stay below; other functions do not.
_MOST_DIFFERENCE = 0.05


def export_run(
    folder: RunFolder,
    format_: Format,
    path: Path,
    *,
    float16: bool = False,
    overwrite: bool = False,
    best: bool = False,
) -> float:
    """Write the generator of a run to `path`, with a model card (".md") and its facts (".json").

    Args:
        float16: litert: keep the weights in half the space.
        overwrite: replace an export that is there, as far as it is as this function wrote it, and a
            file at `path` itself, whatever it is.
        best: the generator with the lowest `val_swd`, not the last one.

    Returns:
        How far the exported generator's images are from its own, at most, of -1..1.

    Raises:
        InputError: there is no trained generator, the format's extra is not installed, something
            that is in the way is not to be replaced, another process is writing `path`, training
            replaces the generator meanwhile, or the exported generator's images are others.
        OSError: a file cannot be written.
    """
    _check_name(path, format_)
    card, about = (path.with_name(path.name + ending) for ending in (".md", ".json"))
    folder.check_apart(path, card, about)
    generator, facts, text = _generator_with_facts(folder, best)
    with alone(path):
        recover(path)  # what a kill left of it, or it would not be known as an export's
        former = _check_replaceable(path, card, about, overwrite)
        # All three are written before one takes its place: a full disk leaves none, or the former.
        with replacing(path) as export, replacing(card) as new_card, replacing(about) as new_about:
            _write(generator, format_, export, facts, float16)
            difference = _compare(LOADERS[format_](export), generator, format_)
            new_card.write_bytes(text.encode())
            files = {**_digests(export, path.name), **_digests(new_card, card.name)}
            noted = {**facts, "sha256": files, "sha256_of_facts": _digest_of(facts)}
            # If this ends while they take their places, those of before count as exported, too.
            new_about.write_bytes(_as_json({**noted, "sha256_before": former}))
            sync(export)  # before the card and the facts are there, which would be without it
        with contextlib.suppress(OSError):  # which would do no harm if they stayed
            write_whole(about, _as_json(noted))
    return difference


def _as_json(facts: dict[str, Any]) -> bytes:
    return (json.dumps(facts, indent=2) + "\n").encode()


def _generator_with_facts(
    folder: RunFolder, best: bool
) -> tuple[keras.Model, dict[str, str | int], str]:
    """The generator with its facts and its card, unless its file is replaced meanwhile."""
    before = folder.generator_digest(best)
    generator = folder.load_generator(best)
    facts, card = _facts_and_card(folder, generator, best)
    if folder.generator_digest(best) != before:
        replaced = folder.generator_file(best)
        raise InputError(f"training has replaced '{replaced}' just now: export it once more")
    return generator, facts, card


def _facts_and_card(
    folder: RunFolder, generator: keras.Model, best: bool
) -> tuple[dict[str, str | int], str]:
    config, known = folder.read()
    iteration = folder.best_iteration() if best else folder.generator_iteration()
    known["generator_iteration"] = "not kept" if iteration is None else iteration
    metrics = {} if iteration is None else folder.metrics_at(iteration)
    card = model_card(config, known, metrics, generator, folder.read_quality(best))
    return model_facts(config, known), card


def _check_name(path: Path, format_: Format) -> None:
    """Raise an InputError where the path is one that TensorFlow or ONNX cannot take."""
    if format_ == "saved_model":
        whole_path(path)
    name = path.as_posix()
    if format_ != "keras" and name != name.encode(errors="replace").decode():
        raise InputError(f"the name '{name}' is not in UTF-8: choose another place")


def _compare(exported: Images, generator: keras.Model, format_: Format) -> float:
    """How far images differ at most; raises an InputError if that is another function."""
    latents = np.random.default_rng(0).standard_normal((CHECKED, latent_dim(generator)), "f4")
    difference = float(np.abs(exported(latents) - generator(latents).numpy()).max())
    if not difference <= _MOST_DIFFERENCE:
        raise InputError(
            f"the images of this {format_} export differ from the generator's by {difference:.1g}, "
            f"of -1..1: it was not kept; choose another format"
        )
    return difference


def _write(
    generator: keras.Model, format_: Format, path: Path, facts: dict[str, str | int], float16: bool
) -> None:
    if format_ == "saved_model":
        export_saved_model(generator, path)
    elif format_ == "onnx":
        export_onnx(generator, path, facts)
    elif format_ == "litert":
        export_litert(generator, path, float16)
    else:
        generator.save(path)


def _check_replaceable(path: Path, card: Path, about: Path, overwrite: bool) -> dict[str, str]:
    """The digests of the files that are replaced, by their names.

    Raises an InputError that names what would be lost, if anything would be.
    """
    taken = _files(path, card, about)
    facts, written, before = _read(about)
    are_cut_short = before is not None and not os.path.lexists(path)
    if taken and not (overwrite or are_cut_short):
        raise InputError(f"'{taken[0]}' exists already: choose another place, or overwrite it")
    known, found = before or {}, {}
    for file in taken:
        name = file.relative_to(path.parent).as_posix()
        is_named = file == path  # the user said so; in a folder, nobody has looked at each file
        if not file.is_symlink():  # as no export makes any
            found[name] = _digest_of(facts) if file == about else digest(file)
        is_ours = name in found and found[name] in (written.get(name), known.get(name))
        if not (is_named or is_ours):
            raise InputError(
                f"'{file}' is not as an export wrote it, and would be lost: move it away, or "
                f"choose another place"
            )
    return found


def _digests(unfinished: Path, name: str) -> dict[str, str]:
    """The digest of each file in `unfinished`, which will be called `name`, by their names then."""
    return {
        (name / file.relative_to(unfinished)).as_posix(): digest(file)
        for file in _files(unfinished)
    }


def _files(*paths: Path) -> list[Path]:
    """The files and links among the paths, and all those inside the folders among them."""
    folders = (path for path in paths if _is_folder(path))
    inner = [file for path in folders for file in sorted(path.rglob("*"))]
    files = (file for file in (*paths, *inner) if file.name not in LITTER)
    return [file for file in files if os.path.lexists(file) and not _is_folder(file)]


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _read(about: Path) -> tuple[dict[str, Any], dict[str, str], dict[str, str] | None]:
    """The facts of an export, its files' digests, and those of the files that it was to replace.

    The last is None once all are in their places, or where these are no such facts; then the others
    are empty, too.
    """
    try:
        facts = json.loads(about.read_text(encoding="utf-8"))
        digests, before = dict(facts.pop("sha256")), facts.pop("sha256_before", None)
        if "sha256_of_facts" in facts:  # earlier versions put it among those of the files
            digests[about.name] = facts.pop("sha256_of_facts")
        return facts, digests, before and dict(before)
    except (OSError, *MALFORMED):
        return {}, {}, None


def _digest_of(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
