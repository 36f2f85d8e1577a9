"""Packages that only some uses need: the extras of pyproject.toml."""

import importlib.util

from wgan_gp.support.errors import InputError


def require(extra: str, *modules: str) -> None:
    """Raise an InputError that says what to install unless the `modules` of `extra` are there."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        packages = " ".join(module.replace("_", "-") for module in missing)
        raise InputError(f"the extra '{extra}' is not installed: pip install {packages}")
