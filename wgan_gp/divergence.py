"""A stop when training has broken down."""

import math

import keras

from wgan_gp.errors import DivergedError


class StopAtNaN(keras.callbacks.Callback):
    """Ends `fit` with a `DivergedError` at the first iteration whose losses are not finite.

    Put it first: no callback after it then sees, draws or saves what is broken. (Keras's own
    `TerminateOnNaN` looks only at a log called `loss`, which a GAN does not have.)
    """

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        broken = [name for name, value in logs.items() if not math.isfinite(value)]
        if broken:
            raise DivergedError(
                f"training broke down at iteration {int(self.model.iteration.numpy())}: "
                f"{', '.join(broken)} not finite. Try lower learning rates"
            )
