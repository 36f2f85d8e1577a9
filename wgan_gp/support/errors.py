"""What can go wrong that is not a defect of the program."""

import errno

FULL = {errno.ENOSPC, errno.EDQUOT}  # as which the system reports a disk without space

# What making sense of a file can raise that is damaged, or was never one of this program's.
MALFORMED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class InputError(ValueError):
    """Something the user gave cannot be used; the message says what, and what to do."""


class TooLittleMemoryError(InputError):
    """What was asked for needs more memory than there is."""


class UnreachableError(InputError):
    """What was asked for has to be downloaded, and the network or its server does not answer."""


class DivergedError(RuntimeError):
    """Training broke down: a loss or a weight is no longer a finite number."""


class Interrupted(KeyboardInterrupt):
    """A signal ended training; the message says how far it had come.

    Args:
        signal: its number.
    """

    def __init__(self, signal: int, message: str) -> None:
        super().__init__(message)
        self.signal = signal


def without_example(error: Exception) -> str:
    """What an error of Keras's says, in a line, without the code that it proposes."""
    return " ".join(str(error).strip().split("\n\n")[0].split())
