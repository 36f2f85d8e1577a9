"""The Checkpoint callback, and the checkpoints on disk."""

import contextlib
import dataclasses
import errno
import functools
import hashlib
import io
import json
import logging
import math
import os
import random
import shutil
import time
import warnings
from pathlib import Path
from unittest.mock import Mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from wgan_gp import (
    Checkpoint,
    HistoryFile,
    InputError,
    Monitor,
    build_critic,
    build_generator,
    make_dataset,
)
from wgan_gp.callbacks.checkpoint_folder import CheckpointFolder
from wgan_gp.callbacks.checkpoint_settings import settings_in
from wgan_gp.callbacks.stopping import StopAtNaN
from wgan_gp.model import WGANGP, build_model
from wgan_gp.support.errors import DivergedError
from wgan_gp.support.layer_defaults import layer_defaults


@pytest.fixture
def run(tiny_config, tiny_images):
    """Trains for the given iterations, in epochs of 4, from where the checkpoints are."""

    def fit(folder: Path, iterations: int, *others: keras.callbacks.Callback, last=(), **options):
        model = build_model(tiny_config)
        monitor = Monitor(every=100)
        history = HistoryFile(folder / "history.csv")
        checkpoint = Checkpoint(
            folder / "checkpoints", callbacks=[monitor, history], **{"every": "epoch", **options}
        )
        checkpoint.restore(model)
        model.fit_to(
            iterations,
            lambda start: make_dataset(tiny_images, tiny_config, start),
            steps_per_epoch=4,
            callbacks=[*others, monitor, history, checkpoint, *last],
            verbose=0,
        )
        return model, monitor

    return fit


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "checkpoints").iterdir())


def all_variables(model: keras.Model) -> list[np.ndarray]:
    variables = [*model.variables, *model.critic_optimizer.variables]
    return [v.numpy() for v in (*variables, *model.generator_optimizer.variables)]


def test_an_empty_folder_leaves_a_model_where_it_is(tiny_config, tmp_path):
    model = build_model(tiny_config)
    model.iteration.assign(7)  # as of one that `load_model` has read
    assert Checkpoint(tmp_path / "none").restore(model) == 7
    assert model.iterations_done == 7


def test_layers_that_draw_at_random_go_on_with_what_they_would_have_drawn(
    tiny_config, tiny_images, tmp_path
):
    def trained(folder: Path, *iterations: int) -> WGANGP:
        for number, upto in enumerate(iterations):
            critic = keras.Sequential([build_critic(tiny_config), keras.layers.Dropout(0.5)])
            critic.layers[-1].seed_generator.state.assign(
                [number - 1, 0]
            )  # of a process of its own
            model = WGANGP(build_generator(tiny_config), critic, n_critic=2)
            model.compile(keras.optimizers.SGD(1e-2), keras.optimizers.SGD(1e-2))
            checkpoint = Checkpoint(folder)
            checkpoint.restore(model)
            config = dataclasses.replace(tiny_config, n_critic=2)
            stream = functools.partial(make_dataset, tiny_images, config)
            model.fit_to(upto, stream, callbacks=[checkpoint], verbose=0)
        return model

    at_once = trained(tmp_path / "at once", 4)
    in_two = trained(tmp_path / "in two", 2, 4)
    for here, there in zip(all_variables(at_once), all_variables(in_two), strict=True):
        np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize(("every", "stop"), [("epoch", 4), (None, 6), (3, 7)])
def test_fit_goes_on_from_the_checkpoint_of_another_model_object(run, tmp_path, every, stop):
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    whole, whole_monitor = run(tmp_path / "whole", 10, every=every)
    run(tmp_path / "parts", stop, every=every)
    parts, parts_monitor = run(tmp_path / "parts", 10, every=every)
    assert int(parts.iteration.numpy()) == 10
    for expected, found in zip(all_variables(whole), all_variables(parts), strict=True):
        np.testing.assert_array_equal(expected, found)
    assert whole_monitor.get_state()["curve"] == parts_monitor.get_state()["curve"]
    histories = [(tmp_path / name / "history.csv").read_text() for name in ("whole", "parts")]
    assert histories[0] == histories[1]
    assert len(histories[0].splitlines()) == 1 + 3


@pytest.mark.parametrize(
    "optimizer",
    [
        lambda: keras.optimizers.Adam(
            keras.optimizers.schedules.PiecewiseConstantDecay((2, 4), (1e-3, 1e-4, 1e-5))
        ),
        lambda: keras.optimizers.Adam(1e-4, beta_1=np.float32(0.5)),
    ],
    ids=["tuples", "NumPy's numbers"],
)
def test_settings_that_json_writes_otherwise_are_known_again(
    tiny_config, tiny_images, tmp_path, optimizer
):
    for iterations in (2, 3):
        model = WGANGP(
            build_generator(tiny_config), build_critic(tiny_config), tiny_config.n_critic
        )
        model.compile(optimizer(), optimizer())
        checkpoint = Checkpoint(tmp_path)
        assert checkpoint.restore(model) == (0 if iterations == 2 else 2)
        stream = functools.partial(make_dataset, tiny_images, tiny_config)
        model.fit_to(iterations, stream, callbacks=[checkpoint], verbose=0)


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_a_learning_rate_that_is_a_lambda_may_move_to_another_line(
    tiny_config, tiny_images, tmp_path
):
    rates = (
        lambda: 1e-3,
        lambda: 1e-3,
    )
    for iterations, rate in zip((2, 3), rates, strict=True):
        model = WGANGP(build_generator(tiny_config), build_critic(tiny_config))
        model.compile(keras.optimizers.Adam(rate), keras.optimizers.Adam(1e-3))
        checkpoint = Checkpoint(tmp_path)
        assert checkpoint.restore(model) == (0 if iterations == 2 else 2)
        stream = functools.partial(
            make_dataset, tiny_images, dataclasses.replace(tiny_config, n_critic=model.n_critic)
        )
        model.fit_to(iterations, stream, callbacks=[checkpoint], verbose=0)
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    with pytest.raises(InputError, match="critic_learning_rate is "):
        Checkpoint(tmp_path).restore(model)


def test_a_callback_that_evaluates_changes_no_row_even_after_a_stop(run, tiny_images, tmp_path):
    def evaluate(number: int, logs: dict | None = None) -> None:
        if watch.model.iterations_done in (8, 9, 10):
            watch.model.evaluate(tiny_images / 127.5 - 1, verbose=0)

    watch = keras.callbacks.LambdaCallback(on_train_batch_end=evaluate, on_epoch_end=evaluate)
    for name, others in (("without", []), ("with", [watch])):
        (tmp_path / name).mkdir()
        for iterations in (10, 12):
            run(tmp_path / name, iterations, *others)
    rows = (tmp_path / "with" / "history.csv").read_text()
    assert rows == (tmp_path / "without" / "history.csv").read_text()
    assert rows.count("\n") == 1 + 3  # the header, and the epochs of 4, 8 and 12


