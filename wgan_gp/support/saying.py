"""Lines for whoever watches."""

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from wgan_gp.support.errors import FULL

_AS_IT_IS = "wgan_gp.as_it_is"  # how to write what is no character of the terminal's


def be_able_to_say() -> None:
    """Make sure of both standard streams: that they are open, and that no character stops them."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:  # closed, as some start their programs
            os.dup2(os.open(os.devnull, os.O_WRONLY), number)
            setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115
        if isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            stream.reconfigure(errors=_AS_IT_IS)


def say(text: str, to: TextIO | None = None) -> None:
    """Print `text`, by default to standard output, at once.

    Where nobody reads any more (a closed pipe, a terminal that is gone), training goes on without:
    what follows goes nowhere, and the end of the program does not trip over it either.
    """
    stream = to or sys.stdout
    with contextlib.suppress(OSError), _flushed(stream):
        print(text, file=stream)


def answer(text: str) -> None:
    """`say` what was asked for, which may not be lost unnoticed.

    Raises an OSError if standard output is a file on a full disk.
    """
    try:
        with answering():
            print(text)
    except OSError as error:
        if error.errno in FULL:
            raise


@contextlib.contextmanager
def answering() -> Iterator[None]:
    """Within it others may print an answer, which may not be lost unnoticed either.

    Raises an OSError that names standard output if that is a file on a full disk.
    """
    try:
        with _flushed(sys.stdout):
            yield
    except OSError as error:
        if error.errno in FULL and error.filename is None:
            error.filename = "standard output"
        raise


def _as_it_is(error: UnicodeError) -> tuple[str | bytes, int]:
    """A name's byte as it is, so that it can be pasted; another character by its number."""
    if not isinstance(error, UnicodeEncodeError):
        raise error  # nothing is read by this
    first = error.start  # of several, which may be of both kinds
    one = UnicodeEncodeError(error.encoding, error.object, first, first + 1, error.reason)
    try:
        return codecs.lookup_error("surrogateescape")(one)
    except UnicodeError:
        return codecs.backslashreplace_errors(one)


codecs.register_error(_AS_IT_IS, _as_it_is)


@contextlib.contextmanager
def _flushed(stream: TextIO) -> Iterator[None]:
    """Flush `stream` in the end; if it cannot be written to, what follows goes nowhere."""
    try:
        yield
    finally:
        try:
            stream.flush()
        except OSError:
            with contextlib.suppress(OSError), Path(os.devnull).open("w") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
            raise
