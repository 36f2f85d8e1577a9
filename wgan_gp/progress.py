"""A progress bar over the whole run."""

import sys

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

    def on_train_begin(self, logs: dict | None = None) -> None:
        is_live = sys.stdout.isatty() or "ipykernel" in sys.modules
        self._bar = keras.utils.Progbar(
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