CUTS = [  # the hooks of a callback, and the iterations after which they fail, once each
    ("on_epoch_begin", 0, KeyboardInterrupt),
    ("on_train_batch_begin", 0, InputError),
    ("on_train_batch_end", 5, KeyboardInterrupt),
    ("on_epoch_begin", 5, KeyboardInterrupt),
    ("on_train_batch_begin", 6, InputError),
    ("on_train_batch_begin", 6, KeyboardInterrupt),
    ("on_epoch_begin", 8, InputError),
    ("on_train_batch_begin", 8, KeyboardInterrupt),
    ("on_train_batch_end", 10, InputError),
]


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="Keras before 3.15")
def test_an_epoch_that_an_error_has_cut_goes_on_with_the_model(tiny_config, tiny_images, tmp_path):
    class Failing(keras.callbacks.Callback):
        def fail(self, hook: str) -> None:
            if cuts and cuts[0][:2] == (hook, self.model.iterations_done):
                raise cuts.pop(0)[2]

    for hook in {hook for hook, _, _ in CUTS}:
        setattr(Failing, hook, lambda self, number, logs=None, hook=hook: self.fail(hook))

    def rows_of(place: int) -> str:
        model, folder = build_model(tiny_config), tmp_path / f"{place} {len(cuts)}"
        history = HistoryFile(folder / "history.csv")
        checkpoint = Checkpoint(folder, "epoch", callbacks=[history])
        fall = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.8 * rate)
        callbacks = [fall, history, checkpoint]
        callbacks.insert(place, Failing())
        while model.iterations_done < 12:
            with contextlib.suppress(KeyboardInterrupt, InputError):
                model.fit_to(
                    12,
                    lambda start: make_dataset(tiny_images, tiny_config, start),
                    steps_per_epoch=4,
                    callbacks=callbacks,
                    verbose=0,
                )
        assert not cuts
        return history.path.read_text()

    cuts = []
    expected = rows_of(0)
    assert expected.count("\n") == 1 + 3  # the header, and the epochs of 4, 8 and 12
    for place in (0, 1, 3):  # before the rates fall, after that, after the checkpoint
        cuts = CUTS.copy()
        assert rows_of(place) == expected


def test_an_epoch_that_is_taken_back_goes_on_with_nothing(tiny_config, tiny_images, tmp_path):
    def stop(batch: int, logs: dict | None = None) -> None:
        if cuts == [model.iterations_done]:
            cuts.clear()
            raise KeyboardInterrupt

    model, history, cuts = build_model(tiny_config), HistoryFile(tmp_path / "history.csv"), []
    cutting = keras.callbacks.LambdaCallback(on_train_batch_end=stop)
    callbacks = [cutting, history, Checkpoint(tmp_path, 100)]

    def train(until: int) -> None:
        stream = functools.partial(make_dataset, tiny_images, tiny_config)
        model.fit_to(until, stream, steps_per_epoch=4, callbacks=callbacks, verbose=0)

    train(8)
    expected = history.path.read_text()
    model = build_model(tiny_config)
    callbacks[1:] = [history := HistoryFile(tmp_path / "b.csv"), Checkpoint(tmp_path / "b", 100)]
    train(4)
    model.save_weights(tmp_path / "4.weights.h5")
    adams = [v.numpy() for v in model.optimizer.variables]
    cuts.append(6)
    with pytest.raises(KeyboardInterrupt):
        train(8)
    model.load_weights(tmp_path / "4.weights.h5")
    for variable, value in zip(model.optimizer.variables, adams, strict=True):
        variable.assign(value)
    train(8)
    assert history.path.read_text() == expected


def test_nadam_in_float16_goes_on_to_the_bit(tiny_config, tiny_images, tmp_path):
    config = dataclasses.replace(tiny_config, precision="mixed_float16")
    weights = []
    for name, stops in (("whole", [3]), ("parts", [2, 3])):
        for stop in stops:
            keras.utils.set_random_seed(0)
            with layer_defaults(config.precision):
                model = WGANGP(build_generator(config), build_critic(config), config.n_critic)
            optimizers = keras.optimizers.Nadam(1e-3), keras.optimizers.Nadam(1e-3)
            model.compile(*optimizers, run_eagerly=True)
            checkpoint = Checkpoint(tmp_path / name)
            checkpoint.restore(model)
            stream = functools.partial(make_dataset, tiny_images, config)
            model.fit_to(stop, stream, callbacks=[checkpoint], verbose=0)
        weights.append(all_variables(model))
    assert all(map(np.array_equal, *weights))


def test_a_clock_before_any_file_is_noticed_before_training(run, tmp_path, monkeypatch):
    monkeypatch.setattr("wgan_gp.callbacks.checkpoint.time.localtime", lambda: time.gmtime(1e5))
    with pytest.raises(InputError, match="the clock is in 1970"):
        run(tmp_path, 4)
    assert not list(tmp_path.rglob("iteration-*"))


