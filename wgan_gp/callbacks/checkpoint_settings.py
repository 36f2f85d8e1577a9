"""The settings that a checkpoint was trained with, which have to be the same when it goes on."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from wgan_gp.support.errors import InputError


def settings_of(model: keras.Model) -> dict[str, Any]:
    """The settings that training depends on beside the weights, as JSON can hold them."""
    optimizers = {"critic": model.critic_optimizer, "generator": model.generator_optimizer}
    settings = {
        "seed": int(model.seed.numpy()),
        "n_critic": model.n_critic,
        "gradient_penalty_weight": model.gradient_penalty_weight,
        "ema_half_life": model.ema_half_life,
        "penalty_every": model.penalty_every,
    }
    if model.critic_features is not None:
        settings["feature_shift"] = model.feature_shift
    for network, optimizer in optimizers.items():
        config = _unnamed(optimizer.get_config())
        settings[f"{network}_optimizer"] = type(optimizer).__name__
        settings |= {f"{network}_{name}": value for name, value in config.items()}
    # As they will be read: JSON makes lists of tuples, and knows no arrays or numbers of NumPy's.
    text = json.dumps(settings, default=lambda value: np.asarray(value).tolist())
    return _unfolded(json.loads(text))


def settings_in(state: dict[str, Any]) -> dict[str, Any]:
    """The settings in what a checkpoint, of this version or an earlier one, has noted."""
    # Version 0.1 did not write the first; later ones wrote names within the others.
    return _unfolded({"penalty_every": 1, **_unnamed(state.get("settings", {}))})


def _unfolded(settings: dict[str, Any]) -> dict[str, Any]:
    """`settings`, with those of a wrapped optimizer beside those of the one that wraps it."""
    for network in ("critic", "generator"):
        if isinstance(inner := settings.get(f"{network}_inner_optimizer"), dict):
            settings[f"{network}_inner_optimizer"] = inner["class_name"]
            settings |= {f"{network}_{name}": value for name, value in inner["config"].items()}
    return settings


def with_rates_of(there: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    """`settings`, with the learning rates of others where neither follow a schedule."""
    rates = {
        name: there[name]
        for name in ("critic_learning_rate", "generator_learning_rate")
        if isinstance(there.get(name), float) and isinstance(settings[name], float)
    }
    return {**settings, **rates}


def _unnamed(config: dict[str, Any]) -> dict[str, Any]:
    """Without the names, in which Keras counts the optimizers that a process has made.

    And without the modules of classes, which may have moved since, and without what is in a
    lambda: its code knows its own line.
    """
    left_out = {"name", "module"}
    if config.get("class_name") == "__lambda__":
        left_out.add("config")
    return {
        key: _unnamed(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if key not in left_out
    }


def check_same(there: dict[str, Any], asked: dict[str, Any], checkpoint: Path) -> None:
    """Raise an InputError if the model is asked to be trained in another way than it was."""
    changed = [
        f"{name} is {_shown(value)} there, not {_shown(asked.get(name))}"
        for name, value in there.items()
        if value != asked.get(name)
    ]
    if changed:
        raise InputError(
            f"the checkpoint '{checkpoint}' goes on with the settings it was trained with: "
            f"{', '.join(changed)}; build the model with those, and change a learning rate, if "
            f"any, after restoring"
        )


def _shown(value: Any) -> str:
    """`value` as it was given: a learning rate is kept in float32, a schedule by its config."""
    if isinstance(value, dict) and {"class_name", "config"} <= value.keys():
        config = ", ".join(f"{name} {_shown(x)}" for name, x in value["config"].items())
        return f"{value['class_name']} ({config})"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
