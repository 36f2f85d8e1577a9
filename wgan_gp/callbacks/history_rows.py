"""The rows of a `history.csv`, read without Keras."""

import contextlib
import csv
from pathlib import Path

_LONGEST_HEADER = 65_536  # characters; a picture may be one line of any length
_MOST_DIGITS = 18  # of an iteration, which is an int64


def is_history(path: Path) -> bool:
    """Whether what is at `path`, if anything, is a table of iterations; an empty file may be."""
    if path.is_dir():
        return False
    if not path.is_file() or not path.stat().st_size:
        return True
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        return "iteration" in file.readline(_LONGEST_HEADER).strip().split(",")


def read_rows(path: Path) -> list[dict[str, str]]:
    """The rows of a file, without those that are not whole or name no iteration."""
    if not path.is_file():
        return []
    rows = []
    with (
        path.open(newline="", encoding="utf-8", errors="replace") as file,
        contextlib.suppress(csv.Error),  # no table from there on
    ):
        for row in csv.DictReader(line for line in file if "\0" not in line):
            is_whole = None not in row and None not in row.values()
            iteration = row.get("iteration") or ""
            if is_whole and iteration.isdecimal() and len(iteration) <= _MOST_DIGITS:
                rows.append(row)
    return rows
