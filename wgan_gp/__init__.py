"""A Wasserstein GAN with gradient penalty for images, in Keras 3 on TensorFlow.

Names are imported where they are first used, so that `wgan-gp --help` need not wait for
TensorFlow.
"""

from importlib import import_module

_MODULES = {
    "Checkpoint": "checkpoint",
    "Config": "config",
    "HistoryFile": "history_file",
    "InputError": "errors",
    "Monitor": "monitor",
    "WGANGP": "model",
    "build_critic": "networks",
    "build_generator": "networks",
    "build_model": "training",
    "export_litert": "litert_file",
    "export_onnx": "onnx_file",
    "export_saved_model": "saved_model",
    "generate_images": "sampling",
    "gradient_penalty": "objective",
    "image_grid": "pictures",
    "load_images": "images",
    "make_dataset": "dataset",
}

__all__ = list(_MODULES)


def __getattr__(name: str):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
