"""The metrics of a run as a table."""

import keras


class HistoryFile(keras.callbacks.CSVLogger):
    """Keras's `CSVLogger` without the empty `val_` columns that it adds where nothing is validated.

    A row is an epoch; its values are the epoch's means.
    """

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if self.keys is None:
            self.keys = sorted(logs)
        super().on_epoch_end(epoch, logs)
