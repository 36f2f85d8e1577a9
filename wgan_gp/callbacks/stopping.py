"""What ends training before its time: broken numbers, and signals."""

import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import keras
import numpy as np

from wgan_gp.support.errors import DivergedError, Interrupted
from wgan_gp.support.saying import say

# Where there is no SIGHUP, as on Windows, the first two alone.
_SIGNALS = {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}


class StopAtNaN(keras.callbacks.Callback):
    """Ends `fit` with a `DivergedError` at the first iteration whose losses are not finite.

    Put it first: no callback after it then sees, draws or saves what is broken. (Keras's own
    `TerminateOnNaN` looks only at a log called `loss`, which a GAN does not have.)
    """

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        broken = [name for name, value in (logs or {}).items() if not np.isfinite(value).all()]
        if broken:
            raise diverged(self.model, ", ".join(broken))


def diverged(model: keras.Model, broken: str) -> DivergedError:
    """The error that says when training broke down, by which values, and what to try."""
    rates = [
        f"{name}_learning_rate (here {keras.ops.convert_to_numpy(optimizer.learning_rate):.2g})"
        for name, optimizer in (
            ("critic", model.critic_optimizer),
            ("generator", model.generator_optimizer),
        )
    ]
    return DivergedError(
        f"training broke down at iteration {model.iterations_done}: {broken} not finite. "
        f"Try a new run with a lower {' and '.join(rates)}, or a larger batch_size"
    )


class StopOnSignal(keras.callbacks.Callback):
    """At SIGINT, SIGTERM or SIGHUP: finish the iteration, save, stop.

    (Ctrl-C, the system that shuts down, the terminal that closes.)

    It listens while it is entered as a context manager, and ends `fit` with `Interrupted`. Python
    hears a signal when TensorFlow's iteration is over; a second one after that stops at once. Put
    it last.

    with StopOnSignal(checkpoint.save) as stop:
        model.fit(..., callbacks=[..., checkpoint, stop])

    Args:
        save: called before `fit` ends.
    """

    def __init__(self, save: Callable[[], None]) -> None:
        super().__init__()
        self.save = save
        self._received: int | None = None
        self._handlers: dict[int, Any] = {}

    def __enter__(self) -> "StopOnSignal":
        if threading.current_thread() is threading.main_thread():  # no other can listen
            for number in _SIGNALS:
                if signal.getsignal(number) != signal.SIG_IGN:  # as `nohup` and the like ask for
                    self._handlers[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        while self._handlers:
            signal.signal(*self._handlers.popitem())

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._stop_if_asked()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._stop_if_asked()

    def on_train_end(self, logs: dict | None = None) -> None:
        self._stop_if_asked()  # while the last checkpoint was written

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        self.__exit__()
        say("\nStopping after this iteration; once more stops at once.", sys.stderr)

    def _stop_if_asked(self) -> None:
        if self._received is not None:
            self.save()
            iteration = self.model.iterations_done
            raise Interrupted(self._received, f"stopped after iteration {iteration}")
