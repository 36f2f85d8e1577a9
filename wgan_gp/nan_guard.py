"""A stop when training has broken down."""

import math

import keras


class StopAtNaN(keras.callbacks.Callback):
    """Stops training at the first iteration whose losses are not finite.

    Keras's own `TerminateOnNaN` looks only at a log called `loss`, which a GAN does not have.
    `failed_at` is that iteration, or None.
    """

    failed_at: int | None = None

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if all(math.isfinite(value) for value in logs.values()):
            return
        self.failed_at = int(self.model.iteration.numpy())
        self.model.stop_training = True
