"""Networks, and subclasses of the model, that users bring: what they add counts, or is refused."""

import csv

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from wgan_gp import Checkpoint, HistoryFile, InputError
from wgan_gp.callbacks.stopping import StopAtNaN
from wgan_gp.export.saved_model import export_saved_model, load_saved_model
from wgan_gp.model import WGANGP

IMAGES = np.zeros((8, 2, 8, 8, 3), np.float32)


class Added(layers.Layer):
    """Adds a loss for each image: its mean square, times `weight`."""

    def __init__(self, weight: float, **options) -> None:
        super().__init__(**options)
        self.weight = weight

    def call(self, x: tf.Tensor) -> tf.Tensor:
        axes = tuple(range(1, len(x.shape)))
        self.add_loss(self.weight * keras.ops.mean(keras.ops.square(x), axis=axes))
        return x


class Loosely(WGANGP):
    """Counts its iterations in a metric of its own."""

    def __init__(self, *networks: keras.Model, **options) -> None:
        super().__init__(*networks, **options)
        self.counted = keras.metrics.Mean(name="counted")

    def train_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        super().train_step(data)
        self.counted.update_state(self.iteration)
        return self.get_metrics_result()


class Counted(WGANGP):
    """Has a metric with a number for each of two thresholds."""

    def __init__(self, *networks: keras.Model, **options) -> None:
        super().__init__(*networks, **options)
        self.recall = keras.metrics.Recall([0.2, 0.6], name="recall")

    def train_step(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        super().train_step(data)
        self.recall.update_state([1.0], [0.25 * tf.cast(self.iteration, "float32")])
        return self.get_metrics_result()


def generator(*added: keras.Layer, policy: str = "float32", **options) -> keras.Model:
    glorot = keras.initializers.GlorotUniform(seed=1)
    dense = layers.Dense(192, kernel_initializer=glorot, dtype=policy, **options)
    return keras.Sequential([keras.Input((4,)), dense, layers.Reshape((8, 8, 3)), *added])


def critic(*added: keras.Layer, policy: str = "float32", **options) -> keras.Model:
    glorot = keras.initializers.GlorotUniform(seed=2)
    convolution = layers.Conv2D(2, 3, 2, kernel_initializer=glorot, dtype=policy, **options)
    dense = layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(seed=3))
    return keras.Sequential([keras.Input((8, 8, 3)), convolution, *added, layers.Flatten(), dense])


def compiled(*networks: keras.Model, kind: type[WGANGP] = WGANGP, **options) -> WGANGP:
    model = kind(*networks, n_critic=2, **options)
    model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01))
    return model


def trained(*networks: keras.Model, **options) -> WGANGP:
    model = compiled(*networks, **options)
    model.fit(IMAGES, batch_size=4, verbose=0)
    return model


def test_losses_of_zero_for_each_image_change_nothing():
    plain, zero = trained(generator(), critic()), trained(generator(Added(0.0)), critic(Added(0.0)))
    for one, other in zip(plain.get_weights(), zero.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_a_loss_for_each_image_counts():
    model = compiled(generator(), critic(Added(1.0)))
    logs = model.evaluate(IMAGES[:4, 0], return_dict=True, verbose=0)
    without = compiled(generator(), critic()).evaluate(IMAGES[:4, 0], return_dict=True, verbose=0)
    assert logs["critic_loss"] - without["critic_loss"] > 1e-4


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_what_layers_add_counts_in_every_precision(policy):
    adding = {"activity_regularizer": "l2", "kernel_regularizer": "l2", "policy": policy}
    model = trained(generator(**adding), critic(**adding))
    assert model.iterations_done == 2


def test_no_update_of_a_weight_overtakes_its_use():
    """With a linear critic TensorFlow may let gamma's update overtake its use: in some graphs."""

    def bias_after_a_step(**options) -> np.ndarray:
        networks = generator(layers.BatchNormalization()), keras.Sequential([
            keras.Input((8, 8, 3)), layers.Flatten(),
            layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(seed=7)),
        ])  # fmt: skip
        model = WGANGP(*networks, n_critic=2)
        model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), **options)
        model.train_on_batch(np.random.default_rng(0).uniform(-1, 1, (4, 2, 8, 8, 3)))
        return model.generator.layers[0].bias.numpy()

    expected = bias_after_a_step(run_eagerly=True)
    for _ in range(8):
        np.testing.assert_allclose(bias_after_a_step(), expected, atol=1e-6)