def test_a_training_loop_of_ones_own_writes_checkpoints(tiny_config, tiny_images, tmp_path):
    model, checkpoint = build_model(tiny_config), Checkpoint(tmp_path, every="epoch")
    callbacks = keras.callbacks.CallbackList([checkpoint], model=model)
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(0)
    for batch, images in enumerate(make_dataset(tiny_images, tiny_config).take(2)):
        callbacks.on_train_batch_begin(batch)
        callbacks.on_train_batch_end(batch, model.train_on_batch(images, return_dict=True))
    callbacks.on_epoch_end(0)
    assert Checkpoint(tmp_path).restore(build_model(tiny_config)) == 2


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="Keras before 3.15")
@pytest.mark.parametrize("place", ["before the checkpoint", "after it"])
def test_an_epoch_that_begins_twice_lowers_its_rates_once(run, tiny_config, tmp_path, place):
    for stop in (6, 7, 10):
        halving = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
        both = ([], [halving]) if place == "after it" else ([halving], [])
        model, _ = run(tmp_path, stop, *both[0], last=both[1], every=3)
    optimizers = (model.critic_optimizer, model.generator_optimizer)
    rates = [float(optimizer.learning_rate) for optimizer in optimizers]
    first = (tiny_config.critic_learning_rate, tiny_config.generator_learning_rate)
    assert rates == pytest.approx([rate / 2**3 for rate in first])  # in epochs of 4, 4 and 2


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="Keras before 3.15")
@pytest.mark.parametrize("is_restored", [False, True])
def test_a_step_of_ones_own_within_an_epoch_begins_no_other(
    tiny_config, tiny_images, tmp_path, is_restored
):
    stream = functools.partial(make_dataset, tiny_images, tiny_config)
    halving = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)

    def train_to(iterations: int, model: WGANGP) -> WGANGP:
        checkpoint = Checkpoint(tmp_path)
        if is_restored:
            checkpoint.restore(model)
        for images in stream(model.iterations_done).take(model.iterations_done % 4 // 2):
            model.train_on_batch(images)  # one, where half of an epoch is done
        callbacks = [halving, *([checkpoint] if is_restored else [])]
        model.fit_to(iterations, stream, steps_per_epoch=4, callbacks=callbacks, verbose=0)
        return model

    model = train_to(6, build_model(tiny_config))
    model = train_to(8, build_model(tiny_config) if is_restored else model)
    halved_twice = tiny_config.critic_learning_rate / 2**2
    assert float(model.critic_optimizer.learning_rate) == pytest.approx(halved_twice)
    assert model.iterations_done == 8


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="Keras before 3.15")
@pytest.mark.parametrize("place", ["before the checkpoint", "after it"])
def test_an_epoch_that_has_only_begun_lowers_its_rates_once(
    run, tiny_config, tmp_path, monkeypatch, place
):
    clock = [0.0]
    monkeypatch.setattr("wgan_gp.callbacks.checkpoint.time.monotonic", lambda: clock[0])

    def wait(epoch: int) -> None:
        clock[0] += 200.0 * (epoch == 1)  # so that a checkpoint is due as the second epoch begins

    def die(batch: int) -> None:
        if clock[0] and batch == 0:
            raise InterruptedError

    def rate(**others) -> float:
        halving = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
        both = ([], [halving]) if place == "after it" else ([halving], [])
        watching = keras.callbacks.LambdaCallback(**others)
        model, _ = run(tmp_path, 8, *both[0], watching, last=both[1], every=None)
        return float(model.critic_optimizer.learning_rate)

    with pytest.raises(InterruptedError):
        rate(
            on_epoch_begin=lambda epoch, logs: wait(epoch),
            on_train_batch_end=lambda batch, logs: die(batch),
        )
    assert "iteration-000004" in names(tmp_path)
    assert rate() == pytest.approx(tiny_config.critic_learning_rate / 2**2)


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="Keras before 3.15")
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_an_epoch_that_the_images_end_is_no_epoch_cut_short(tiny_config, tiny_images, tmp_path):
    """After it a rate may fall, and the next epoch has sums of its own."""

    def trained(is_saved: bool) -> WGANGP:
        model = build_model(tiny_config)
        halving = keras.callbacks.ReduceLROnPlateau(
            "critic_loss", mode="min", factor=0.5, patience=1, min_delta=1e9
        )
        saves = [Checkpoint(tmp_path, every="epoch", callbacks=[halving])] if is_saved else []
        six = make_dataset(tiny_images, tiny_config).take(6)
        callbacks = [halving, *saves]
        model.fit(six, epochs=3, steps_per_epoch=4, callbacks=callbacks, verbose=0)
        return model

    for model in map(trained, (False, True)):
        assert model.iterations_done == 10  # in epochs of 4, 2 and 4
        rate = float(model.critic_optimizer.learning_rate)
        assert rate == pytest.approx(tiny_config.critic_learning_rate / 4)
    state = json.loads((tmp_path / "iteration-000006" / "state.json").read_text())
    assert not state["is_within_epoch"]


class Flat(keras.callbacks.Callback):
    """Something to watch, which is best in the second epoch."""

    def on_epoch_end(self, epoch, logs=None):
        logs["val_x"] = [3.0, 1.0, 2.0][min(epoch, 2)]


def watching(folder: Path) -> list[keras.callbacks.Callback]:
    """Keras's callbacks that watch a number, one of a class."""
    watched = {"monitor": "val_x", "mode": "min"}
    return [
        keras.callbacks.EarlyStopping(**watched, patience=5),
        keras.callbacks.ReduceLROnPlateau(**watched, patience=2, cooldown=1, factor=0.5),
        keras.callbacks.ModelCheckpoint(folder / "best.keras", **watched, save_best_only=True),
    ]


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="Keras before 3.15")
@pytest.mark.parametrize("stops", [[12, 99], [9, 10, 15, 17, 99]], ids=["between epochs", "within"])
def test_callbacks_that_count_epochs_go_on_counting(
    models, tiny_config, tiny_images, tmp_path, stops
):
    def run(folder: Path, iterations: int) -> tuple[int, float, float]:
        model, counting = models.take_the_only(tiny_config), watching(folder)
        checkpoint = Checkpoint(folder / "checkpoints", every="epoch", callbacks=counting)
        checkpoint.restore(model)
        stream = functools.partial(make_dataset, tiny_images, tiny_config)
        callbacks = [Flat(), *counting, checkpoint]
        model.fit_to(iterations, stream, steps_per_epoch=4, callbacks=callbacks, verbose=0)
        best = keras.saving.load_model(folder / "best.keras").iterations_done
        return model.iterations_done, float(model.critic_optimizer.learning_rate), best

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    expected = run(whole, 99)
    rate = tiny_config.critic_learning_rate
    assert expected == (7 * 4, pytest.approx(rate / 4), 2 * 4)
    assert [run(parts, stop) for stop in stops][-1] == expected


def test_two_callbacks_of_a_class_have_counts_of_their_own(tiny_config, tiny_images, tmp_path):
    def restored(iterations: int) -> list[keras.callbacks.Callback]:
        model = build_model(tiny_config)
        watched = {"monitor": "val_x", "patience": 50}
        counting = [keras.callbacks.EarlyStopping(**watched, mode=mode) for mode in ("min", "max")]
        checkpoint = Checkpoint(tmp_path, callbacks=counting)
        checkpoint.restore(model)
        stream = functools.partial(make_dataset, tiny_images, tiny_config)
        callbacks = [Flat(), *counting, checkpoint]
        model.fit_to(iterations, stream, steps_per_epoch=1, callbacks=callbacks, verbose=0)
        return counting

    for iterations in (2, 4):
        low, high = restored(iterations)
    assert (low.best, low.wait, high.best, high.wait) == (1.0, 2, 3.0, 3)


class Counting(keras.callbacks.Callback):
    def __init__(self, count: int = 0) -> None:
        super().__init__()
        self.count = count

    def get_state(self) -> dict:
        return {"count": self.count}

    def set_state(self, state: dict) -> None:
        self.count = state["count"]


