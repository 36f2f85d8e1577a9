"""When a callback acts."""


def comes_up(before: int, now: int, every: int, last: int | None = None) -> bool:
    """Whether one of the iterations `before` + 1 ... `now` is a multiple of `every`, 1 or `last`.

    Keras calls a callback once for `steps_per_execution` of them.
    """
    return now // every > before // every or before < 1 <= now or before < (last or 0) <= now