@pytest.mark.parametrize("policy", ["bfloat16", "float16"])
def test_weights_too_coarse_for_an_average_are_refused(policy):
    with pytest.raises(InputError, match=f"is in {policy}, in which no average can be kept: build"):
        WGANGP(generator(policy=policy), critic(), ema_half_life=100)
    WGANGP(generator(policy=policy), critic())
    WGANGP(generator(policy=f"mixed_{policy}"), critic(), ema_half_life=100)


@pytest.mark.parametrize("with_features", [False, True])
def test_a_layer_that_two_networks_share_is_refused(with_features):
    shared = layers.Conv2D(3, 3, padding="same", name="shared")
    networks = {"generator": generator(shared), "critic": critic()}
    name = "critic_features" if with_features else "critic"
    to_score = [] if with_features else [layers.Flatten(), layers.Dense(1)]
    networks[name] = keras.Sequential([keras.Input((8, 8, 3)), shared, *to_score], name=name)
    with pytest.raises(InputError, match=f"shared/kernel' belongs to both '.*' and '{name}'"):
        WGANGP(**networks)


class Unsaved(keras.Model):
    """A generator of a class that cannot be made anew: it has no get_config."""

    def __init__(self, inner: keras.Model) -> None:
        super().__init__()
        self.inner = inner

    def call(self, latents: tf.Tensor) -> tf.Tensor:
        return self.inner(latents)


def test_a_network_that_cannot_be_saved_is_told_so_before_training(tmp_path):
    unsaved = Unsaved(generator())
    unsaved(tf.zeros((1, 4)))
    model = compiled(unsaved, critic())
    with pytest.raises(InputError, match=r"cannot be saved .*Unsaved.*get_config"):
        model.fit(IMAGES, batch_size=4, callbacks=[Checkpoint(tmp_path)], verbose=0)
    assert model.iterations_done == 0
    with pytest.raises(InputError, match=r"^there cannot be a second Unsaved: .*get_config"):
        WGANGP(unsaved, critic(), ema_half_life=10)


@pytest.mark.parametrize("number", ["auto", 0, 1.5])
def test_steps_per_execution_is_a_whole_number(number):
    with pytest.raises(InputError, match="steps_per_execution must be a whole number, at least 1"):
        WGANGP(generator(), critic()).compile("adam", "adam", steps_per_execution=number)


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="Keras before 3.15")
@pytest.mark.parametrize("is_kept", [False, True])
def test_a_model_that_goes_on_within_an_epoch_keeps_its_rates(tmp_path, is_kept):
    """As a cell of a notebook that is run again and again."""
    model = compiled(generator(), critic())
    callbacks = [keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)]
    callbacks += [Checkpoint(tmp_path)] if is_kept else []
    for end in (3, 5, 6, 8):
        dataset = tf.data.Dataset.from_tensors(IMAGES[:4]).repeat()
        model.fit_to(end, lambda _: dataset, steps_per_epoch=4, callbacks=callbacks, verbose=0)  # noqa: B023
    assert float(model.critic_optimizer.learning_rate) == pytest.approx(0.01 / 2**2)