def test_two_classes_of_one_name_have_states_of_their_own(tiny_config, tmp_path):
    other_class = type("Counting", (Counting,), {})
    model = build_model(tiny_config)
    save(model, tmp_path, Checkpoint(tmp_path, callbacks=[Counting(7), other_class(8)]))
    restored = Counting(), other_class()
    Checkpoint(tmp_path, callbacks=restored).restore(model)
    assert [callback.count for callback in restored] == [7, 8]


def test_what_is_no_callback_is_named(tmp_path):
    with pytest.raises(InputError, match=r"the states of callbacks, not of <class .*Monitor'>"):
        Checkpoint(tmp_path, callbacks=[Monitor])


def test_a_callback_may_be_given_to_it_alone(tiny_config, tiny_images, tmp_path):
    monitor = Monitor()
    model = build_model(tiny_config)
    dataset = make_dataset(tiny_images, tiny_config)
    callbacks = [monitor, Checkpoint(tmp_path, callbacks=monitor)]
    model.fit(dataset, steps_per_epoch=2, verbose=0, callbacks=callbacks)
    other = Monitor()
    Checkpoint(tmp_path, callbacks=other).restore(build_model(tiny_config))
    assert other.get_state() == monitor.get_state()


def test_a_callback_without_a_state_is_named(tmp_path):
    with pytest.raises(InputError, match="CSVLogger has no state that Checkpoint could save"):
        Checkpoint(tmp_path, callbacks=[keras.callbacks.CSVLogger(tmp_path / "log.csv")])


def test_a_rate_changed_after_restoring_within_an_epoch_stays(
    run, tiny_config, tiny_images, tmp_path
):
    run(tmp_path, 6, every=3)  # in epochs of 4
    model, checkpoint = build_model(tiny_config), Checkpoint(tmp_path / "checkpoints", every=3)
    assert checkpoint.restore(model) == 6
    model.critic_optimizer.learning_rate = 1e-6
    stream = functools.partial(make_dataset, tiny_images, tiny_config)
    model.fit_to(7, stream, steps_per_epoch=4, callbacks=[checkpoint], verbose=0)
    assert float(model.critic_optimizer.learning_rate) == pytest.approx(1e-6)


def test_a_rate_that_is_set_at_each_step_is_the_same_after_a_stop(
    tiny_config, tiny_images, tmp_path
):
    def rates(folder: str, *ends: int) -> list[float]:
        seen = []
        for end in ends:
            seen += session(tmp_path / folder, end)
        return seen

    def session(folder: Path, end: int) -> list[float]:
        model, checkpoint, seen = build_model(tiny_config), Checkpoint(folder), []
        checkpoint.restore(model)

        def warm_up(batch: int, logs: dict | None) -> None:
            model.critic_optimizer.learning_rate = 1e-3 * (model.iterations_done + 1)

        def note(batch: int, logs: dict | None) -> None:
            seen.append(float(model.critic_optimizer.learning_rate))

        each = keras.callbacks.LambdaCallback(on_train_batch_begin=warm_up, on_train_batch_end=note)
        stream = functools.partial(make_dataset, tiny_images, tiny_config)
        model.fit_to(end, stream, steps_per_epoch=4, callbacks=[each, checkpoint], verbose=0)
        return seen

    assert rates("stopped", 3, 6) == rates("whole", 6)


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="Keras before 3.15")
def test_a_model_goes_on_though_its_rates_have_moved(tiny_config, tiny_images, tmp_path):
    def run_to(iterations: int, model):
        schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
        checkpoint = Checkpoint(tmp_path, every=np.int64(4))
        checkpoint.restore(model)
        stream = functools.partial(make_dataset, tiny_images, tiny_config)
        callbacks = [schedule, checkpoint]
        model.fit_to(iterations, stream, steps_per_epoch=4, callbacks=callbacks, verbose=0)
        return model

    model = run_to(8, run_to(4, build_model(tiny_config)))  # as a cell of a notebook run twice
    restored = run_to(12, build_model(tiny_config))
    halvings = [tiny_config.critic_learning_rate / 2**n for n in (2, 3)]
    rates = [float(x.critic_optimizer.learning_rate) for x in (model, restored)]
    assert rates == pytest.approx(halvings)


def test_saving_has_no_effect_on_training(run, tmp_path, tiny_config, tiny_images):
    saved, _ = run(tmp_path, 8, every=1)
    plain = build_model(tiny_config)
    dataset = make_dataset(tiny_images, tiny_config)
    plain.fit(dataset, epochs=2, steps_per_epoch=4, verbose=0)
    for expected, found in zip(all_variables(plain), all_variables(saved), strict=True):
        np.testing.assert_array_equal(expected, found)


@pytest.mark.parametrize(
    ("every", "keep", "iterations"),
    [("epoch", 3, [4, 8, 12]), (5, 3, [5, 10, 12]), (1, 2, [11, 12]), (100, 1, [12])],
)
def test_checkpoints_come_as_often_as_asked_for_and_the_newest_stay(
    run, tmp_path, every, keep, iterations
):
    run(tmp_path, 12, every=every, keep=keep)
    assert names(tmp_path) == [f"iteration-{i:06d}" for i in iterations]


