"""How far a run is: its iterations, its time, and a bar that shows both."""

import sys
from typing import Any

import keras
from tqdm import tqdm

from wgan_gp.callbacks.stopwatch import Stopwatch
from wgan_gp.support.notebook import running_cell
from wgan_gp.support.saying import say

# Short names, so that the line fits a terminal of 80 columns with some bar left.
_SHOWN = {"critic_loss": "critic", "generator_loss": "generator"}
# Seconds between two updates; where the bar cannot be redrawn in place, each one is a line.
_TERMINAL_INTERVAL = 0.1
_LOG_FILE_INTERVAL = 60.0


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

    def __enter__(self) -> "ProgressBar":
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def on_train_begin(self, logs: dict | None = None) -> None:
        if self._bar is not None:  # a second `fit` of the same run
            return
        is_terminal = sys.stdout is not None and sys.stdout.isatty()
        is_live = is_terminal or running_cell() is not None
        self._bar = tqdm(
            initial=self.model.iterations_done,
            total=self.iterations,
            unit="it",
            file=sys.stdout if is_live else _Lines(),
            mininterval=_TERMINAL_INTERVAL if is_live else _LOG_FILE_INTERVAL,
            dynamic_ncols=is_live,
            ncols=None if is_live else 79,
        )

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        losses = {shown: f"{logs[name]:.3g}" for name, shown in _SHOWN.items()}
        self._bar.set_postfix(losses, refresh=False)
        self._bar.update(self.model.iterations_done - self._bar.n)
        if self._bar.n >= self.iterations:
            self._bar.close()


class _Lines:
    """A log file as tqdm's output: each state of the bar becomes a line of its own."""

    def write(self, text: str) -> None:
        text = text.strip("\r\n ")
        if text:
            say(text)

    def flush(self) -> None:
        pass
