"""Running out of memory."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf

from wgan_gp.support.errors import TooLittleMemoryError


@contextlib.contextmanager
def enough_memory(remedy: str) -> Iterator[None]:
    """Say in one sentence, which ends in `remedy`, that this machine or device has too little.

    Raises:
        TooLittleMemoryError: in that case.
        OSError: TensorFlow could not write a file, which it reports in the same way.
    """
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        reason = str(error)
        if "No space left" in reason or "Too many open files" in reason:
            raise OSError(reason.splitlines()[0]) from error
        raise TooLittleMemoryError(f"there is not enough memory for this: {remedy}") from error
