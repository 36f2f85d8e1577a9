"""How far a run is: its iterations, its time, and a bar that shows both."""

import sys
from typing import Any

import keras
from tqdm import tqdm

from wgan_gp.callbacks.stopwatch import Stopwatch
from wgan_gp.support.progress_bar import progress_bar

# Short names, so that the line fits a terminal of 80 columns with some bar left.
_SHOWN = {"critic_loss": "critic", "generator_loss": "generator"}


class IterationCount(keras.callbacks.Callback):
    """Logs the iteration and the seconds of training with each epoch.

    A run is counted in generator iterations, where Keras counts in epochs. Put it before the
    callbacks that write the logs down.
    """

    def __init__(self) -> None:
        super().__init__()
        self._stopwatch = Stopwatch()

    def get_state(self) -> dict[str, Any]:
        return {"seconds": self._stopwatch.seconds}

    def set_state(self, state: dict[str, Any]) -> None:
        self._stopwatch = Stopwatch(state["seconds"])

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._stopwatch.start()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._stopwatch.tick()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs["iteration"] = self.model.iterations_done
        logs["seconds"] = round(self._stopwatch.tick(), 3)


class ProgressBar(keras.callbacks.Callback):
    """The iteration, the time left for the whole run and the two losses, in one line.

    The bar that `fit` itself shows starts anew each epoch. The losses are means over the epoch.

    Enter it as a context manager, so that nothing of it comes after what ends `fit`.

    Args:
        iterations: generator iterations in the whole run.
    """

    def __init__(self, iterations: int) -> None:
        super().__init__()
        self.iterations = iterations
        self._bar: tqdm | None = None
        self._has_begun = False

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def on_train_begin(self, logs: dict | None = None) -> None:
        if self._bar is not None:  # a second `fit` of the same run
            return
        self._bar = progress_bar(
            file=sys.stdout, initial=self.model.iterations_done, total=self.iterations
        )

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        losses = {shown: f"{logs[name]:.3g}" for name, shown in _SHOWN.items()}
        self._bar.set_postfix(losses, refresh=False)
        if not self._has_begun:
            self._begin()
        self._bar.update(self.model.iterations_done - self._bar.n)
        if self._bar.n >= self.iterations:
            self._bar.close()

    def _begin(self) -> None:
        """Count the time from here on, without the first iteration, which builds the graph."""
        self._has_begun = True
        self._bar.initial = self._bar.n = self.model.iterations_done
        self._bar.unpause()
