"""What a file of Keras's weights holds."""

import contextlib
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py

from wgan_gp.support.errors import InputError


def check_average(weights: str | Path, is_kept: bool) -> None:
    """Raise an InputError if a file of weights has an averaged generator, and a model has not.

    Or the other way round. Keras takes the weights by the names of attributes, in their order, and
    `drawing_generator`, the first, is the averaged one where there is one.
    """
    groups = _groups(Path(weights))
    if "drawing_generator" not in groups or ("generator" in groups) == is_kept:
        return
    there, here = ("no", "an") if is_kept else ("an", "no")
    raise InputError(
        f"'{weights}' holds {there} averaged generator, and this model keeps {here} average: build "
        f"it with the ema_half_life that the weights were trained with"
    )


def _groups(weights: Path) -> set[str]:
    """The names in a file of Keras's weights, or in a whole model; what is neither, Keras says."""
    with contextlib.suppress(Exception), contextlib.ExitStack() as stack:
        if weights.suffix == ".json":  # of weights in several files
            index = json.loads(weights.read_text(encoding="utf-8"))["weight_map"]
            return {name.strip("/").split("/")[0] for name in index}
        file: Any = weights
        if weights.suffix == ".keras":
            file = stack.enter_context(zipfile.ZipFile(weights)).open("model.weights.h5")
        return set(stack.enter_context(h5py.File(file)))
    return set()
