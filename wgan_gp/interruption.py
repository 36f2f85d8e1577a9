"""An orderly stop at Ctrl-C and at the signal with which a system ends a program."""

import signal
import sys
import threading
from types import FrameType

import keras

from wgan_gp.checkpoint import Checkpoint
from wgan_gp.errors import Interrupted


class StopOnSignal(keras.callbacks.Callback):
    """At SIGINT or SIGTERM: finish the iteration, save a checkpoint, raise `Interrupted`.

    It listens while it is entered as a context manager. A second signal stops at once. Put it last.

    with StopOnSignal(checkpoint) as stop:
        model.fit(..., callbacks=[..., checkpoint, stop])
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.checkpoint = checkpoint
        self._received: int | None = None
        self._handlers = {}

    def __enter__(self) -> "StopOnSignal":
        if threading.current_thread() is threading.main_thread():  # no other can listen
            for number in (signal.SIGINT, signal.SIGTERM):
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

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        self.__exit__()
        print("\nStopping after this iteration; once more stops at once.", file=sys.stderr)

    def _stop_if_asked(self) -> None:
        if self._received is not None:
            self.checkpoint.save()
            iteration = int(self.model.iteration.numpy())
            raise Interrupted(self._received, f"stopped after iteration {iteration}")
