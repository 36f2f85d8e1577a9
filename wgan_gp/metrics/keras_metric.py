"""The metrics of two sets as a Keras metric."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from wgan_gp.metrics.checkerboard import checkerboard
from wgan_gp.metrics.diversity import diversity
from wgan_gp.metrics.fid import frechet_inception_distance
from wgan_gp.metrics.kid import kernel_inception_distance
from wgan_gp.metrics.precision_recall import precision_and_recall
from wgan_gp.metrics.swd import sliced_wasserstein_distance
from wgan_gp.support.errors import InputError

for _function in (
    checkerboard,
    diversity,
    frechet_inception_distance,
    kernel_inception_distance,
    precision_and_recall,
    sliced_wasserstein_distance,
):
    keras.saving.register_keras_serializable(package="wgan_gp")(_function)


@keras.saving.register_keras_serializable(package="wgan_gp")
class SetMetric(keras.metrics.Metric):
    """A function of a real and a generated set, fed batch by batch.

    metric = SetMetric(kernel_inception_distance, name="kid")
    metric.update_state(real_features, generated_features)  # as often as there are batches
    metric.result()  # {"mean": ..., "deviation": ...}

    The sets are held in the host's memory and measured as a whole, hence it works on values, not
    within a compiled step: update it from a callback or a `test_step` with `run_eagerly`. It has no
    result before its first update, so a model that `fit` trains must not have it among its metrics.

    Args:
        function: (real, generated) -> a number, a dictionary or a named tuple of numbers, over
            images or features; to save the metric, one of this package or registered with Keras.
    """

    def __init__(self, function: Callable, name: str | None = None, dtype: Any = None) -> None:
        if not callable(function):
            raise InputError(
                f"function takes two sets, as those of wgan_gp.metrics do; {function!r} is none"
            )
        super().__init__(name=name or getattr(function, "__name__", "distance"), dtype=dtype)
        self.function = function
        self.reset_state()

    def update_state(self, real, generated, sample_weight=None) -> None:
        if sample_weight is not None:
            raise InputError(f"{self.name} has no use for sample weights: leave sample_weight out")
        try:
            arrays = [keras.ops.convert_to_numpy(batch) for batch in (real, generated)]
        except NotImplementedError as error:  # of tensors without values
            raise InputError(f"{self.name} needs values: compile with run_eagerly=True") from error
        for batches, array in zip(self._batches, arrays, strict=True):
            batches.append(array)

    def result(self) -> float | dict[str, float]:
        if not all(self._batches):
            raise InputError(f"{self.name} has no images yet: call update_state before result")
        result = self.function(*(np.concatenate(batches) for batches in self._batches))
        return result._asdict() if hasattr(result, "_asdict") else result

    def reset_state(self) -> None:
        self._batches: tuple[list, list] = [], []

    def get_config(self) -> dict[str, Any]:
        function = keras.saving.serialize_keras_object(self.function)
        return {**super().get_config(), "function": function}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SetMetric":
        function = keras.saving.deserialize_keras_object(config["function"])
        return cls(**{**config, "function": function})