def test_an_epoch_that_a_model_goes_on_with_is_one(tmp_path):
    def rows(name: str, *ends: int) -> list[str]:
        (tmp_path / name).mkdir()
        model, history = compiled(generator(), critic()), HistoryFile(tmp_path / name / "rows.csv")
        callbacks = [history, Checkpoint(tmp_path / name / "checkpoints", callbacks=[history])]
        dataset, epoch = tf.data.Dataset.from_tensors(IMAGES[:4] + 0.5).repeat(), np.int64(4)
        for end in ends:
            model.fit_to(
                end, lambda _: dataset, steps_per_epoch=epoch, callbacks=callbacks, verbose=0
            )
        lines = csv.DictReader(history.path.read_text().splitlines())
        return [{name: x for name, x in line.items() if name != "seconds"} for line in lines]

    assert rows("cut", 3, 6, 8) == rows("whole", 8)


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="Keras before 3.15")
@pytest.mark.parametrize("is_restored", [False, True])
@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # as Keras says of such a one
def test_an_epoch_that_images_have_ended_too_early_goes_on(tmp_path, is_restored):
    endless = tf.data.Dataset.from_tensors(IMAGES[:4] + 0.5).repeat()

    def trained(name: str, *last: int) -> tuple:
        (tmp_path / name).mkdir()
        model, history = compiled(generator(), critic()), HistoryFile(tmp_path / name / "rows.csv")
        model.compile(keras.optimizers.SGD(0.1, name="c"), keras.optimizers.SGD(0.1, name="g"))
        plateau = keras.callbacks.ReduceLROnPlateau(
            "critic_loss", mode="min", patience=1, factor=0.5, min_delta=1e9
        )
        halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
        kept = Checkpoint(tmp_path / name / "checkpoints", "epoch", callbacks=[history, plateau])
        callbacks = [history, halve, plateau, kept]
        for end in last:
            ending = endless.take(end).filter(lambda images: True)  # so that it does not tell
            with pytest.raises(InputError, match=f"the dataset has ended at iteration {end}, be"):
                model.fit_to(10, ending.skip, steps_per_epoch=4, callbacks=callbacks, verbose=0)
            if is_restored:
                assert kept.restore(model) == end
        model.fit_to(10, lambda _: endless, steps_per_epoch=4, callbacks=callbacks, verbose=0)
        rows = csv.DictReader(history.path.read_text().splitlines())
        of_all = [{name: x for name, x in row.items() if name != "seconds"} for row in rows]
        return of_all, float(model.critic_optimizer.learning_rate), plateau.wait

    assert trained("cut", 5, 7) == trained("whole")


@pytest.mark.parametrize("moment", ["on_train_batch_begin", "on_train_batch_end"])
@pytest.mark.parametrize("batch", [1, 3])  # within an epoch, and its last step
@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # as Keras takes it
def test_a_callback_that_stops_an_iteration_does_not_begin_the_images_again(moment, batch):
    def fail(number: int, logs: dict | None) -> None:
        if number == batch:
            next(iter(()))

    model, after = compiled(generator(), critic()), keras.callbacks.Callback()
    dataset = tf.data.Dataset.from_tensors(IMAGES[:4]).repeat()
    callbacks = [keras.callbacks.LambdaCallback(**{moment: fail}), after]
    done = batch + (moment == "on_train_batch_end")
    with pytest.raises(InputError, match=f"StopIteration, or .*, at iteration {done}, which Keras"):
        model.fit_to(8, lambda _: dataset, steps_per_epoch=4, callbacks=callbacks, verbose=0)
    with pytest.raises(InputError, match=f"a callback raised .* at iteration {2 * done}, which"):
        model.fit(dataset, steps_per_epoch=4, epochs=2, callbacks=callbacks, verbose=0)
    assert model.iterations_done == 2 * done


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="Keras before 3.15")
def test_a_new_epoch_after_one_that_was_cut_is_a_new_one(tmp_path):
    """As `fit` begins one each time, where `fit_to` would go on."""
    model, counted = compiled(generator(), critic(), kind=Loosely), []

    def stop(batch: int, logs: dict | None) -> None:
        model.stop_training = model.iterations_done == 3

    dataset = tf.data.Dataset.from_tensors(IMAGES[:4]).repeat()
    rate = keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 / (1 + model.iterations_done))
    callbacks = [
        keras.callbacks.LambdaCallback(on_train_batch_end=stop),
        rate,
        Checkpoint(tmp_path),
    ]
    for _ in range(2):
        fitted = model.fit(dataset, steps_per_epoch=4, callbacks=callbacks, verbose=0)
        counted += fitted.history["counted"]
    assert counted == [2, 5.5]
    assert float(model.critic_optimizer.learning_rate) == pytest.approx(1e-3 / 4)


