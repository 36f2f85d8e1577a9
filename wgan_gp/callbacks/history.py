"""The metrics of a run as a table."""

import csv
import logging
from pathlib import Path
from typing import Any

import keras
import numpy as np

from wgan_gp.callbacks.history_rows import is_history, read_rows
from wgan_gp.support.errors import InputError
from wgan_gp.support.whole_files import replacing, sync

_log = logging.getLogger(__name__)


class HistoryFile(keras.callbacks.Callback):
    """Writes the epoch's metrics as a row of a CSV file.

    A row belongs to the generator iteration that it ends at, not to an epoch, whose numbers start
    anew with each `fit`. It replaces those that it includes, such as that of the same epoch cut
    short. If a model is taken back, the rows after its iteration are dropped. Metrics may
    come and go: the columns are all that there ever were, and a cell without a value is empty.
    (Keras's `CSVLogger` does none of this.)

    The file itself is what a checkpoint relies on: it is read at the beginning of `fit`, and what
    stays in the checkpoint does not grow with it.

    Args:
        path: of the file; its folder is made if need be.

    Raises:
        InputError: in `fit`: what is at `path` is no history, and would be lost.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = Path(path)
        self._rows: list[dict[str, Any]] | None = None  # until `fit` begins
        self._columns: list[str] = []
        self._expected = 0  # rows that a restored checkpoint counts on
        self._start = 0  # the iteration that the epoch has begun after

    def get_state(self) -> dict[str, Any]:
        """The rows reach the disk before the checkpoint that counts on them does."""
        if self.path.is_file():
            sync(self.path)
        return {"count": len(self._rows or ())}

    def set_state(self, state: dict[str, Any]) -> None:
        # Version 0.1.0 kept the rows in there.
        self._rows = [dict(row) for row in state["rows"]] if "rows" in state else None
        self._expected = int(state.get("count", 0))

    def on_train_begin(self, logs: dict | None = None) -> None:
        if not is_history(self.path):
            raise InputError(
                f"'{self.path}' is no history of this program, and would be lost: choose another "
                f"file, or move it away"
            )
        rows = read_rows(self.path) if self._rows is None else self._rows
        self._rows = _until(self.model.iterations_done, rows)
        if len(self._rows) < self._expected:
            _log.warning("'%s' has lost %d rows", self.path, self._expected - len(self._rows))
        self._expected = 0  # a model may be taken back later
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._write_all()

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if batch == 0:  # when `Checkpoint` has brought back the sums of an epoch that goes on
            self._start = self.model.iterations_done - self.model.iterations_averaged

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        iteration = self.model.iterations_done
        if iteration == self._start:  # the images had come to an end with the epoch before
            return
        row = {"epoch": epoch, **_numbers(logs), "iteration": iteration}
        kept = _until(self._start, self._rows)
        is_next = len(kept) == len(self._rows) and row.keys() <= set(self._columns)
        self._rows = [*kept, row]
        if not (is_next and self.path.exists()):
            self._write_all()
            return
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.DictWriter(file, self._columns).writerow(row)

    def _write_all(self) -> None:
        names = {name for row in self._rows for name in row} - {"epoch"}
        self._columns = ["epoch", *sorted(names)]
        with (
            replacing(self.path) as unfinished,
            unfinished.open("w", newline="", encoding="utf-8") as file,
        ):
            if self._rows:
                writer = csv.DictWriter(file, self._columns)
                writer.writeheader()
                writer.writerows(self._rows)


def _numbers(logs: dict[str, Any]) -> dict[str, float]:
    """What is a number in the logs; of an array each one by its place, such as `recall_0`."""
    numbers: dict[str, float] = {}
    for name, value in logs.items():
        if value is None or isinstance(value, str):
            continue
        try:
            array = np.asarray(value, float)
        except (TypeError, ValueError):  # what another callback may have added
            continue
        names = [f"{name}_{place}" for place in range(array.size)] if array.ndim else [name]
        numbers |= dict(zip(names, array.ravel().tolist(), strict=True))
    return numbers


def _until(iteration: int, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of iterations up to that one; one of version 0.1.0 may not know its own."""
    return [row for row in rows if int(row.get("iteration", 0)) <= iteration]
