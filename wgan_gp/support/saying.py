"""Lines for whoever watches."""

import contextlib
import os
import sys
from pathlib import Path
from typing import TextIO


def say(text: str, to: TextIO | None = None) -> None:
    """Print `text`, by default to standard output, at once.

    Where nobody reads any more (a closed pipe, a terminal that is gone), training goes on without:
    what follows goes nowhere, and the end of the program does not trip over it either.
    """
    to = to or sys.stdout
    try:
        print(text, file=to, flush=True)
    except OSError:
        with contextlib.suppress(OSError), Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), to.fileno())
