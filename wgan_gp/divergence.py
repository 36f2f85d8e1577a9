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
            raise diverged(self.model, ", ".join(broken))


def diverged(model: keras.Model, broken: str) -> DivergedError:
    """The error that says when training broke down, by which values, and what to try."""
    rates = [
        f"{name}_learning_rate (here {float(optimizer.learning_rate):.2g})"
        for name, optimizer in (
            ("critic", model.critic_optimizer),
            ("generator", model.generator_optimizer),
        )
    ]
    return DivergedError(
        f"training broke down at iteration {int(model.iteration.numpy())}: {broken} not finite. "
        f"Try a new run with a lower {' and '.join(rates)}, or a larger batch_size"
    )
