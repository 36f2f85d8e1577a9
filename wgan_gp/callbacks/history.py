"""The metrics of a run as a table."""

import csv
from pathlib import Path
from typing import Any

import keras

from wgan_gp.support.files import replacing


class HistoryFile(keras.callbacks.Callback):
    """Writes the epoch's metrics as a row of a CSV file.

    Unlike Keras's `CSVLogger` it can be taken back to an earlier state, and a row takes the place
    of one of the same epoch, such as one that had been cut short.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__()
        self.path = Path(path)
        self.rows: list[dict[str, Any]] = []

    def get_state(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def set_state(self, state: dict[str, Any]) -> None:
        self.rows = state["rows"]

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._write_all()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        is_repeated = bool(self.rows) and self.rows[-1]["epoch"] == epoch
        if is_repeated:
            del self.rows[-1]
        self.rows.append({"epoch": epoch, **dict(sorted(logs.items()))})
        if is_repeated or len(self.rows) == 1:
            self._write_all()
            return
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow(self.rows[-1].values())

    def _write_all(self) -> None:
        with (
            replacing(self.path) as unfinished,
            unfinished.open("w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerows([self.rows[0].keys()] if self.rows else [])
            writer.writerows(row.values() for row in self.rows)