def test_a_generator_with_an_operation_in_its_graph_is_exported_from_half_precision(tmp_path):
    latents = keras.Input((4,))
    x = generator(policy="mixed_bfloat16")(latents)
    images = x + layers.Conv2D(3, 3, padding="same", dtype="mixed_bfloat16")(x)
    model = compiled(
        keras.Model(latents, layers.Activation("tanh", dtype="float32")(images)), critic()
    )
    numbers = np.random.default_rng(0).standard_normal((3, 4), "float32")
    export_saved_model(model.drawing_generator, tmp_path / "saved")
    exported = load_saved_model(tmp_path / "saved")(numbers)
    np.testing.assert_allclose(exported, model.predict(numbers, verbose=0), atol=0.02)


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="Keras before 3.15")
def test_a_model_that_was_interrupted_within_an_epoch_keeps_its_rates():
    model = compiled(generator(), critic())
    dataset = tf.data.Dataset.from_tensors(IMAGES[:4]).repeat()

    def interrupt(batch: int, logs: dict | None) -> None:
        if model.iterations_done == 3:
            raise KeyboardInterrupt

    halve = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / 2)
    stop = keras.callbacks.LambdaCallback(on_train_batch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit_to(8, lambda _: dataset, steps_per_epoch=4, callbacks=[halve, stop], verbose=0)
    model.fit_to(8, lambda _: dataset, steps_per_epoch=4, callbacks=halve, verbose=0)
    assert float(model.critic_optimizer.learning_rate) == pytest.approx(0.01 / 2**2)


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="Keras before 3.15")
def test_a_model_that_begins_within_an_epoch_takes_its_rates_from_callbacks():
    model = compiled(generator(), critic())
    model.train_on_batch(IMAGES[:4])
    dataset = tf.data.Dataset.from_tensors(IMAGES[:4]).repeat()
    callbacks = [keras.callbacks.LearningRateScheduler(lambda epoch: 1e-5)]
    model.fit_to(2, lambda _: dataset, steps_per_epoch=4, callbacks=callbacks, verbose=0)
    assert float(model.critic_optimizer.learning_rate) == pytest.approx(1e-5)


def test_outputs_by_name_are_refused():
    latents, images = keras.Input((4,)), keras.Input((8, 8, 3))
    named = keras.Model(latents, {"images": generator()(latents)})
    with pytest.raises(InputError, match="the generator must not give its outputs by name"):
        WGANGP(named, critic())
    with pytest.raises(InputError, match="the critic must not give its outputs by name"):
        WGANGP(generator(), keras.Model(images, {"score": critic()(images)}))


def test_a_generator_that_is_changed_after_its_average_was_made_is_refused():
    model = trained(generator(), critic(), ema_half_life=100)
    model.generator.layers[0].enable_lora(2)
    with pytest.raises(InputError, match="the generator has other variables than its average"):
        model.compile("adam", "adam")


def test_a_metric_of_a_subclass_is_reset_with_the_others():
    model = compiled(generator(), critic(), kind=Loosely)
    history = model.fit(IMAGES, batch_size=4, epochs=3, verbose=0).history
    assert history["counted"] == [1.5, 3.5, 5.5]
    assert "loss" not in history


def test_a_metric_of_several_numbers_goes_on_within_its_epoch(tmp_path):
    def model(done: int, end: int) -> WGANGP:
        model = compiled(generator(), critic(), kind=Counted)
        checkpoint = Checkpoint(tmp_path, every=1)
        if done:
            assert checkpoint.restore(model) == done
        dataset = tf.data.Dataset.from_tensors(IMAGES[:4]).repeat()
        callbacks = [StopAtNaN(), HistoryFile(tmp_path / "history.csv"), checkpoint]
        model.fit_to(end, lambda start: dataset, steps_per_epoch=4, callbacks=callbacks, verbose=0)
        return model

    model(0, 3)
    np.testing.assert_allclose(model(3, 4).recall.result(), [1, 0.5])


def test_a_seed_that_is_assigned_is_kept_with_the_model(tmp_path):
    model = compiled(generator(), critic())
    model.seed = 5
    model.save(tmp_path / "model.keras")
    assert int(keras.saving.load_model(tmp_path / "model.keras").seed) == 5
    with pytest.raises(InputError, match="seed must be a whole number"):
        model.seed = "five"
    assert int(model.seed) == 5


def test_a_model_that_is_not_compiled_is_told_so():
    model = WGANGP(generator(), critic(), n_critic=2)
    with pytest.raises(InputError, match="the model is not compiled"):
        model.fit(IMAGES, batch_size=4)
    model.iteration.assign(2)
    with pytest.raises(InputError, match="the model is not compiled"):
        model.fit_to(4, lambda _: IMAGES, steps_per_epoch=4, batch_size=4)


def test_an_optimizer_that_is_set_anew_is_the_one_that_callbacks_find():
    model = compiled(generator(), critic())
    model.critic_optimizer = keras.optimizers.SGD(0.5)
    assert model.optimizer.optimizers == (model.critic_optimizer, model.generator_optimizer)


def test_a_layer_of_ones_own_may_be_named_where_a_model_is_made_anew():
    config = compiled(generator(Added(1.0)), critic()).get_config()
    model = WGANGP.from_config(config, custom_objects={"Added": Added})
    assert model.generator.layers[-1].weight == 1.0
