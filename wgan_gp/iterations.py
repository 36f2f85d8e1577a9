"""A run counted in generator iterations, where Keras counts in epochs."""

import time

import keras


class IterationCount(keras.callbacks.Callback):
    """Logs the iteration and the seconds since the start with each epoch, and stops at the last.

    Put it before the callbacks that write the logs down.

    Args:
        iterations: generator iterations in the whole run; the last epoch may be cut short.
    """

    def __init__(self, iterations: int) -> None:
        super().__init__()
        self.iterations = iterations

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._started = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if int(self.model.iteration.numpy()) >= self.iterations:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs["iteration"] = int(self.model.iteration.numpy())
        logs["seconds"] = round(time.monotonic() - self._started, 3)
