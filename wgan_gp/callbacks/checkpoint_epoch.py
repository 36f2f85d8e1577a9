"""The epoch that a checkpoint lies in: what Keras forgets of it when `fit` begins it once more."""

from typing import Any

import keras
import numpy as np

from wgan_gp.support.optimizers import Rates, set_rates, settable_rates

_Sums = dict[str, list]  # what is behind the metrics, numbers or arrays, by their names


class Epoch:
    """What there is of an epoch: the sums behind its metrics, and the learning rates in it.

    `fit` resets the metrics of an epoch that goes on after a stop. Such an epoch also begins and
    ends twice, and Keras's callbacks change the learning rates each time.
    """

    def __init__(self) -> None:
        self.is_unfinished = False
        self._start = 0  # the iteration that it has begun after
        self._end: int | None = None  # the one that it ends with; None: that is not known
        self._sums_to_go_on_with: _Sums = {}  # of an epoch that is not finished
        self._rates_to_go_on_with: Rates = []  # likewise
        self._rates_of_latest_step: Rates = []

    def state(self, model: keras.Model) -> dict[str, Any]:
        """The state that `restore` takes back, as JSON can hold it."""
        return {"is_within_epoch": self.is_unfinished, "metrics": _sums(model)}

    def restore(self, state: dict[str, Any], model: keras.Model) -> None:
        """Let the epoch of `state` go on, unless that one is finished."""
        self.is_unfinished = bool(state["is_within_epoch"])
        sums = state["metrics"] if self.is_unfinished else {}
        self._sums_to_go_on_with, self._end = _shaped(sums, model), None

    def go_on(self, model: keras.Model, end: int | None) -> None:
        """Before `fit` begins: with the epoch that was cut, if this one ends where that was to."""
        if self._end not in (None, end):
            self._sums_to_go_on_with = {}  # it begins another
        elif self._end is not None and not self._sums_to_go_on_with and self._is_measured(model):
            self._sums_to_go_on_with = _shaped(_sums(model), model)
        if self._sums_to_go_on_with:
            self._rates_to_go_on_with = settable_rates(model)

    def _is_measured(self, model: keras.Model) -> bool:
        """Whether the metrics are those of the steps done of it: not after `load_weights`."""
        return 0 < model.iterations_done - self._start == model.iterations_averaged

    def begin(self, model: keras.Model, end: int | None) -> None:
        """Bring back what it goes on with, if it does."""
        for metric in model.metrics:  # which `fit` has just reset
            sums = self._sums_to_go_on_with.get(metric.name, metric.variables)
            for variable, value in zip(metric.variables, sums, strict=True):
                variable.assign(value)
        self._sums_to_go_on_with = {}
        self._start, self._end = model.iterations_done - model.iterations_averaged, end
        # An epoch that goes on has begun twice, and a `LearningRateScheduler` has changed the rates
        # twice. (At its first step callbacks may set others.)
        set_rates(self._rates_to_go_on_with)
        self._rates_to_go_on_with = []

    def begin_step(self) -> None:
        self.is_unfinished = True  # at its first step, too: rates may have changed as it began

    def note_rates(self, model: keras.Model) -> None:
        """After a step: those that an epoch which is cut short after it goes on with."""
        self._rates_of_latest_step = settable_rates(model)

    def end(self, model: keras.Model) -> None:
        """It ends, if only for now: one that was stopped before its last step was cut short.

        (One that has had no more images is at its end.)
        """
        # It is to be continued if training goes on some day.
        is_short = self._end is not None and model.iterations_done < self._end
        self.is_unfinished = bool(model.stop_training and is_short)
        if self.is_unfinished:
            set_rates(self._rates_of_latest_step)  # which it was too early to lower


def _sums(model: keras.Model) -> _Sums:
    """The sums that the metrics are computed from."""
    return {
        metric.name: [variable.numpy().tolist() for variable in metric.variables]
        for metric in model.metrics
    }


def _shaped(sums: _Sums, model: keras.Model) -> _Sums:
    """`sums` as arrays in the shapes of the metrics' variables."""
    return {
        metric.name: [
            np.asarray(value, "float64").reshape(variable.shape)
            for variable, value in zip(metric.variables, sums[metric.name], strict=True)
        ]
        for metric in model.metrics
        if metric.name in sums
    }
