"""A Wasserstein GAN with gradient penalty for images, in Keras 3 on TensorFlow.

Names are imported where they are first used, so that `wgan-gp --help` need not wait for
TensorFlow.
"""

from importlib import import_module
from types import ModuleType
from typing import Any

import wrapt

__version__ = "0.2.0"

_MODULES = {
    "Checkpoint": "callbacks.checkpoint",
    "Config": "config",
    "DivergedError": "support.errors",
    "HistoryFile": "callbacks.history",
    "InputError": "support.errors",
    "Interrupted": "support.errors",
    "Monitor": "callbacks.monitor",
    "Quality": "callbacks.quality",
    "StopAtNaN": "callbacks.stopping",
    "WGANGP": "model",
    "build_critic": "networks",
    "build_critic_features": "networks",
    "build_generator": "networks",
    "build_model": "model",
    "SetMetric": "metrics.keras_metric",
    "evaluate": "metrics.evaluation",
    "export_litert": "export.litert",
    "export_onnx": "export.onnx",
    "export_saved_model": "export.saved_model",
    "generate_images": "sampling",
    "gradient_penalty": "objective",
    "held_out_images": "data.holdout",
    "image_grid": "pictures",
    "load_feature_network": "metrics.features",
    "load_images": "data.images",
    "load_pretrained": "runs.pretrained",
    "make_dataset": "data.stream",
    "resume": "runs.run",
    "train": "runs.run",
}

__all__ = ["__version__", *_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])


_loaded = set()


@wrapt.when_imported("keras")
@wrapt.when_imported("tensorflow")
def _register(module: ModuleType) -> None:
    """Make all classes known to Keras, whose `load_model` finds only those that are imported.

    Each of the two imports the other while it is half there itself; hence once both are whole.
    """
    _loaded.add(module.__name__)
    if _loaded == {"keras", "tensorflow"}:
        import_module(f"{__name__}.model")
        import_module(f"{__name__}.metrics.keras_metric")
