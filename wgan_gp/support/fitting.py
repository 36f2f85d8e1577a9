"""Keras's `fit`, for a model that counts its training steps."""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from wgan_gp.support import replicas
from wgan_gp.support.errors import InputError
from wgan_gp.support.keras_habits import (
    batches,
    check_are_callbacks,
    check_callbacks,
    check_ends,
    flat_callbacks,
    images_alone,
    images_given,
    validation_images,
)
from wgan_gp.support.optimizers import Rates, set_rates, settable_rates
from wgan_gp.support.stop_iteration import told_apart
from wgan_gp.support.whole_numbers import check_whole

_ITS_OWN = {"x", "epochs", "initial_epoch"}  # arguments of `fit` that `fit_to` gives it
_LONGER = "let dataset_from give an endless one (repeat()), or lower iteration"


class CountingModel(keras.Model):
    """A model whose `iteration` counts the steps that it was trained for; a `train_step` adds 1.

    So it can be trained up to an iteration, from whichever it was restored to.
    """

    iteration: keras.Variable  # int64
    steps_per_execution: int  # Keras's
    _left = (0, 0)  # where `fit_to` has left off, and with which optimizers
    _restored = (0, 0)  # likewise, where a checkpoint within an epoch has

    @property
    def iterations_done(self) -> int:
        """`iteration` as a number (`int` alone knows no variable with a copy on each device)."""
        return int(self.iteration.numpy())

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Any = None,
        **options: Any,
    ) -> keras.callbacks.History:
        """`keras.Model.fit` on a dataset like that of `make_dataset`.

        Raises:
            InputError: it is not compiled, there are no images, or labels or weights with them, a
                dataset without an end comes without a number of steps, a callback would do
                something else than it says, or the replicas of a `tf.distribute` strategy do not
                divide the batch, or its size is not fixed, or the model was not built in the
                strategy's scope.
        """
        if not self.compiled:
            raise InputError("the model is not compiled: give compile its optimizers before fit")
        x = images_given(x, "fit")
        for weights in ("sample_weight", "class_weight"):
            images_alone((x, y, options.get(weights)))
        check_ends(x, "steps_per_epoch", options)
        held_out = validation_images(options)
        self.check_images(x, is_training=True)
        self.check_images(held_out, is_training=False)
        check_callbacks(flat_callbacks(callbacks), self.optimizer.are_rates_settable)
        if not isinstance(callbacks, keras.callbacks.CallbackList):  # whose order is its maker's
            callbacks = told_apart(flat_callbacks(callbacks))
        self._check_scope()
        with self.distribute_strategy.scope():
            if isinstance(x, tf.data.Dataset):
                if isinstance(x.element_spec, tuple):
                    x = x.map(lambda images: images)  # out of their tuple
                options.setdefault("shuffle", False)  # a dataset is as it is: Keras warns otherwise
                x = replicas.dealt_out(x)
            else:
                replicas.check_array(x, batch_size)
        return super().fit(x, None, batch_size, epochs, verbose, callbacks, **options)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: str | int = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        **options: Any,
    ) -> Any:
        """`keras.Model.evaluate`.

        The metrics are then as before, so a callback may call it within an epoch of `fit`.

        Raises:
            InputError: there are no images, or labels or weights with them, a dataset without an
                end comes without a number of steps, or the images have another shape than those
                that are made.
        """
        x = images_given(x, "evaluate")
        check_are_callbacks(flat_callbacks(options.get("callbacks")))
        images_alone((x, y, sample_weight))
        check_ends(x, "steps", {"steps": steps})
        self.check_images(x, is_training=False)
        with self._metrics_kept():
            return super().evaluate(x, y, batch_size, verbose, sample_weight, steps, **options)

    @contextlib.contextmanager
    def _metrics_kept(self) -> Iterator[None]:
        """Bring back the means of the epoch, whose metrics Keras resets, and takes for its own."""
        variables = [variable.value for metric in self.metrics for variable in metric.variables]
        # Each replica's own part: divided anew, their sum would be rounded.
        parts_of = self.distribute_strategy.experimental_local_results
        parts = [part for variable in variables for part in parts_of(variable)]
        values = [part.numpy() for part in parts]
        try:
            yield
        finally:
            for part, value in zip(parts, values, strict=True):
                part.assign(value)

    def check_images(self, images: Any, is_training: bool) -> None:
        """Raise an InputError for images, or a dataset of them, of a shape that it cannot take."""

    def train_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, class_weight: Any = None, **options
    ) -> Any:
        """`keras.Model.train_on_batch`; within an epoch of `fit_to` it is a step of that epoch.

        Raises an InputError for what `fit` would refuse, and where replicas would take all.
        """
        self._check_one_batch(x, "train_on_batch", "fit")
        x = images_given(x, "train_on_batch")
        for weights in (sample_weight, class_weight):
            images_alone((x, y, weights))
        self.check_images(x, is_training=True)
        is_left = self._place() in (self._left, self._restored)
        logs = super().train_on_batch(x, **options)
        if is_left:
            self._left = self._place()
        return logs

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, **options: Any
    ) -> Any:
        """`keras.Model.test_on_batch`, of this batch alone; the metrics are then as before.

        Raises an InputError for what `evaluate` would refuse, and where replicas would take all.
        """
        self._check_one_batch(x, "test_on_batch", "evaluate")
        x = images_given(x, "test_on_batch")
        images_alone((x, y, sample_weight))
        self.check_images(x, is_training=False)
        with self._metrics_kept():
            self.reset_metrics()
            return super().test_on_batch(x, **options)

    def make_train_function(self, force: bool = False) -> None:
        """Keras's, which traces anew where one of `numbers_of_the_step` has changed."""
        super().make_train_function(force or self._has_changed("train"))

    def make_test_function(self, force: bool = False) -> None:
        """Keras's, which traces anew where one of `numbers_of_the_step` has changed."""
        super().make_test_function(force or self._has_changed("test"))

    def numbers_of_the_step(self) -> tuple[float, ...]:
        """The numbers that are fixed in the graph of a step when it is traced."""
        return ()

    def _has_changed(self, function: str) -> bool:
        traced = self.__dict__.setdefault("_numbers_traced", {})
        before, traced[function] = traced.get(function), self.numbers_of_the_step()
        return before not in (None, traced[function])

    def _check_one_batch(self, images: Any, method: str, other: str) -> None:
        if isinstance(images, tf.data.Dataset | keras.utils.PyDataset):
            raise InputError(f"{method} takes one batch, not a dataset of them: use {other}")
        if self.distribute_strategy.num_replicas_in_sync > 1:
            raise InputError(f"{method} does not share a batch among replicas: use {other}")

    def _check_scope(self) -> None:
        own = getattr(self, "_distribute_strategy", None)  # Keras's property names another's, too
        if tf.distribute.has_strategy() and tf.distribute.get_strategy() is not own:
            raise InputError("build or load the model in the scope of the strategy, not before")
        replicas.check_shared(self.optimizer.variables, self.distribute_strategy)

    def _maybe_symbolic_build(self, *args: Any, **options: Any) -> None:
        """Do nothing: the networks are built, and so are their optimizers.

        Keras's would average the replicas' parts of a batch, which may differ in size.
        """

    def fit_to(
        self,
        iteration: int,
        dataset_from: Callable[[int], tf.data.Dataset],
        *,
        steps_per_epoch: int = 20,
        callbacks: Any = None,
        **options: Any,
    ) -> None:
        """Train until `iteration` generator iterations are done, from wherever the model is.

        It is `fit` in epochs that end at each multiple of `steps_per_epoch`: one that a restored
        checkpoint has left unfinished comes first, and the last is cut short where `iteration`
        is. So the epochs are the same, however often training stops in between. Each of these parts
        has a `History` of its own; `HistoryFile` keeps all.

        Args:
            iteration: generator iterations in all; a model that has done them is left as it is.
            dataset_from: gives the batches from a generator iteration on, such as
                `lambda start: make_dataset(images, config, start)`.
            steps_per_epoch: generator iterations in an epoch, the same in each session.
            callbacks: as for `fit`; one that sets `stop_training` ends this, too.
            options: the other arguments of `fit`, but for x, epochs and initial_epoch. Arrays are
                not shuffled unless `shuffle` says so: after a stop, images of before would come
                again.

        Raises:
            InputError: as `fit`; one of these is among `options`, `iteration` or `steps_per_epoch`
                is no whole number or too small, `dataset_from` is no function, or the dataset ends
                before `iteration`.
        """
        if taken := _ITS_OWN & options.keys():
            raise InputError(f"fit_to decides {min(taken)} itself: leave it out")
        check_whole("iteration", iteration, least=0)
        check_whole("steps_per_epoch", steps_per_epoch)
        iteration, steps_per_epoch = int(iteration), int(steps_per_epoch)  # NumPy's may overflow
        if not callable(dataset_from):
            raise InputError(
                "fit_to takes a function that gives the dataset from an iteration on: "
                "lambda start: make_dataset(images, config, start)"
            )
        first, last = self._pace(iteration, steps_per_epoch)
        options = {"shuffle": False, **options}
        options["callbacks"] = [first, *flat_callbacks(callbacks), last]
        self.stop_training = False
        while (done := self.iterations_done) < iteration and not self.stop_training:
            dataset = images_given(dataset_from(done), "fit_to")
            _check_lasts(dataset, options.get("batch_size"), done, iteration)
            self._fit_part(dataset, iteration, steps_per_epoch, **options)

    def _fit_part(
        self, dataset: Any, iteration: int, steps_per_epoch: int, *, callbacks: list, **options: Any
    ) -> None:
        """One `fit` of `fit_to`: what is left of an epoch, or else all epochs to come."""
        done = self.iterations_done
        epoch, done_in_epoch = divmod(done, steps_per_epoch)
        last_epoch = -(-iteration // steps_per_epoch)
        steps = steps_per_epoch - done_in_epoch
        is_going_on = self._place() in (self._restored, self._left if done_in_epoch else None)
        begun: dict[int, Rates] = {}
        keeper = self._keeper_of_rates(begun, is_going_on)
        at_once = self._executions_within(math.gcd(steps, iteration - done))
        with self._left_noted(begun), at_once:
            self.fit(
                dataset,
                initial_epoch=epoch,
                epochs=epoch + 1 if done_in_epoch else last_epoch,
                steps_per_epoch=steps,
                callbacks=[keeper, *callbacks],
                **options,
            )

    @contextlib.contextmanager
    def _left_noted(self, begun: dict[int, Rates]) -> Iterator[None]:
        """Notes where `fit` has left off in the end, whether it was stopped or has failed.

        An epoch that had only begun will begin once more, and so with the rates from before it.
        """
        try:
            yield
        finally:
            set_rates(begun.get(self.iterations_done, []))
            self._left = self._place()

    def note_restored_epoch(self) -> None:
        """Let `fit_to` know that the epoch to come has begun before, and has moved its rates."""
        self._restored = self._place()

    def _place(self) -> tuple[int, int]:
        return self.iterations_done, id(getattr(self, "optimizer", None))

    def _keeper_of_rates(
        self, begun: dict[int, Rates], is_going_on: bool
    ) -> keras.callbacks.Callback:
        """Notes them in `begun`, by the iteration, before callbacks move them as an epoch begins.

        One that goes on has begun before, and keeps them. This comes first: what others do before
        a step remains.
        """

        def note(epoch: int, logs: dict | None) -> None:
            begun.clear()
            begun[self.iterations_done] = settable_rates(self)

        def keep(batch: int, logs: dict | None) -> None:
            if is_going_on and batch == 0:
                set_rates(begun[self.iterations_done])

        return keras.callbacks.LambdaCallback(on_epoch_begin=note, on_train_batch_begin=keep)

    def _pace(self, iteration: int, steps_per_epoch: int) -> list[keras.callbacks.Callback]:
        """The first and the last callback, which end training at `iteration`.

        Where the images end before, the last one raises an InputError, as Keras would begin them
        again: for the callbacks between the two, which keep what was done, the epoch is cut short.
        """
        has_ended = False

        def stop_in_time(batch: int, logs: dict | None) -> None:
            if self.iterations_done >= iteration:
                self.stop_training = True

        def cut_short(epoch: int, logs: dict | None) -> None:
            nonlocal has_ended
            is_short = self.iterations_done < (epoch + 1) * steps_per_epoch
            has_ended = is_short and not self.stop_training
            self.stop_training |= has_ended

        def check_lasted(epoch: int, logs: dict | None) -> None:
            if has_ended:
                raise InputError(
                    f"the dataset has ended at iteration {self.iterations_done}, before "
                    f"{iteration}: {_LONGER}"
                )

        return [
            keras.callbacks.LambdaCallback(on_epoch_end=cut_short),
            keras.callbacks.LambdaCallback(
                on_train_batch_end=stop_in_time, on_epoch_end=check_lasted
            ),
        ]

    @contextlib.contextmanager
    def _executions_within(self, steps: int) -> Iterator[None]:
        """Within it, as many steps at once as `compile` was told, or fewer that divide `steps`.

        Otherwise the last execution would go beyond the end of what is to be trained.
        """
        told = self.steps_per_execution
        fitting = max(size for size in range(1, told + 1) if steps % size == 0)
        try:
            self._execute(fitting)
            yield
        finally:
            self._execute(told)

    def _execute(self, steps: int) -> None:
        if steps == self.steps_per_execution:
            return
        self.steps_per_execution = steps
        # They were traced for the former number of steps; Keras makes new ones.
        self.train_function = self.test_function = self.predict_function = None


def _check_lasts(dataset: Any, batch_size: int | None, done: int, iteration: int) -> None:
    """Raise an InputError if it is known to end before: `fit` would begin it again, unasked."""
    length = batches(dataset, batch_size)
    if length is not None and length < iteration - done:
        raise InputError(
            f"the dataset from iteration {done} on has {length} batches for the next "
            f"{iteration - done} steps: {_LONGER}"
        )
