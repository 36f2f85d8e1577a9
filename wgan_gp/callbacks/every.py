"""When a callback acts."""

from wgan_gp.support.errors import InputError
from wgan_gp.support.whole_numbers import is_whole


def check_every(name: str, every: int | str | None) -> None:
    """Raise an InputError unless it is a number of iterations, 'epoch' or None."""
    if every not in (None, "epoch") and not is_whole(every):
        raise InputError(f"{name} must be at least 1 iteration, or 'epoch', not {every}")


def is_passed(before: int, now: int, every: int) -> bool:
    """Whether one of the iterations `before` + 1 ... `now` is a multiple of `every`.

    Keras calls a callback once for `steps_per_execution` of them.
    """
    return now // every > before // every


def comes_up(before: int, now: int, every: int, last: int | None) -> bool:
    """Whether one of `before` + 1 ... `now` is 1, a multiple of `every`, or `last`."""
    return is_passed(before, now, every) or before < 1 <= now or before < (last or 0) <= now
