"""A run counted in generator iterations, where Keras counts in epochs."""

from typing import Any

import keras

from wgan_gp.stopwatch import Stopwatch


class IterationCount(keras.callbacks.Callback):
    """Logs the iteration and the seconds of training with each epoch, and stops at the last one.

    Put it before the callbacks that write the logs down.

    Args:
        iterations: generator iterations in the whole run; the last epoch may be cut short.
    """

    def __init__(self, iterations: int) -> None:
        super().__init__()
        self.iterations = iterations
        self._stopwatch = Stopwatch()

    def get_state(self) -> dict[str, Any]:
        return {"seconds": self._stopwatch.seconds}

    def set_state(self, state: dict[str, Any]) -> None:
        self._stopwatch = Stopwatch(state["seconds"])

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._stopwatch.start()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._stopwatch.tick()
        if int(self.model.iteration.numpy()) >= self.iterations:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs["iteration"] = int(self.model.iteration.numpy())
        logs["seconds"] = round(self._stopwatch.tick(), 3)
