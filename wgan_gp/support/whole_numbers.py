"""Whole numbers that a user gives, as Python has them or NumPy."""

from numbers import Integral
from typing import Any

from wgan_gp.support.errors import InputError


def is_whole(value: Any, least: int = 1) -> bool:
    """Whether it is a whole number, and not smaller than `least`."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def check_whole(name: str, value: Any, least: int = 1, most: int | None = None) -> None:
    """Raise an InputError unless `value` is a whole number from `least` to `most`."""
    if is_whole(value, least) and (most is None or int(value) <= most):
        return
    range_ = f", at least {least}" if most is None else f" from {least} to {most}"
    raise InputError(f"{name} must be a whole number{range_}, not {value!r}")
