"""Checkpoints: everything that training needs to go on as if it had never stopped.

checkpoint = Checkpoint("flowers/checkpoints", every="epoch", callbacks=[monitor])
checkpoint.restore(model)  # which does nothing the first time
model.fit_to(config.iterations, lambda start: make_dataset(images, config, start),
             callbacks=[monitor, checkpoint])
"""

import json
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from wgan_gp.callbacks.checkpoint_counts import Counts, counts_in, counts_of, set_counts
from wgan_gp.callbacks.checkpoint_epoch import Epoch
from wgan_gp.callbacks.checkpoint_folder import CheckpointFolder
from wgan_gp.callbacks.checkpoint_settings import (
    check_same,
    settings_in,
    settings_of,
    with_rates_of,
)
from wgan_gp.callbacks.every import check_every, is_passed
from wgan_gp.callbacks.stopping import diverged
from wgan_gp.support import replicas
from wgan_gp.support.errors import MALFORMED, InputError, without_example
from wgan_gp.support.fitting import CountingModel
from wgan_gp.support.keras_habits import WATCHING, flat_callbacks
from wgan_gp.support.layers import random_states
from wgan_gp.support.whole_numbers import check_whole

_SECONDS_AT_RISK = 120.0
_MODEL = "model.keras"  # the whole model, so that Keras can load it by itself
_STATE = "state.json"


