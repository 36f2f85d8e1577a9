"""A progress bar over the whole run."""

import sys
from typing import Any

import keras

# Short names, so that the line fits a terminal of 80 columns; a longer one would wrap.
_SHOWN = {"critic_loss": "critic", "generator_loss": "generator"}
# Seconds between two updates; where the bar cannot be redrawn in place, each one is a line.
_TERMINAL_INTERVAL = 0.1
_LOG_FILE_INTERVAL = 60.0


class ProgressBar(keras.callbacks.Callback):
    """Keras's bar with the iteration, the time left for the whole run and the two losses.

    The bar that `fit` itself shows starts anew each epoch. The losses are means over the epoch.

    Args:
        iterations: generator iterations in the whole run.
    """

    def __init__(self, iterations: int) -> None:
        super().__init__()
        self.iterations = iterations
        self._bar: _Bar | None = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        if self._bar:  # a second `fit` of the same run
            return
        is_live = sys.stdout.isatty() or "ipykernel" in sys.modules
        self._bar = _Bar(
            int(self.model.iteration.numpy()),
            self.iterations,
            width=8,
            interval=_TERMINAL_INTERVAL if is_live else _LOG_FILE_INTERVAL,
            stateful_metrics=list(_SHOWN.values()),
            unit_name="iteration",
        )
        self._bar._dynamic_display = is_live  # Keras takes every POSIX output for a terminal

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        iteration = int(self.model.iteration.numpy())
        self._bar.update(iteration, [(_SHOWN[k], logs[k]) for k in _SHOWN])


class _Bar(keras.utils.Progbar):
    """A bar that may start midway: what was `done` before took no time."""

    def __init__(self, done: int, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._done = done

    def _estimate_step_duration(self, current: int, now: float) -> float:
        return super()._estimate_step_duration(current - self._done, now)