def test_by_default_the_time_since_the_last_decides(run, tmp_path, monkeypatch):
    clock = [0.0]

    class Slow(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            clock[0] += 50.0  # seconds

    monkeypatch.setattr("wgan_gp.callbacks.checkpoint.time.monotonic", lambda: clock[0])
    run(tmp_path, 12, Slow(), every=None, keep=9)
    assert names(tmp_path) == [f"iteration-{i:06d}" for i in (3, 6, 9, 12)]


def test_a_run_that_is_moved_meanwhile_is_not_begun_once_more_in_its_place(run, tmp_path):
    def move(batch: int, logs: dict | None = None) -> None:
        if moving.model.iterations_done == 5:
            (tmp_path / "a").rename(tmp_path / "b")

    (tmp_path / "a").mkdir()
    moving = keras.callbacks.LambdaCallback(on_train_batch_begin=move)
    with pytest.raises(FileNotFoundError):
        run(tmp_path / "a", 8, moving, every=3)
    assert not (tmp_path / "a").exists()
    assert names(tmp_path / "b") == ["iteration-000003"]
    with pytest.raises(FileNotFoundError):  # nor if it was moved while the model was built
        CheckpointFolder(tmp_path / "a" / "checkpoints", ()).begin()


def test_a_folder_that_was_removed_between_two_fits_is_made_once_more(
    tiny_config, tiny_images, tmp_path
):
    model, checkpoint = build_model(tiny_config), Checkpoint(tmp_path / "a" / "b")
    stream = functools.partial(make_dataset, tiny_images, tiny_config)
    for iteration in (1, 2):
        model.fit_to(iteration, stream, callbacks=[checkpoint], verbose=0)
        assert CheckpointFolder(tmp_path / "a" / "b", ()).newest() == iteration
        shutil.rmtree(tmp_path / "a")


def test_the_model_of_a_checkpoint_loads_with_keras(run, tmp_path):
    model, _ = run(tmp_path, 4)
    loaded = keras.saving.load_model(tmp_path / "checkpoints" / "iteration-000004" / "model.keras")
    for expected, found in zip(all_variables(model), all_variables(loaded), strict=True):
        np.testing.assert_array_equal(expected, found)


def test_a_folder_of_later_checkpoints_is_not_trained_into_unseen(run, tmp_path, tiny_config):
    run(tmp_path, 8)
    fresh = build_model(tiny_config)
    checkpoint = Checkpoint(tmp_path / "checkpoints")
    with pytest.raises(InputError, match="holds the checkpoint of iteration 8: restore it before"):
        fresh.fit(np.zeros((4, 3, 32, 32, 3)), callbacks=[checkpoint], verbose=0)
    assert names(tmp_path) == ["iteration-000004", "iteration-000008"]


def test_what_could_not_be_restored_is_not_trained_over(run, tmp_path, tiny_config):
    """As in a notebook, whose next cell runs although this one has failed."""
    run(tmp_path, 8)
    other = build_model(dataclasses.replace(tiny_config, gradient_penalty_weight=3.0))
    checkpoint = Checkpoint(tmp_path / "checkpoints", callbacks=[Monitor(), HistoryFile("a.csv")])
    with pytest.raises(InputError, match="gradient_penalty_weight is 10 there, not 3"):
        checkpoint.restore(other)
    with pytest.raises(InputError, match="holds the checkpoint of iteration 8: restore it before"):
        other.fit(np.zeros((4, 3, 32, 32, 3)), callbacks=[checkpoint], verbose=0)
    assert names(tmp_path) == ["iteration-000004", "iteration-000008"]


def test_a_model_that_is_taken_back_keeps_its_new_checkpoints(tiny_config, tiny_images, tmp_path):
    model = build_model(tiny_config)
    checkpoint = Checkpoint(tmp_path / "checkpoints", every=4)
    checkpoint.restore(model)

    def train() -> None:
        stream = functools.partial(make_dataset, tiny_images, tiny_config)
        model.fit_to(8, stream, steps_per_epoch=4, callbacks=[checkpoint], verbose=0)

    train()
    former = model.generator.get_weights()[0]
    model.load_weights(tmp_path / "checkpoints" / "iteration-000004" / "model.keras")
    model.critic_optimizer.learning_rate = 5e-3
    with pytest.raises(InputError, match="holds the checkpoint of iteration 8: restore it before"):
        train()
    shutil.rmtree(tmp_path / "checkpoints" / "iteration-000008")
    train()
    fresh, restoring = build_model(tiny_config), Checkpoint(tmp_path / "checkpoints")
    assert restoring.restore(fresh) == 8
    np.testing.assert_array_equal(
        fresh.generator.get_weights()[0], model.generator.get_weights()[0]
    )
    assert not np.array_equal(model.generator.get_weights()[0], former)
    fresh.load_weights(tmp_path / "checkpoints" / "iteration-000004" / "model.keras")
    with pytest.raises(InputError, match="holds the checkpoint of iteration 8: restore it before"):
        fresh.fit(np.zeros((4, 3, 32, 32, 3)), callbacks=[restoring], verbose=0)


RESUMING = Path(__file__).parents[2] / "docs" / "resuming.md"


@pytest.mark.parametrize("every", ["None", "'epoch'", "3", "100"])
def test_the_documented_recipe_ends_where_it_says(
    tiny_config, tiny_images, tmp_path, monkeypatch, every
):
    monkeypatch.chdir(tmp_path)
    recipe, _ = RESUMING.read_text(encoding="utf-8").split("callbacks=[history, checkpoint]")
    recipe = recipe.rpartition("```python\n")[2] + "callbacks=[history, checkpoint], verbose=0)"
    assert 'Checkpoint("checkpoints"' in recipe
    recipe = recipe.replace('Checkpoint("checkpoints"', f'Checkpoint("checkpoints", every={every}')
    for iterations in (10, 12):
        config = dataclasses.replace(tiny_config, iterations=iterations)
        names = {"make_dataset": make_dataset, "images": tiny_images, "config": config}
        exec(recipe, {**names, "model": (model := build_model(config))})
        assert int(model.iteration.numpy()) == iterations


def test_a_checkpoint_of_other_settings_is_refused(tiny_config, tmp_path):
    save(build_model(tiny_config), tmp_path)
    for setting, said in (
        ({"critic_learning_rate": 1e-3}, "critic_learning_rate is 0.0002 there, not 0.001;"),
        ({"gradient_penalty_weight": 5.0}, "gradient_penalty_weight is 10 there, not 5;"),
        ({"penalty_every": 4}, "penalty_every is 1 there, not 4;"),
        ({"beta_2": 0.99, "seed": 3}, "seed is 0 there, not 3, .*generator_beta_2 is 0.9 there"),
    ):
        other = build_model(dataclasses.replace(tiny_config, **setting))
        said = f"^the checkpoint '[^']*' goes on with .*{said}"
        with pytest.raises(InputError, match=said):
            Checkpoint(tmp_path).restore(other)
        assert int(other.iteration.numpy()) == 0


def test_a_run_of_another_length_is_told_by_its_schedules(tiny_config, tmp_path):
    config = dataclasses.replace(tiny_config, final_learning_rate=0.5)
    checkpoint = Checkpoint(tmp_path)
    checkpoint.set_model(build_model(config))
    checkpoint.restore(checkpoint.model)
    checkpoint.model.iteration.assign(1)
    checkpoint.save()
    longer = build_model(dataclasses.replace(config, iterations=7))
    said = (
        r"generator_learning_rate is HeldThenLinear \(initial 0.001, updates 5, final 0.5\) there, "
        r"not HeldThenLinear \(initial 0.001, updates 7, final 0.5\)"
    )
    with pytest.raises(InputError, match=said):
        Checkpoint(tmp_path).restore(longer)
    (state,) = tmp_path.glob("*/state.json")
    named, with_module = '"class_name"', '"module": "where.it.was.once", "class_name"'
    assert named in state.read_text()
    state.write_text(state.read_text().replace(named, with_module))
    checkpoint.folder._write_sums(state.parent)
    assert Checkpoint(tmp_path).restore(build_model(config)) == 1


def test_a_checkpoint_of_another_optimizer_is_refused(tiny_config, tmp_path):
    """Adamax keeps as many variables as Adam, of the same shapes, and has no setting of its own."""
    networks = build_generator(tiny_config), build_critic(tiny_config)
    model = WGANGP(*networks, seed=tiny_config.seed)
    model.compile(keras.optimizers.Adamax(1e-3), keras.optimizers.Adam(1e-3))
    save(model, tmp_path)
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    with pytest.raises(InputError, match="critic_optimizer is Adamax there, not Adam"):
        Checkpoint(tmp_path).restore(model)


def test_optimizers_that_scale_losses_are_compared_by_their_own_settings(tiny_config, tmp_path):
    config = dataclasses.replace(tiny_config, precision="mixed_float16")
    model = build_model(config)
    save(model, tmp_path)
    other = build_model(dataclasses.replace(config, critic_learning_rate=1e-3))
    with pytest.raises(
        InputError, match=r"trained with: critic_learning_rate is 0.0002 there, not 0.001;"
    ):
        Checkpoint(tmp_path).restore(other)
    model.critic_optimizer.inner_optimizer.learning_rate = 1e-4  # moved, as callbacks do
    assert Checkpoint(tmp_path).restore(model) == 1


def test_settings_within_others_as_earlier_versions_noted_them_are_the_same():
    adam = {"module": "keras.optimizers", "class_name": "Adam", "config": {"beta_1": 0.0}}
    settings = {"penalty_every": 1, "critic_inner_optimizer": "Adam", "critic_beta_1": 0.0}
    assert settings_in({"settings": {"critic_inner_optimizer": adam}}) == settings


def test_a_checkpoint_names_the_optimizers_that_were_compiled_last(tiny_config, tmp_path):
    def compiled(optimizer: type, model: WGANGP) -> WGANGP:
        model.compile(optimizer(1e-3), optimizer(1e-3))
        return model

    def new() -> WGANGP:
        return WGANGP(build_generator(tiny_config), build_critic(tiny_config))

    model, checkpoint = compiled(keras.optimizers.Adam, new()), Checkpoint(tmp_path)
    save(model, tmp_path, checkpoint)
    save(compiled(keras.optimizers.RMSprop, model), tmp_path, checkpoint)
    assert Checkpoint(tmp_path).restore(compiled(keras.optimizers.RMSprop, new())) == 2
    with pytest.raises(InputError, match="critic_optimizer is RMSprop there, not Adam"):
        Checkpoint(tmp_path).restore(compiled(keras.optimizers.Adam, new()))


def test_a_checkpoint_has_the_numbers_that_were_set_last(tiny_config, tmp_path, monkeypatch):
    model, checkpoint = build_model(tiny_config), Checkpoint(tmp_path)
    save(model, tmp_path, checkpoint)
    monkeypatch.setattr(model, "gradient_penalty_weight", 3.0)
    save(model, tmp_path, checkpoint)
    with pytest.raises(InputError, match="gradient_penalty_weight is 3 there, not 10"):
        Checkpoint(tmp_path).restore(build_model(tiny_config))
    again = build_model(tiny_config)
    monkeypatch.setattr(again, "gradient_penalty_weight", 3.0)
    assert Checkpoint(tmp_path).restore(again) == 2


def test_the_names_that_keras_counts_optimizers_by_are_no_settings(tiny_config, tmp_path):
    config = dataclasses.replace(tiny_config, precision="mixed_float16")
    model = build_model(config)  # whose optimizers wrap another each, which has a name, too
    save(model, tmp_path)
    Checkpoint(tmp_path).restore(build_model(config))
    (folder,) = tmp_path.iterdir()
    state = json.loads((folder / "state.json").read_text())
    for network in ("critic", "generator"):  # as checkpoints had it once
        optimizer = getattr(model, f"{network}_optimizer").inner_optimizer
        noted = keras.optimizers.serialize(optimizer)
        flat = {f"{network}_{name}" for name in noted["config"]}
        assert flat - {f"{network}_name"} < state["settings"].keys()
        settings = {k: v for k, v in state["settings"].items() if k not in flat}
        noted["config"] = json.loads(
            json.dumps({**noted["config"], "name": "adam_77"}, default=float)
        )
        state["settings"] = {**settings, f"{network}_inner_optimizer": noted}
    (folder / "state.json").write_text(json.dumps(state))
    checkpoint = Checkpoint(tmp_path)
    checkpoint.folder._write_sums(folder)
    assert checkpoint.restore(build_model(config)) == 1
    other = build_model(dataclasses.replace(config, beta_2=0.8))
    with pytest.raises(InputError, match=r"critic_beta_2 is 0\.9 there, not 0\.8, gen"):
        Checkpoint(tmp_path).restore(other)


def test_a_checkpoint_is_a_callback_that_can_be_given_alone(tiny_config, tiny_images, tmp_path):
    model = build_model(tiny_config)
    checkpoint = Checkpoint(tmp_path, callbacks=[Monitor()])
    stream = functools.partial(make_dataset, tiny_images, tiny_config)
    model.fit_to(2, stream, callbacks=checkpoint, verbose=0)
    assert [path.name for path in tmp_path.iterdir()] == ["iteration-000002"]


def test_several_machines_save_at_the_same_iteration(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr("wgan_gp.support.replicas.are_apart", lambda strategy: True)
    for every, taken in ((None, "epoch"), (7, 7)):
        checkpoint = Checkpoint(tmp_path, every)
        checkpoint.set_model(build_model(tiny_config))
        checkpoint.on_train_begin()
        assert checkpoint.every == taken


def test_a_model_without_optimizers_is_not_restored(tiny_config, tmp_path):
    compiled = build_model(tiny_config)
    save(compiled, tmp_path)
    with pytest.raises(InputError, match=r"^compile the model before restoring it"):
        Checkpoint(tmp_path).restore(WGANGP(compiled.generator, compiled.critic))


@pytest.mark.parametrize("model", ["model.keras", keras.Sequential([keras.layers.Dense(1)])])
def test_a_checkpoint_is_of_a_wgan_gp(tmp_path, model):
    with pytest.raises(InputError, match="a checkpoint is of a WGANGP, not of"):
        Checkpoint(tmp_path).restore(model)


def test_a_model_that_no_checkpoint_can_hold_is_not_restored(tiny_config, tmp_path):
    class Silent(keras.optimizers.schedules.LearningRateSchedule):
        def __call__(self, step):
            return 1e-3

    model = WGANGP(build_generator(tiny_config), build_critic(tiny_config))
    model.compile(keras.optimizers.Adam(Silent()), keras.optimizers.Adam())
    with pytest.raises(InputError, match=r"cannot be saved in a checkpoint: .*'Silent' must overr"):
        Checkpoint(tmp_path).restore(model)


def save(model: keras.Model, folder: Path, checkpoint: Checkpoint | None = None) -> None:
    """The checkpoint after one more iteration."""
    checkpoint = checkpoint or Checkpoint(folder)
    checkpoint.set_model(model)
    checkpoint.on_train_begin()
    model.iteration.assign_add(1)
    checkpoint.save()


def test_a_learning_rate_that_was_changed_on_the_way_stays_changed(tiny_config, tmp_path):
    save(build_model(tiny_config), tmp_path)
    for expected in (tiny_config.critic_learning_rate, 1e-5):
        model, checkpoint = build_model(tiny_config), Checkpoint(tmp_path)
        checkpoint.restore(model)
        assert float(model.critic_optimizer.learning_rate) == pytest.approx(expected)
        model.critic_optimizer.learning_rate = 1e-5
        save(model, tmp_path, checkpoint)


def test_a_state_of_another_kind_is_one_sentence(tiny_config, tmp_path):
    model = build_model(tiny_config)
    save(model, tmp_path)
    (folder,) = tmp_path.iterdir()
    sound = json.loads((folder / "state.json").read_text())
    for change in (
        {"callbacks": 7},
        {"is_within_epoch": True, "metrics": {"critic_loss": "x"}},
        {"is_within_epoch": True, "metrics": {"critic_loss": [[]]}},
        {"is_within_epoch": True, "metrics": {"critic_loss": [10**400]}},
        {"settings": [1]},
        {"callbacks": {"Monitor": {"curve": {"points": 3}}}},
        {"callbacks": {"Monitor": {"curve": [["a"]], "seconds": 0}}},
        {"callbacks": {"HistoryFile": {"rows": [3]}}},
    ):
        checkpoint = Checkpoint(tmp_path, callbacks=[Monitor(), HistoryFile(tmp_path / "a.csv")])
        (folder / "state.json").write_text(json.dumps({**sound, **change}))
        checkpoint.folder._write_sums(folder)
        with pytest.raises(InputError, match=r"000001' is not one of this program: "):
            checkpoint.restore(model)


def test_a_checkpoint_of_another_model_is_refused(run, tmp_path, tiny_config):
    run(tmp_path, 4)
    other = build_model(dataclasses.replace(tiny_config, base_filters=4))
    with pytest.raises(InputError, match="is of another model"):
        Checkpoint(tmp_path / "checkpoints").restore(other)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("every", 0),
        ("every", "week"),
        ("every", 2.5),
        ("keep", 0),
        ("keep", 2.5),
        ("keep", math.inf),
    ],
)
def test_an_impossible_option_is_named(tmp_path, name, value):
    with pytest.raises(InputError, match=f"{name} must be .*at least 1"):
        Checkpoint(tmp_path, **{name: value})


