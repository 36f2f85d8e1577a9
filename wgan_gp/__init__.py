"""A Wasserstein GAN with gradient penalty for images, in Keras 3 on TensorFlow.

Names are imported where they are first used, so that `wgan-gp --help` need not wait for
TensorFlow. `__init__.pyi` says what they are.
"""

from importlib import import_module
from types import ModuleType

import lazy_loader
import wrapt

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

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