class Checkpoint(keras.callbacks.Callback):
    """Saves the whole state of training while `fit` runs, and restores it before.

    That is the model as a `.keras` file, with both networks, both optimizers' moments and counts,
    the seed and the iteration; the states of layers that draw at random, such as Dropout; the sums
    behind the metrics of an unfinished epoch; and what the other callbacks remember. (Keras's
    `BackupAndRestore` knows none of the latter three.) The images need no state: `make_dataset` can
    start at any iteration. A checkpoint may lie within an epoch, of which the rest comes first when
    training goes on: `WGANGP.fit_to` sees to that; who calls `fit` has to.

    Put it after the callbacks whose state it saves; where `fit` itself is called, also after those
    that change learning rates as an epoch begins.

    Args:
        folder: where to keep the checkpoints.
        every: generator iterations between two, or "epoch" for one at each epoch's end. None goes
            by the clock: one is written after the iteration in which the last becomes two minutes
            old, so a crash costs at most that and one iteration. On several machines, whose clocks
            differ, None is "epoch". The end of `fit` is saved in any case.
        keep: how many of the newest to keep.
        callbacks: those with a state, in the same order each time: `get_state()` gives what JSON
            can hold, `set_state(state)` takes it back. Keras's `EarlyStopping`, `ReduceLROnPlateau`
            and `ModelCheckpoint` may be among them: then they go on with what they have counted and
            their best value, after a restart as in a second `fit`.

    Raises:
        InputError: `every` or `keep` is below 1, or one of `callbacks` is none, or has no state
            that can be saved; in `fit`: the model cannot be saved, or the folder holds later
            checkpoints, and none was restored.
    """

    def __init__(
        self,
        folder: str | Path,
        every: int | Literal["epoch"] | None = None,
        keep: int = 3,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> None:
        super().__init__()
        check_every("every", every)
        check_whole("keep", keep)
        self.folder = CheckpointFolder(Path(folder), (_MODEL, _STATE), keep)
        self.every = every
        named = _named(callbacks)
        self._stateful = {name: c for name, c in named.items() if hasattr(c, "get_state")}
        self._counting = {name: c for name, c in named.items() if name not in self._stateful}
        for name, callback in self._counting.items():
            if not isinstance(callback, WATCHING):
                raise InputError(
                    f"{name} has no state that Checkpoint could save, no get_state() and "
                    f"set_state(state)"
                )
        self._is_restored = False
        self._settings: dict[str, Any] = {}  # as the model came, before it was restored
        self._optimizer: Any = None  # which they are of: `compile` makes another
        self._saved_iteration = 0
        self._saved_at = time.monotonic()
        self._done = 0  # iterations, when it was last asked whether one is due
        self._epoch = Epoch()
        self._counts: dict[str, Counts] = {}  # of Keras's callbacks, after the last whole epoch

    def restore(self, model: keras.Model) -> int:
        """Bring `model` and the callbacks to the newest undamaged checkpoint, if there is one.

        The model has to be built with the settings that the checkpoint was trained with, because
        the moments of the optimizers depend on them. A learning rate that
        follows no schedule can be changed after this; then it is part of the next checkpoint.

        Returns:
            The generator iterations done.

        Raises:
            InputError: the model is not compiled or cannot be saved, every checkpoint is damaged,
                or the newest is of another model, or of one with other settings.
            OSError: one cannot be read.
        """
        _check_can_be_saved(model)
        if not model.compiled:
            raise InputError("compile the model before restoring it: optimizers are restored, too")
        self._settings, self._optimizer = settings_of(model), model.optimizer
        self._epoch = Epoch()
        checkpoint = self.folder.newest_sound()
        if checkpoint is None:
            return model.iterations_done
        drawn_from = self._take(model, checkpoint)
        _load_weights(model, checkpoint / _MODEL)
        for variable, value in zip(random_states(model), drawn_from, strict=False):
            variable.assign(value)
        if self._epoch.is_unfinished:
            model.note_restored_epoch()
        self._saved_iteration = model.iterations_done
        self._is_restored = True
        return self._saved_iteration

    def _take(self, model: keras.Model, checkpoint: Path) -> np.ndarray:
        """Take back what is not in the model's file; gives the `random_states`."""
        try:
            state = json.loads((checkpoint / _STATE).read_text(encoding="utf-8"))
            there = settings_in(state)
            if model.iterations_done:  # which may have moved its rates since it began
                self._settings = with_rates_of(there, self._settings)
            check_same(there, self._settings, checkpoint)
            self._epoch.restore(state, model)
            self._take_callbacks(state["callbacks"])
            return np.array(state.get("random_states", []), "int64")
        except InputError:
            raise
        except MALFORMED as error:
            raise InputError(
                f"the checkpoint '{checkpoint}' is not one of this program: {error!r}"
            ) from error

    def _take_callbacks(self, states: dict[str, Any]) -> None:
        for name, remembered in states.items():
            if name in self._stateful:
                self._stateful[name].set_state(remembered)
            elif name in self._counting:
                self._counts[name] = counts_in(remembered)

    def save(self) -> None:
        """Write a checkpoint of this moment, unless there is one.

        Raises:
            DivergedError: a weight is no longer finite, and the checkpoint would be worthless.
            OSError: it cannot be written; those before it are as they were.
        """
        iteration = self.model.iterations_done
        if iteration == self._saved_iteration:
            return
        if not all(np.isfinite(weights).all() for weights in self.model.get_weights()):
            raise diverged(self.model, "weights")
        self.folder.write(iteration, self._write)
        self._saved_iteration = iteration
        self._saved_at = time.monotonic()

    def on_train_begin(self, logs: dict | None = None) -> None:
        _check_can_be_saved(self.model)
        self.folder.make()
        if self.every is None and replicas.are_apart(self.model.distribute_strategy):
            self.every = "epoch"  # the same iteration everywhere, whatever a machine's clock says
        self._saved_at = time.monotonic()
        self._done = self.model.iterations_done
        self._note_settings()
        self._check_newest()
        self._saved_iteration = min(self._saved_iteration, self._done)
        for name, counts in self._counts.items():
            set_counts(self._counting[name], counts)
        self._note_counts()
        self._epoch.go_on(self.model, self._end_of_epoch())

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch.begin(self.model, self._end_of_epoch())

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        self._epoch.begin_step()
        # After the last step, but only here is it certain that the epoch goes on. At its end it is
        # `on_epoch_end` that saves, when the other callbacks have taken note of it.
        if self._is_due():
            self.save()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self._counting:  # the only ones that lower a rate as an epoch ends
            self._epoch.note_rates(self.model)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._epoch.end(self.model)
        if not self._epoch.is_unfinished:
            self._note_counts()
        if self.every == "epoch" or self._is_due():
            self.save()

    def on_train_end(self, logs: dict | None = None) -> None:
        self.save()

    def _end_of_epoch(self) -> int | None:
        """The iteration; None if that is not known, as in a training loop of one's own."""
        steps = (self.params or {}).get("steps")
        return self.model.iterations_done + steps if steps else None

    def _note_settings(self) -> None:
        """Note the settings of training from now on; rates that have moved count as they began."""
        settings = settings_of(self.model)
        is_compiled_anew = self._optimizer is not self.model.optimizer
        self._settings = settings if is_compiled_anew else with_rates_of(self._settings, settings)
        self._optimizer = self.model.optimizer

    def _check_newest(self) -> None:
        """Raise an InputError where training would replace checkpoints that were not restored."""
        newest = self.folder.newest()
        is_taken_back = self._done < self._saved_iteration  # such as by `load_weights`
        if newest > self._done and (is_taken_back or not self._is_restored):
            raise InputError(
                f"'{self.folder.path}' holds the checkpoint of iteration {newest}: restore it "
                f"before training, or choose another folder"
            )

    def _note_counts(self) -> None:
        self._counts = {name: counts_of(callback) for name, callback in self._counting.items()}

    def _is_due(self) -> bool:
        """Whether one has become due since this was last asked."""
        if self.every is None:
            return time.monotonic() - self._saved_at >= _SECONDS_AT_RISK
        if self.every == "epoch":
            return False
        before, self._done = self._done, self.model.iterations_done
        return is_passed(before, self._done, self.every)

    def _write(self, folder: Path) -> None:
        state = {
            "iteration": self.model.iterations_done,
            **self._epoch.state(self.model),
            "random_states": [x.numpy().tolist() for x in random_states(self.model)],
            "settings": self._settings,
            "callbacks": {
                **{name: callback.get_state() for name, callback in self._stateful.items()},
                **self._counts,
            },
        }
        (folder / _STATE).write_text(json.dumps(state), encoding="utf-8")
        self.model.save(folder / _MODEL)


def _named(callbacks: Any) -> dict[str, keras.callbacks.Callback]:
    """The callbacks by the names of their classes; a second one of a class has a number, too."""
    named: dict[str, keras.callbacks.Callback] = {}
    for callback in flat_callbacks(callbacks):
        if not isinstance(callback, keras.callbacks.Callback):
            raise InputError(f"Checkpoint saves the states of callbacks, not of {callback!r}")
        name = type(callback).__name__
        earlier = sum(type(other).__name__ == name for other in named.values())
        named[f"{name} {earlier + 1}" if earlier else name] = callback
    return named


def _check_can_be_saved(model: keras.Model) -> None:
    """Raise an InputError where that would fail only once there is something to lose."""
    if not isinstance(model, CountingModel):
        raise InputError(f"a checkpoint is of a WGANGP, not of {model!r}")
    if (year := time.localtime().tm_year) < 1980:
        raise InputError(f"the clock is in {year}, which no .keras file can hold: set it first")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of lambdas, which `save` says again
            keras.saving.serialize_keras_object(model)
    except (NotImplementedError, TypeError) as error:
        why = without_example(error)
        raise InputError(f"the model cannot be saved in a checkpoint: {why}") from error


def _load_weights(model: keras.Model, file: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # all that Keras does about a lost optimizer
        try:
            model.load_weights(file)
        except (MemoryError, tf.errors.ResourceExhaustedError):
            raise
        except Exception as error:  # whatever a file of strangers makes Keras raise
            if isinstance(error, OSError) and error.errno is not None:
                raise
            why = str(error).split("\n")[0].rstrip(" :")  # Keras goes on with a list of layers
            raise InputError(f"the checkpoint '{file}' is of another model: {why}") from error