def test_broken_weights_are_not_saved(run, tmp_path):
    class Poison(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if int(self.model.iteration.numpy()) == 6:
                self.model.critic.layers[0].bias.assign([np.nan, 0.0])

    with pytest.raises(DivergedError, match=r"iteration (6|7): .*not finite\. Try a new run"):
        run(tmp_path, 8, StopAtNaN(), Poison(), every=2)
    assert names(tmp_path) == ["iteration-000002", "iteration-000004"]


def test_a_write_that_fails_leaves_the_checkpoints_as_they_were(run, tmp_path, monkeypatch):
    run(tmp_path, 4)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}

    def full(self, file):
        Path(file).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("wgan_gp.model.WGANGP.save", full)
    with pytest.raises(OSError, match="No space left"):
        run(tmp_path, 8)
    kept = {path: path.read_bytes() for path in before if path.name != "history.csv"}
    assert kept == {path: data for path, data in before.items() if path.name != "history.csv"}
    assert names(tmp_path) == ["iteration-000004"]


# Damage


@pytest.fixture
def two(run, tmp_path) -> CheckpointFolder:
    """Checkpoints of the iterations 4 and 8."""
    run(tmp_path, 8)
    return CheckpointFolder(tmp_path / "checkpoints", ("model.keras", "state.json"))


