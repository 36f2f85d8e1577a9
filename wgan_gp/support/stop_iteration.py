"""A callback's StopIteration, which Keras takes for the end of the images."""

import keras

from wgan_gp.support.errors import InputError


def told_apart(callbacks: list[keras.callbacks.Callback]) -> list[keras.callbacks.Callback]:
    """`callbacks` between two that raise an InputError if one of them has broken off an epoch.

    Keras would begin the images again, or blame them.
    """
    if not callbacks:
        return []
    last = _Steps()
    return [_First(last), *callbacks, last]


class _Steps(keras.callbacks.Callback):
    """Counts the steps that it has seen begin and end."""

    async_safe = True  # or Keras would wait for it after each step

    def __init__(self) -> None:
        super().__init__()
        self.begun = self.ended = 0

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self.begun += 1

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.ended += 1


class _First(_Steps):
    """Compares its counts with those of the last callback."""

    def __init__(self, last: _Steps) -> None:
        super().__init__()
        self._last = last

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if (self.begun, self.ended) != (self._last.begun, self._last.ended):
            raise InputError(
                f"a callback raised StopIteration, or OutOfRangeError, at iteration "
                f"{self.model.iterations_done}, which Keras takes for the end of the images: "
                f"catch it there"
            )
