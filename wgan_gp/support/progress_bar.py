"""A bar that shows how far something is, wherever the output goes."""

import sys
from collections.abc import Iterable
from typing import Any, TextIO

from tqdm import tqdm

from wgan_gp.support.notebook import running_cell
from wgan_gp.support.saying import say

# Seconds between two updates; where the bar cannot be redrawn in place, each one is a line.
_TERMINAL_INTERVAL = 0.1
_LOG_FILE_INTERVAL = 60.0


def progress_bar(
    items: Iterable | None = None, *, file: TextIO | None = None, **options: Any
) -> tqdm:
    """`tqdm`, redrawn in place in a terminal or a notebook, and in a log file a line a minute.

    Args:
        file: where it goes, by default standard error.
        options: the others of `tqdm`.
    """
    file = file or sys.stderr
    is_terminal = file is not None and file.isatty()
    if is_terminal or running_cell() is not None:
        layout = {"file": file, "mininterval": _TERMINAL_INTERVAL, "dynamic_ncols": True}
    else:
        # A thread of `tqdm` repeats a bar that has stood still for its maxinterval.
        often = {"mininterval": _LOG_FILE_INTERVAL, "maxinterval": _LOG_FILE_INTERVAL}
        layout = {"file": _Lines(file), "ncols": 79, **often}
    return tqdm(items, **layout, **options)


class _Lines:
    """A log file as tqdm's output: each state of the bar becomes a line of its own."""

    def __init__(self, file: TextIO | None) -> None:
        self._file = file

    def write(self, text: str) -> None:
        text = text.strip("\r\n ")
        if text and self._file is not None:
            say(text, self._file)

    def flush(self) -> None:
        pass