@pytest.fixture
def pair(tmp_path) -> CheckpointFolder:
    """The same, of files that nobody trained for."""
    folder = CheckpointFolder(tmp_path / "checkpoints", ("model.keras", "state.json"))
    write(folder, 4, 8)
    return folder


def write(folder: CheckpointFolder, *iterations: int) -> None:
    for iteration in iterations:
        folder.write(iteration, lambda path: [(path / x).write_text(x) for x in folder.names])


def damage(two: CheckpointFolder, number: int, change) -> Path:
    """Change a random file of the newest checkpoint; gives what the file was."""
    draw = random.Random(number)
    files = sorted((two.path / "iteration-000008").iterdir())
    file = draw.choices(files, weights=[1, 4, 2])[0]  # SHA256SUMS, model.keras, state.json
    content = bytearray(file.read_bytes())
    file.write_bytes(change(content, draw.randrange(len(content)), draw))
    return file


def cut(content: bytearray, place: int, draw: random.Random) -> bytes:
    return bytes(content[:place])


def flip(content: bytearray, place: int, draw: random.Random) -> bytes:
    content[place] ^= draw.randrange(1, 256)
    return bytes(content)


@pytest.mark.parametrize("change", [cut, flip])
def test_a_damaged_checkpoint_is_noticed_wherever_the_damage_is(two, caplog, tmp_path, change):
    shutil.copytree(two.path, tmp_path / "sound")
    for number in range(50):
        caplog.clear()
        file = damage(two, number, change)
        assert two.newest_sound() == two.path / "iteration-000004"
        said = [record.getMessage() for record in caplog.records]
        assert said == [f"the checkpoint '{file.parent}' is damaged: left aside"]
        shutil.copy(tmp_path / "sound" / "iteration-000008" / file.name, file)
    assert two.newest_sound() == two.path / "iteration-000008"


def test_ends_of_lines_as_windows_has_them_are_no_damage(two):
    sums = two.path / "iteration-000008" / "SHA256SUMS"
    assert b"\r" not in sums.read_bytes()
    sums.write_bytes(sums.read_bytes().replace(b"\n", b"\r\n"))
    assert two.newest_sound() == sums.parent


@pytest.mark.parametrize("name", ["model.keras", "state.json", "SHA256SUMS"])
def test_a_checkpoint_with_a_missing_file_is_damaged(pair, name, caplog):
    caplog.set_level(logging.CRITICAL)
    (pair.path / "iteration-000008" / name).unlink()
    assert pair.newest_sound() == pair.path / "iteration-000004"


