"""A learning rate that falls in the second half of training."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="wgan_gp")
class HeldThenLinear(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate held for half of the updates, then lowered in a straight line.

    Args:
        initial: the rate of the first half.
        updates: of the whole training; after it the rate stays as it is at its end.
        final: share of `initial` that is left at the end.
    """

    def __init__(self, initial: float, updates: int, final: float) -> None:
        super().__init__()
        self.initial = initial
        self.updates = updates
        self.final = final

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        done_of_second_half = 2.0 * ops.cast(step, "float32") / self.updates - 1.0
        return self.initial * (1.0 - (1.0 - self.final) * ops.clip(done_of_second_half, 0.0, 1.0))

    def get_config(self) -> dict[str, Any]:
        return {"initial": self.initial, "updates": self.updates, "final": self.final}
