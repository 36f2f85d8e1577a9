"""The rows of a `history.csv`, read without Keras."""

import contextlib
import csv
from pathlib import Path

_MOST_DIGITS = 18  # of an iteration, which is an int64


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