def test_foreign_files_are_left_out_of_account(pair, caplog):
    for folder in (*pair.path.iterdir(), pair.path):
        (folder / ".DS_Store").write_text("of a file manager")
    (pair.path / "iteration-000012").write_text("not even a folder")
    assert pair.newest_sound() == pair.path / "iteration-000008"
    assert pair.newest() == 8
    assert caplog.records == []


@pytest.mark.parametrize("name", ["model.keras", "state.json", "SHA256SUMS"])
@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE, errno.EACCES])
def test_a_read_error_is_raised_and_condemns_no_checkpoint(pair, monkeypatch, name, number):
    before = {path: path.read_bytes() for path in pair.path.rglob("*.*")}
    really_open = io.open

    def refuse(path, *arguments, **options):
        if str(path).endswith(f"000008/{name}"):
            raise OSError(number, os.strerror(number), str(path))
        return really_open(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(io, "open", refuse)
        with pytest.raises(OSError, match=name):
            pair.newest_sound()
    assert {path: path.read_bytes() for path in pair.path.rglob("*.*")} == before
    assert pair.newest_sound() == pair.path / "iteration-000008"


def test_what_a_killed_process_left_goes_with_the_next_checkpoint(pair):
    left = pair.path / ".writing-iteration-000003"
    left.mkdir()
    (left / "model.keras").write_text("half of a model")
    write(pair, 12)
    assert sorted(path.name[-2:] for path in pair.path.iterdir()) == ["04", "08", "12"]


def test_a_million_iterations_are_newer_than_fewer(tmp_path):
    folder = CheckpointFolder(tmp_path, ("weights",), keep=1)
    write(folder, 999_999, 1_000_000)
    assert folder.newest() == 1_000_000
    assert folder.newest_sound() == tmp_path / "iteration-1000000"
    assert list(tmp_path.iterdir()) == [folder.newest_sound()]


def test_one_that_no_good_one_has_superseded_stays(tmp_path):
    folder = CheckpointFolder(tmp_path, ("weights",), keep=1)
    for iteration in (2, 8):
        folder.write(iteration, lambda path: (path / "weights").write_text("good"))
    (tmp_path / "iteration-000008" / "weights").write_text("damaged")
    for iteration, expected in ((4, [4, 8]), (6, [6, 8]), (8, [8]), (10, [10])):
        folder.write(iteration, lambda path: (path / "weights").write_text("good"))
        assert sorted(folder._all()) == expected
        assert folder.newest_sound() is not None


def test_training_goes_on_from_the_one_before_a_damaged_one(two, run, tmp_path):
    (two.path / "iteration-000008" / "state.json").write_text("{}")
    model, _ = run(tmp_path, 12)
    (tmp_path / "whole").mkdir()
    whole, _ = run(tmp_path / "whole", 12)
    for expected, found in zip(all_variables(whole), all_variables(model), strict=True):
        np.testing.assert_array_equal(expected, found)
    assert names(tmp_path) == [f"iteration-{i:06d}" for i in (4, 8, 12)]
    assert two.newest_sound() == two.path / "iteration-000012"


def test_when_all_are_damaged_nothing_is_restored(two):
    for path in two.path.rglob("state.json"):
        path.write_text("{}")
    with pytest.raises(InputError, match=r"every checkpoint in .* is damaged: bring back a copy"):
        two.newest_sound()


def test_a_checkpoint_is_what_sha256sum_verifies(two):
    newest = two.path / "iteration-000008"
    for line in (newest / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((newest / name).read_bytes()).hexdigest() == digest


def test_the_state_is_readable_json(two):
    state = json.loads((two.path / "iteration-000008" / "state.json").read_text())
    assert state["iteration"] == 8
    assert state["is_within_epoch"] is False
    assert len(state["callbacks"]["Monitor"]["curve"]["points"]) == 8


def test_an_epoch_that_goes_on_after_a_validation_has_the_means_of_the_whole(
    tiny_config, tiny_images, tmp_path
):
    held_out = (tiny_images[:4] / 127.5 - 1).astype(np.float32)
    rows = {}
    for name, stops in (("whole", [4]), ("parts", [2, 4])):
        for stop in stops:
            model, checkpoint = build_model(tiny_config), Checkpoint(tmp_path / name)
            checkpoint.restore(model)
            seen = keras.callbacks.History()
            model.fit_to(
                stop,
                lambda start: make_dataset(tiny_images, tiny_config, start),
                steps_per_epoch=4,
                callbacks=[seen, checkpoint],
                validation_data=(held_out,),
                verbose=0,
            )
        rows[name] = {k: v[-1] for k, v in seen.history.items()}
    assert rows["parts"] == pytest.approx(rows["whole"], rel=1e-5)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        tf.errors.ResourceExhaustedError(None, None, ""),
        OSError(errno.EIO, os.strerror(errno.EIO)),
    ],
)
def test_what_this_machine_lacks_does_not_make_a_checkpoint_one_of_another_model(
    run, tiny_config, tmp_path, monkeypatch, error
):
    run(tmp_path, 4)
    model = build_model(tiny_config)
    monkeypatch.setattr(model, "load_weights", Mock(side_effect=error))
    checkpoint = Checkpoint(tmp_path / "checkpoints", callbacks=[Monitor(), HistoryFile("a.csv")])
    with pytest.raises(type(error)):
        checkpoint.restore(model)


def test_a_lost_optimizer_is_no_warning_but_an_error(tiny_config, tmp_path, monkeypatch):
    model, checkpoint = build_model(tiny_config), Checkpoint(tmp_path)
    checkpoint.set_model(model)
    checkpoint.on_train_begin()
    model.iteration.assign_add(1)
    checkpoint.save()

    def warn(self: keras.Model, file: str) -> None:
        warnings.warn("Skipping variable loading for optimizer", stacklevel=2)

    monkeypatch.setattr("wgan_gp.model.WGANGP.load_weights", warn)
    with pytest.raises(InputError, match="is of another model: Skipping"):
        Checkpoint(tmp_path).restore(build_model(tiny_config))


def test_a_checkpoint_after_a_validated_epoch_has_the_sums_of_its_own(
    tiny_config, tiny_images, tmp_path
):
    model, checkpoint = build_model(tiny_config), Checkpoint(tmp_path, every=3)
    model.fit(
        make_dataset(tiny_images, tiny_config),
        epochs=2,
        steps_per_epoch=2,
        validation_data=((tiny_images[:8] / 127.5 - 1).astype("float32"),),
        callbacks=[checkpoint],
        verbose=0,
    )
    # At iteration 3, within the second epoch: of 1 iteration with 3 critic updates, not of 2.
    state = json.loads((tmp_path / "iteration-000003" / "state.json").read_text())
    assert state["metrics"]["critic_loss"][1] == 3
