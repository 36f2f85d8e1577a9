"""What Keras's own callbacks count, such as epochs without progress: Keras saves none of it."""

from typing import Any

import keras
import numpy as np

_KINDS = {"wait": int, "cooldown_counter": int, "best_epoch": int, "best": float}

Counts = dict[str, int | float | None]


def counts_of(callback: keras.callbacks.Callback) -> Counts:
    """What a callback, one of `WATCHING`, has counted, by attribute."""
    return counts_in({name: getattr(callback, name) for name in _KINDS if hasattr(callback, name)})


def counts_in(state: dict[str, Any]) -> Counts:
    """The counts in `state`, as JSON can hold them."""
    return {
        name: None if state[name] is None else kind(np.asarray(state[name]).item())
        for name, kind in _KINDS.items()
        if name in state
    }


def set_counts(callback: keras.callbacks.Callback, counts: Counts) -> None:
    """Let `callback` go on from there; with each `fit` it begins anew otherwise."""
    for name, value in counts.items():
        setattr(callback, name, value)
