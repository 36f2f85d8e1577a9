"""What people bring along from Keras: it works, or says in one sentence what does."""

import dataclasses
import warnings
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.parts import Parts

import wgan_gp
from wgan_gp import (
    Checkpoint,
    Config,
    HistoryFile,
    InputError,
    Monitor,
    Quality,
    StopAtNaN,
    build_critic,
    build_generator,
    generate_images,
    held_out_images,
    image_grid,
    make_dataset,
    random_streams,
)
from wgan_gp.model import WGANGP, build_model
from wgan_gp.support.layer_defaults import layer_defaults
from wgan_gp.support.layers import layers_within
from wgan_gp.support.optimizers import scaling
from wgan_gp.support.portable import portable

# Where a test compiles a model anew or changes its numbers, it is `wgan_gp.build_model`'s own.
pytestmark = pytest.mark.usefixtures("stock")


@pytest.fixture
def dataset(tiny_images, tiny_config) -> tf.data.Dataset:
    return make_dataset(tiny_images, tiny_config)


def fit(model, dataset, **options) -> keras.callbacks.History:
    return model.fit(dataset, steps_per_epoch=1, verbose=0, **options)


@pytest.mark.parametrize("callback", [StopAtNaN, print, 3])
def test_what_is_no_callback_is_named(tiny_config, dataset, models, callback):
    with pytest.raises(InputError, match=r"callbacks are objects of keras\.callbacks\.Callback"):
        fit(models.take(tiny_config), dataset, callbacks=[callback])
    with pytest.raises(InputError, match=r"callbacks are objects of keras\.callbacks\.Callback"):
        models.take(tiny_config).evaluate(dataset.take(1), callbacks=callback)


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_a_place_of_images_is_none(tiny_config, method, tmp_path):
    for place in ("flowers", tmp_path):
        with pytest.raises(InputError, match=f"^{method} takes images, not the name of a place"):
            getattr(build_model(tiny_config), method)(place)


@pytest.mark.parametrize("method", ["train_on_batch", "test_on_batch"])
def test_a_dataset_is_no_batch(tiny_config, dataset, method):
    with pytest.raises(InputError, match=f"{method} takes one batch, not a dataset of them: use"):
        getattr(build_model(tiny_config), method)(dataset)


@pytest.mark.parametrize("count", [0, -1, 1.5, "1"])
def test_a_number_of_steps_is_a_whole_one(tiny_config, dataset, count):
    model, images = build_model(tiny_config), dataset.map(lambda images: images[:, 0])
    with pytest.raises(InputError, match=r"^steps_per_epoch must be a whole number, at least 1"):
        model.fit(dataset, steps_per_epoch=count)
    with pytest.raises(InputError, match=r"^steps must be a whole number, at least 1, not"):
        model.evaluate(images, steps=count)
    with pytest.raises(InputError, match=r"^validation_steps must be a whole number, at least 1"):
        fit(model, dataset, validation_data=images, validation_steps=count)
    assert model.iterations_done == 0


def rates(model) -> tuple[float, float]:
    optimizers = (model.critic_optimizer, model.generator_optimizer)
    return tuple(float(optimizer.learning_rate) for optimizer in optimizers)


KNOWS_TWO_OPTIMIZERS = hasattr(keras.optimizers, "MultiOptimizer")


def test_callbacks_of_rates_are_refused_where_keras_lets_them_know_one_optimizer(
    tiny_config, dataset, monkeypatch
):
    if KNOWS_TWO_OPTIMIZERS:
        monkeypatch.delattr(keras.optimizers, "MultiOptimizer")
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate)
    for callback in (schedule, keras.callbacks.ReduceLROnPlateau()):
        with pytest.raises(InputError, match=r"knows two optimizers from Keras 3\.15 on"):
            fit(build_model(tiny_config), dataset, callbacks=[callback])


@pytest.mark.skipif(not KNOWS_TWO_OPTIMIZERS, reason="of Keras 3.15")
@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])  # whose losses are scaled
def test_callbacks_of_rates_are_refused_where_a_rate_follows_a_schedule(
    tiny_config, dataset, precision
):
    falling = dataclasses.replace(tiny_config, final_learning_rate=0.1, precision=precision)
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate)
    for callback in (schedule, keras.callbacks.ReduceLROnPlateau("critic_loss", mode="min")):
        model = build_model(falling)
        with pytest.raises(InputError, match="cannot move a learning rate that follows a sched"):
            fit(model, dataset, callbacks=[callback])
        assert model.iterations_done == 0
        fit(build_model(dataclasses.replace(falling, final_learning_rate=1.0)), dataset,
            callbacks=[callback])  # fmt: skip


@pytest.mark.skipif(not KNOWS_TWO_OPTIMIZERS, reason="of Keras 3.15")
def test_both_rates_follow_keras_callbacks(tiny_config, dataset, tmp_path):
    model = build_model(tiny_config)
    critic, generator = rates(model)
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
    plateau = keras.callbacks.ReduceLROnPlateau(
        "critic_loss", factor=0.1, patience=1, min_delta=1e9, mode="min"
    )
    checkpoint = Checkpoint(tmp_path)
    fit(model, dataset, epochs=1, callbacks=[schedule, checkpoint])
    assert rates(model) == pytest.approx((critic / 2, generator / 2))
    fit(model, dataset, epochs=3, callbacks=[plateau, checkpoint])
    after = (critic / 200, generator / 200)
    assert rates(model) == pytest.approx(after)
    other = build_model(tiny_config)
    Checkpoint(tmp_path).restore(other)
    assert rates(other) == pytest.approx(after)


def test_a_regularizer_pulls_at_its_own_network(tiny_config, dataset):
    def regularized(network):
        """The network with a penalty on the squares of all its kernels."""

        def with_penalty(layer):
            config = layer.get_config()
            if "kernel_regularizer" in config:
                config["kernel_regularizer"] = keras.regularizers.L2(1e3)
            return type(layer).from_config(config)

        return keras.models.clone_model(network, clone_function=with_penalty)

    def norms_after(regularize_critic, regularize_generator):
        critic, generator = build_critic(tiny_config), build_generator(tiny_config)
        model = WGANGP(
            regularized(generator) if regularize_generator else generator,
            regularized(critic) if regularize_critic else critic,
            tiny_config.n_critic,
        )
        rates = keras.optimizers.SGD(1e-4), keras.optimizers.SGD(1e-4)
        model.compile(*rates, run_eagerly=True)
        fit(model, dataset, epochs=1)
        return [
            np.sqrt(sum(float(tf.reduce_sum(w**2)) for w in network.trainable_weights))
            for network in (model.critic, model.generator)
        ]

    plain, critic, generator = norms_after(0, 0), norms_after(1, 0), norms_after(0, 1)
    assert critic[0] < 0.8 * plain[0]
    assert critic[1] == pytest.approx(plain[1], rel=0.01)
    assert generator[1] < 0.9 * plain[1]
    assert generator[0] == pytest.approx(plain[0], rel=0.01)


def test_what_the_layers_add_counts_in_validation_too(tiny_config, tiny_images):
    images = (tiny_images[:8] / 127.5 - 1).astype("float32")

    def losses(added: float) -> dict[str, float]:
        networks = build_generator(tiny_config), build_critic(tiny_config)
        with_loss = [
            keras.Sequential(
                [
                    keras.Input(network.input_shape[1:]),
                    *network.layers,
                    keras.layers.ActivityRegularization(l1=added),
                ]
            )
            for network in networks
        ]
        model = WGANGP(*with_loss, n_critic=3)
        model.compile(keras.optimizers.SGD(1e-4), keras.optimizers.SGD(1e-4))
        return model.evaluate(images, return_dict=True, verbose=0)

    plain, more = losses(0.0), losses(1.0)
    for name in ("critic_loss", "generator_loss"):
        assert more[name] > plain[name] + 1e-3
    assert more["critic_loss_unregularized"] == pytest.approx(plain["critic_loss_unregularized"])


def test_images_in_a_tuple_of_their_own_are_images(tiny_config, dataset):
    one, other = build_model(tiny_config), build_model(tiny_config)
    fit(one, dataset)
    fit(other, dataset.map(lambda images: (images,)))
    for x, y in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)


def test_a_rate_for_both_optimizers_is_refused(tiny_config):
    model = wgan_gp.build_model(tiny_config)
    with pytest.raises(InputError, match=r"learning_rate of model\.critic_optimizer and of"):
        model.optimizer.learning_rate = 1e-5


@pytest.mark.parametrize("option", ["loss", "metrics", "weighted_metrics"])
def test_losses_and_metrics_that_would_be_ignored_are_refused(tiny_config, option):
    model = wgan_gp.build_model(tiny_config)
    optimizers = (model.critic_optimizer, model.generator_optimizer)
    with pytest.raises(InputError, match=f"losses and metrics of its own: leave out {option}"):
        model.compile(*optimizers, **{option: ["mae"]})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_critic", 0),
        ("gradient_penalty_weight", -1),
        ("ema_half_life", -1),
        ("penalty_every", 0),
        ("feature_shift", -1),
    ],
)
def test_a_number_out_of_its_range_is_refused(tiny_config, name, value):
    networks = build_generator(tiny_config), build_critic(tiny_config)
    with pytest.raises(InputError, match=f"{name} must be"):
        WGANGP(*networks, **{name: value})


def test_images_are_moved_by_fewer_pixels_than_they_have(tiny_config):
    networks = build_generator(tiny_config), build_critic(tiny_config)
    WGANGP(*networks, feature_shift=32)  # which counts for nothing without a network of features
    features = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.Identity()])
    WGANGP(*networks, critic_features=features, feature_shift=31)
    with pytest.raises(InputError, match="feature_shift must be a whole number from 0 to 31"):
        WGANGP(*networks, critic_features=features, feature_shift=32)


@pytest.mark.parametrize("every", [0, 2.5, float("nan")])
def test_a_monitor_that_never_comes_up_is_refused(every):
    with pytest.raises(InputError, match="every must be a whole number, at least 1, not"):
        Monitor(every=every)


def test_numbers_that_are_changed_between_fits_count(tiny_config, tiny_images, dataset):
    model = wgan_gp.build_model(tiny_config)
    fit(model, dataset)
    model.gradient_penalty_weight = 3.0
    logs = fit(model, dataset).history
    added = logs["critic_loss"][0] - logs["critic_loss_unregularized"][0]
    assert added / logs["gradient_penalty"][0] == pytest.approx(3, rel=1e-3)
    assert int(model.critic_optimizer.iterations) == 2 * tiny_config.n_critic
    model.n_critic = 1
    fit(model, make_dataset(tiny_images, dataclasses.replace(tiny_config, n_critic=1)))
    assert int(model.critic_optimizer.iterations) == 2 * tiny_config.n_critic + 1
    model.penalty_every = 10_000  # and so not in the next update
    model.iteration.assign(1)
    logs = fit(model, make_dataset(tiny_images, dataclasses.replace(tiny_config, n_critic=1)))
    assert logs.history["gradient_penalty"] == [0]


@pytest.mark.parametrize(
    ("name", "value"), [("n_critic", 0), ("gradient_penalty_weight", -1.0), ("penalty_every", 0)]
)
def test_a_number_that_is_changed_out_of_its_range_is_named(tiny_config, dataset, name, value):
    model = wgan_gp.build_model(tiny_config)
    setattr(model, name, value)
    with pytest.raises(InputError, match=f"{name} must be "):
        fit(model, dataset)
    assert model.iterations_done == 0


def test_a_weight_that_is_changed_counts_in_evaluate(tiny_config, tiny_images):
    model = wgan_gp.build_model(tiny_config)
    images = tiny_images / np.float32(127.5) - 1

    def share_of_penalty() -> float:
        losses = model.evaluate(images, return_dict=True, verbose=0)
        added = losses["critic_loss"] - losses["critic_loss_unregularized"]
        return added / losses["gradient_penalty"]

    assert share_of_penalty() == pytest.approx(10, rel=1e-3)
    model.gradient_penalty_weight = 3.0
    assert share_of_penalty() == pytest.approx(3, rel=1e-3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"validation_data": (np.zeros((4, 32, 32, 3), "f4"), np.ones(4))}, "no use for labels"),
        ({"validation_split": 0.2}, "validation_split would cut elements of n_critic mini-batches"),
        ({"validation_data": "photos"}, "^validation_data takes images, not the name of a place"),
        ({"validation_data": (Path("photos"),)}, "^validation_data takes images, not the name of"),
        ({"validation_data": 5}, "^validation_data needs images: .*, not 5"),
        ({"validation_data": lambda: 0}, "^validation_data needs images: .*, not <function"),
        ({"validation_freq": 0}, "^validation_freq must be a whole number, at least 1, not 0"),
        ({"validation_freq": 1.5}, "^validation_freq must be a whole number, at least 1, not 1.5"),
        (
            {"validation_batch_size": -1},
            "^validation_batch_size must be a whole number, at least 1",
        ),
    ],
)
def test_validation_that_cannot_be_is_refused_before_an_epoch(tiny_config, dataset, options, said):
    model = build_model(tiny_config)
    with pytest.raises(InputError, match=said):
        fit(model, dataset, **options)
    assert model.iterations_done == 0


def test_images_in_a_dictionary_are_refused(tiny_config, dataset):
    with pytest.raises(InputError, match="takes images alone, not a dictionary"):
        fit(build_model(tiny_config), dataset.map(lambda images: {"images": images}))


def test_one_optimizer_for_both_networks_is_refused(tiny_config):
    adam = keras.optimizers.Adam()
    with pytest.raises(InputError, match="each network needs an optimizer of its own"):
        wgan_gp.build_model(tiny_config).compile(adam, adam)
    with pytest.raises(InputError, match="each network needs an optimizer of its own"):
        wgan_gp.build_model(tiny_config).compile(adam, None)
    wgan_gp.build_model(tiny_config).compile("adam", "adam")
    settings = keras.optimizers.serialize(adam)
    wgan_gp.build_model(tiny_config).compile(settings, settings)


def without_shape(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """The same images, of which nothing is known before they come."""
    return dataset.map(lambda x: tf.numpy_function(lambda images: images, [x], tf.float32))


def test_images_of_a_shape_that_is_not_known_before_train_as_others_do(tiny_config, dataset):
    logs, same = (
        fit(build_model(tiny_config), images).history
        for images in (dataset, without_shape(dataset))
    )
    assert logs == same


@pytest.mark.parametrize("n_critic", [2, 4])
def test_mini_batches_whose_number_is_not_known_before_are_counted(
    tiny_config, tiny_images, n_critic
):
    other = make_dataset(tiny_images, dataclasses.replace(tiny_config, n_critic=n_critic))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"expected shape \[\?,3,32,32,3\]"):
        fit(build_model(tiny_config), without_shape(other))


def test_a_global_policy_changes_no_prediction_of_float32_networks(tiny_config, tmp_path):
    build_model(tiny_config).save(tmp_path / "model.keras")
    latents = np.random.default_rng(0).standard_normal((8, tiny_config.latent_dim), "f4")
    with layer_defaults("mixed_bfloat16"):
        model = keras.saving.load_model(tmp_path / "model.keras")
        images = model.predict(latents, verbose=0)
    np.testing.assert_array_equal(images, model.drawing_generator.predict(latents, verbose=0))


def test_a_failure_leaves_keras_s_settings_as_they_were():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(RuntimeError), layer_defaults("mixed_float16"):
            raise RuntimeError
        assert keras.config.dtype_policy().name == "float32"
        assert keras.config.image_data_format() == "channels_first"
    finally:
        keras.config.set_image_data_format("channels_last")


def test_metrics_are_means_of_every_step_in_half_precision_too(tiny_config):
    former = keras.config.floatx()
    keras.config.set_floatx("bfloat16")
    try:
        model = wgan_gp.build_model(tiny_config)
    finally:
        keras.config.set_floatx(former)
    for _ in range(300):  # bfloat16 stops counting at 256
        model.critic_loss.update_state(1.0)
    model.critic_loss.update_state(302.0)
    assert float(model.critic_loss.result()) == pytest.approx(2.0)


def test_channels_stay_last_whatever_kerass_default_is(tiny_config):
    keras.config.set_image_data_format("channels_first")
    try:
        model = wgan_gp.build_model(tiny_config)
        assert keras.config.image_data_format() == "channels_first"
    finally:
        keras.config.set_image_data_format("channels_last")
    expected = wgan_gp.build_model(tiny_config)
    np.testing.assert_array_equal(model.generate(3), expected.generate(3))


def test_labels_are_refused(tiny_config, dataset, tiny_images):
    model = build_model(tiny_config)
    for labelled in (dataset.map(lambda x: (x, x)), dataset.map(lambda x: (x, None, x))):
        with pytest.raises(InputError, match="no use for labels"):
            fit(model, labelled)
    with pytest.raises(InputError, match="no use for labels"):
        model.fit(tiny_images, np.zeros(50))
    with pytest.raises(InputError, match="no use for labels"):
        model.fit(tiny_images, sample_weight=np.ones(50))
    with pytest.raises(InputError, match="no use for labels"):
        model.fit(tiny_images, class_weight={0: 2.0})
    images = np.zeros((4, 32, 32, 3), "float32")
    for weights in ({"y": np.zeros(4)}, {"sample_weight": np.ones(4)}):
        with pytest.raises(InputError, match="no use for labels"):
            model.evaluate(images, **weights)
    with pytest.raises(InputError, match="no use for labels"):
        model.train_on_batch(images[:, None], class_weight={0: 2.0})


@pytest.mark.parametrize(
    ("method", "shape"),
    [("train_on_batch", (4, 3, 32, 32, 3)), ("test_on_batch", (4, 32, 32, 3))],
)
def test_a_batch_is_checked_as_a_dataset_is(models, tiny_config, method, shape):
    model, images = models.take(tiny_config), np.zeros(shape, np.float32)
    take = getattr(model, method)
    for given, said in (
        ((images[:0],), "there is nothing to"),
        ((images[0],), r"not \((3, )?32, 32, 3\)"),
        ((None,), f"{method} needs images"),
        (((None,),), f"{method} needs images"),
        (([],), f"{method} needs images"),
        ((images, np.zeros(4)), "no use for labels"),
    ):
        with pytest.raises(InputError, match=said):
            take(*given)
    assert all(np.isfinite(weights).all() for weights in model.get_weights())
    assert np.isfinite(take((images,))).all()


def test_a_batch_is_tested_by_itself(models, tiny_config, tiny_images, dataset):
    model, images = models.take(tiny_config), (tiny_images[:4] / 127.5 - 1).astype("float32")
    fit(model, dataset)  # whose means the metrics then are
    expected = model.evaluate(images, batch_size=4, verbose=0, return_dict=True)
    means = model.get_metrics_result()
    assert model.test_on_batch(images, return_dict=True) == pytest.approx(expected)
    assert model.get_metrics_result() == means


@pytest.mark.parametrize("several", [list, lambda images: images.tolist()], ids=["of", "in"])
def test_a_list_of_images_is_to_be_one_array(tiny_config, dataset, several):
    images = several(np.zeros((4, 32, 32, 3), np.float32))
    model = build_model(tiny_config)
    for act in (
        model.fit,
        model.evaluate,
        model.train_on_batch,
        model.test_on_batch,
        lambda images: fit(model, dataset, validation_data=images),
    ):
        with pytest.raises(InputError, match=r"^images come alone, .* not as 4 of them: stack"):
            act(images)
    assert model.iterations_done == 0


def test_images_may_come_in_a_tuple_or_a_list(tiny_config, dataset):
    model = build_model(tiny_config)
    images = next(iter(dataset)).numpy()
    model.fit((images,), batch_size=tiny_config.batch_size, verbose=0)
    assert model.iterations_done == 1
    assert model.evaluate([images[:, 0]], verbose=0) == model.evaluate(images[:, 0], verbose=0)


def test_a_dataset_in_place_of_what_gives_it_is_answered_with_how_to(tiny_config, dataset):
    with pytest.raises(InputError, match="lambda start: make_dataset"):
        build_model(tiny_config).fit_to(2, dataset)


@pytest.mark.parametrize("kind", [lambda x: x, Parts], ids=["array", "PyDataset"])
def test_arrays_train_the_same_model_however_often_training_stops(tiny_config, kind):
    shape = (24, tiny_config.n_critic, 32, 32, 3)
    elements = np.random.default_rng(0).uniform(-1, 1, shape).astype("f4")

    def trained(*stops: int) -> list[np.ndarray]:
        model = build_model(tiny_config)
        options = {} if kind is Parts else {"batch_size": 4}
        for stop in stops:
            model.fit_to(
                stop, lambda start: kind(elements[4 * start :]), steps_per_epoch=4, **options
            )
        return model.get_weights()

    for weights, expected in zip(trained(2, 3, 6), trained(6), strict=True):
        np.testing.assert_array_equal(weights, expected)
    with pytest.raises(InputError, match="from iteration 4 on has 2 batches for the next 4 steps"):
        trained(4, 8)


@pytest.mark.parametrize(
    ("callback", "said"),
    [
        (lambda path: keras.callbacks.EarlyStopping("val_swd"), "'val_swd' should fall or rise"),
        pytest.param(
            lambda path: keras.callbacks.ReduceLROnPlateau("critic_loss"),
            "a mode, 'min' or 'max'",
            marks=pytest.mark.skipif(not KNOWS_TWO_OPTIMIZERS, reason="Keras before 3.15"),
        ),
        (
            lambda path: keras.callbacks.ModelCheckpoint(
                path / "best.keras", monitor="val_swd", save_best_only=True
            ),
            "ModelCheckpoint cannot know",
        ),
        (
            lambda path: keras.callbacks.ModelCheckpoint(
                path / "best.keras", "critic_loss", mode="min", save_best_only=True, save_freq=2
            ),
            "can find the best at the end of an epoch only, .*: leave out save_freq or",
        ),
        (
            lambda path: keras.callbacks.ModelCheckpoint(path / "best.h5"),
            r"two optimizers, to '.*best.h5': let it be a \.keras file",
        ),
        (lambda path: keras.callbacks.BackupAndRestore(path), "use wgan_gp.Checkpoint"),
        (lambda path: keras.callbacks.SwapEMAWeights(), "take its ema_generator"),
        (lambda path: keras.callbacks.TerminateOnNaN(), "use wgan_gp.StopAtNaN"),
        (
            lambda path: keras.callbacks.EarlyStopping("val_swd", restore_best_weights=True),
            "keep the best by wgan_gp.Quality",
        ),
    ],
)
def test_callbacks_that_would_be_silently_wrong_are_refused(
    tiny_config, dataset, tmp_path, callback, said
):
    model = build_model(tiny_config)
    refused = callback(tmp_path / "backup")
    for callbacks in (refused, [refused], [[refused]]):
        with pytest.raises(InputError, match=said):
            fit(model, dataset, callbacks=callbacks)
    assert int(model.iteration) == 0


def test_an_optimizer_that_has_trained_other_weights_is_refused(tiny_config):
    model = wgan_gp.build_model(tiny_config)
    both = model.critic_optimizer, model.generator_optimizer
    model.compile(*both)
    model.generator.layers[0].trainable = False
    with pytest.raises(InputError, match="'generator' has to train now: give compile a new one"):
        model.compile(*both)
    assert model.optimizer.optimizers == both
    model.compile(both[0], both[1].from_config(both[1].get_config()))
    with pytest.raises(InputError, match="the optimizer 'critic' belongs to other weights"):
        wgan_gp.build_model(tiny_config).compile(both[0], keras.optimizers.Adam())


def test_an_optimizer_that_averages_weights_is_refused(tiny_config):
    model = wgan_gp.build_model(tiny_config)
    averaging = keras.optimizers.Adam(use_ema=True)
    for optimizer in (averaging, keras.optimizers.LossScaleOptimizer(averaging)):
        other = keras.optimizers.Adam()
        for both in ((optimizer, other), (other, optimizer)):
            with pytest.raises(InputError, match="give WGANGP an ema_half_life"):
                model.compile(*both)


@pytest.mark.skipif(not KNOWS_TWO_OPTIMIZERS, reason="of Keras 3.15")
def test_several_optimizers_for_the_layers_of_a_network_are_refused(tiny_config):
    model, adam = wgan_gp.build_model(tiny_config), keras.optimizers.Adam()
    several = keras.optimizers.MultiOptimizer(adam)
    for optimizer in (several, keras.optimizers.LossScaleOptimizer(several)):
        with pytest.raises(InputError, match=r"one optimizer, such as Adam, not by several in a M"):
            model.compile("sgd", optimizer)


def test_batch_norm_in_the_critic_is_refused_by_name(tiny_config):
    inner = keras.Sequential([keras.layers.BatchNormalization(name="mixer")])
    critic = keras.Sequential([keras.Input((32, 32, 3)), inner, build_critic(tiny_config)])
    with pytest.raises(InputError, match="layer 'mixer' mixes the images of a batch"):
        WGANGP(build_generator(tiny_config), critic)


def test_batch_norm_within_a_layer_of_ones_own_is_refused_too(tiny_config):
    class Block(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.norms = [keras.layers.BatchNormalization(name="hidden")]

        def call(self, x, training=False):
            return self.norms[0](x, training=training)

    critic = keras.Sequential([keras.Input((32, 32, 3)), Block(), build_critic(tiny_config)])
    with pytest.raises(InputError, match="layer 'hidden' mixes the images of a batch"):
        WGANGP(build_generator(tiny_config), critic)


def test_a_generator_with_a_lambda_layer_can_be_averaged(tiny_config):
    halved = keras.layers.Lambda(lambda images: images / 2)
    generator = keras.Sequential([build_generator(tiny_config), halved])
    model = WGANGP(generator, build_critic(tiny_config), ema_half_life=10)
    np.testing.assert_array_equal(model.ema_generator(np.ones((1, 6))), generator(np.ones((1, 6))))


def test_a_model_can_be_summarised_with_the_variables_of_both_optimizers(tiny_config):
    model = build_model(tiny_config)
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert "Optimizer params" in lines[0]
    both = (model.critic_optimizer, model.generator_optimizer)
    assert len(model.optimizer.variables) == sum(len(one.variables) for one in both)


@pytest.mark.skipif(not KNOWS_TWO_OPTIMIZERS, reason="of Keras 3.15")
def test_the_state_tree_holds_both_optimizers(tiny_config):
    tree = build_model(tiny_config).get_state_tree()
    assert set(tree) >= {"trainable_variables", "optimizer_variables"}


def test_tensorboard_counts_the_iterations(tiny_config, dataset, tmp_path):
    model = build_model(tiny_config)
    board = keras.callbacks.TensorBoard(tmp_path, write_steps_per_second=True)
    fit(model, dataset, epochs=2, callbacks=[board])
    assert int(model.optimizer.iterations) == int(model.iteration) == 2


@pytest.mark.parametrize("ema_half_life", [0, 8])
def test_export_writes_the_generator_that_draws(tiny_config, tmp_path, ema_half_life):
    model = wgan_gp.build_model(dataclasses.replace(tiny_config, ema_half_life=ema_half_life))
    for weight in model.generator.trainable_weights:
        weight.assign(weight + 0.1)  # so that the average is another
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras's own
        model.export(tmp_path / "exported", verbose=False)
    latents = np.random.default_rng(0).standard_normal((3, tiny_config.latent_dim), "float32")
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    served = exported.serve(latents)
    np.testing.assert_allclose(served, model.drawing_generator(latents), atol=1e-6)
    np.testing.assert_allclose(served, model.predict(latents, verbose=0), atol=1e-6)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_export_in_half_precision_is_what_other_runtimes_take(tiny_config, tmp_path, precision):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = wgan_gp.build_model(dataclasses.replace(tiny_config, precision=precision))
    latents = np.random.default_rng(0).standard_normal((3, tiny_config.latent_dim), "float32")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras's own
        model.export(tmp_path / "generator.onnx", format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "generator.onnx")
    (images,) = session.run(None, {session.get_inputs()[0].name: latents})
    np.testing.assert_allclose(images, portable(model.generator)(latents), atol=1e-4)


def test_early_stopping_and_model_checkpoint_follow_validation(
    tiny_config, dataset, tiny_images, tmp_path
):
    held_out = tf.data.Dataset.from_tensors(tiny_images[:8].astype("float32") / 127.5 - 1.0)
    best = keras.callbacks.ModelCheckpoint(
        tmp_path / "best.keras", "val_critic_loss", mode="min", save_best_only=True
    )
    stop = keras.callbacks.EarlyStopping("val_critic_loss", mode="min", patience=1, min_delta=1e9)
    model = build_model(tiny_config)
    history = fit(model, dataset, epochs=5, validation_data=held_out, callbacks=[best, stop])
    assert len(history.history["val_critic_loss"]) == 2
    assert isinstance(keras.saving.load_model(tmp_path / "best.keras"), WGANGP)


@pytest.mark.parametrize(
    ("steps_per_execution", "iterations", "tiles", "checkpoints"),
    [
        # A picture and a checkpoint are due at every fourth iteration, and come at the next chance.
        (3, 12, [3, 6, 9, 12], [6, 9, 12]),
        (2, 7, [1, 4, 7], [4, 7]),  # which only single steps come to
    ],
)
def test_several_steps_in_one_execution_miss_nothing(
    tiny_config, tiny_images, tmp_path, steps_per_execution, iterations, tiles, checkpoints
):
    def trained(steps: int):
        model = executing(steps, tiny_config)
        monitor = Monitor(tmp_path / str(steps), every=4, last_iteration=iterations)
        checkpoint = Checkpoint(tmp_path / f"{steps}-checkpoints", every=4, callbacks=[monitor])
        model.fit_to(
            iterations,
            lambda start: make_dataset(tiny_images, tiny_config, start),
            steps_per_epoch=6,
            callbacks=[monitor, HistoryFile(tmp_path / f"{steps}.csv"), checkpoint],
            verbose=0,
        )
        return model, monitor

    (one, monitored), (several, also_monitored) = trained(1), trained(steps_per_execution)
    assert int(several.iteration) == iterations
    assert several.steps_per_execution == steps_per_execution
    for a, b in zip(one.get_weights(), several.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    curve, same = np.array(monitored.curve.points), np.array(also_monitored.curve.points)
    np.testing.assert_array_equal(same[:, 0], np.arange(1, iterations + 1))
    np.testing.assert_allclose(same, curve, rtol=1e-5)
    drawn = sorted((tmp_path / str(steps_per_execution) / "grids").iterdir())
    assert [int(tile.stem[-6:]) for tile in drawn] == tiles
    kept = sorted((tmp_path / f"{steps_per_execution}-checkpoints").iterdir())
    assert [int(folder.name[-6:]) for folder in kept] == checkpoints


def test_every_image_is_validated_however_many_steps_are_executed_at_once(tiny_config, tiny_images):
    held_out = (tiny_images[:12] / 127.5 - 1).astype("float32")

    def measured(steps: int) -> list[float]:
        """The last epoch's validation, and an evaluation and a prediction thereafter."""
        model = executing(steps, tiny_config)
        epochs = keras.callbacks.History()
        model.fit_to(
            5,  # of an epoch of 2 and of a last one of 1, which 3 do not fit into
            lambda start: make_dataset(tiny_images, tiny_config, start),
            steps_per_epoch=2,
            callbacks=epochs,
            validation_data=(held_out,),
            validation_batch_size=2,
            verbose=0,
        )
        evaluated = model.evaluate(held_out, batch_size=2, return_dict=True, verbose=0)
        predicted = model.predict(np.ones((7, tiny_config.latent_dim)), batch_size=1, verbose=0)
        assert len(predicted) == 7
        return [epochs.history["val_critic_loss"][-1], evaluated["critic_loss"]]

    np.testing.assert_allclose(measured(3), measured(1), rtol=1e-4)


def test_training_that_fails_leaves_the_steps_of_an_execution_as_they_were(tiny_config, dataset):
    def fail(logs: dict | None) -> None:
        raise RuntimeError(model.steps_per_execution)

    model = wgan_gp.build_model(tiny_config)
    failing = keras.callbacks.LambdaCallback(on_train_begin=fail)
    model.compile(**compiled_with(model, steps_per_execution=3))
    with pytest.raises(RuntimeError, match=r"^2$"):
        model.fit_to(4, dataset.skip, steps_per_epoch=4, callbacks=failing, verbose=0)
    assert model.steps_per_execution == 3


def test_more_steps_at_once_than_compile_was_told_are_refused(tiny_config, dataset):
    model = wgan_gp.build_model(tiny_config)
    model.steps_per_execution = 3
    with pytest.raises(InputError, match="has grown since compile: give it to compile"):
        fit(model, dataset)
    assert model.iterations_done == 0
    model.compile(**compiled_with(model, steps_per_execution=3))
    model.steps_per_execution = 1
    fit(model, dataset)


@pytest.mark.parametrize("steps", [0, 1.5])
def test_epochs_without_whole_steps_are_refused(tiny_config, dataset, steps):
    said = f"steps_per_epoch must be a whole number, at least 1, not {steps}"
    with pytest.raises(InputError, match=said):
        build_model(tiny_config).fit_to(2, lambda start: dataset, steps_per_epoch=steps)


def test_a_dataset_that_has_ended_is_an_error(tiny_config, dataset):
    model, four = build_model(tiny_config), dataset.take(4)
    model.fit_to(4, lambda start: four.skip(start), verbose=0)
    with pytest.raises(InputError, match="the dataset from iteration 4 on has 0 batches"):
        model.fit_to(9, lambda start: four.skip(start), verbose=0)
    of_unknown_length = four.filter(lambda images: True)
    with (
        pytest.warns(UserWarning, match="Your input ran out of data"),
        pytest.raises(InputError, match="the dataset has ended at iteration 4, before 9"),
    ):
        model.fit_to(9, lambda start: of_unknown_length.skip(start), verbose=0)
    assert model.iterations_done == 4


def test_a_dataset_that_will_end_is_not_begun_again(tiny_config, dataset):
    model = build_model(tiny_config)
    with pytest.raises(InputError, match="iteration 0 on has 6 batches for the next 12 steps"):
        model.fit_to(12, dataset.take(6).skip, steps_per_epoch=3, verbose=0)
    assert model.iterations_done == 0


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # as Keras says of such a one
@pytest.mark.parametrize("count", [6, 7])  # at the end of an epoch, and within one
def test_nor_is_one_whose_end_is_not_known(tiny_config, tiny_images, tmp_path, count):
    batches = make_dataset(tiny_images, tiny_config).take(count).filter(lambda images: True)
    model, checkpoint = build_model(tiny_config), Checkpoint(tmp_path, every="epoch")
    with pytest.raises(InputError, match=f"the dataset has ended at iteration {count}, before 12"):
        model.fit_to(12, batches.skip, steps_per_epoch=3, callbacks=[checkpoint], verbose=0)
    assert model.iterations_done == checkpoint.restore(build_model(tiny_config)) == count


@pytest.mark.parametrize("iteration", [4.0, -1, "4"])
def test_an_iteration_is_a_whole_number(tiny_config, dataset, iteration):
    with pytest.raises(InputError, match="iteration must be a whole number, at least 0, not"):
        build_model(tiny_config).fit_to(iteration, lambda start: dataset)


def test_a_number_set_in_another_type_is_the_number(tiny_config, dataset):
    model = wgan_gp.build_model(tiny_config)
    model.n_critic, model.penalty_every = float(tiny_config.n_critic), np.int64(1)
    fit(model, dataset)
    assert model.iterations_done == 1


@pytest.mark.parametrize("as_dataset", [True, False])
def test_images_to_validate_on_that_are_no_floats_are_refused_before_training(
    tiny_config, tiny_images, dataset, as_dataset
):
    pixels = tf.data.Dataset.from_tensors(tiny_images) if as_dataset else (tiny_images,)
    model = build_model(tiny_config)
    with pytest.raises(InputError, match=r"images must be floats in -1..1, .* not uint8"):
        fit(model, dataset, validation_data=pixels)
    assert model.iterations_done == 0


@pytest.mark.filterwarnings("ignore:Your input ran out of data")  # as Keras says of such a one
def test_the_end_of_a_dataset_of_unknown_length_changes_nothing(tiny_config, dataset):
    def trained(batches: tf.data.Dataset):
        model = build_model(tiny_config)
        history = model.fit(batches, epochs=3, verbose=0).history
        return [model.iterations_done, history, *all_variables(model)]

    known = dataset.take(2)
    unknown = known.filter(lambda images: True)
    assert unknown.cardinality() == tf.data.UNKNOWN_CARDINALITY
    for one, other in zip(trained(known), trained(unknown), strict=True):
        np.testing.assert_array_equal(one, other)


def all_variables(model) -> list[np.ndarray]:
    optimizers = [model.critic_optimizer, model.generator_optimizer]
    variables = [x for part in (model, *optimizers) for x in part.variables]
    return [variable.numpy() for variable in variables]


def executing(steps: int, config: Config) -> WGANGP:
    """A model that executes so many steps at once."""
    if steps == 1:
        return build_model(config)
    model = wgan_gp.build_model(config)
    model.compile(**compiled_with(model, steps_per_execution=steps))
    return model


def compiled_with(model, **changes) -> dict:
    return {
        "critic_optimizer": model.critic_optimizer,
        "generator_optimizer": model.generator_optimizer,
        **changes,
    }


def test_what_is_drawn_for_xla_is_what_tensorflow_draws():
    seed = tf.constant([5, 2**40], tf.int64)
    uniform = tf.random.stateless_uniform((1001,), seed, alg="philox")
    normal = tf.random.stateless_normal((77, 13), seed, alg="philox")
    for compiled in (True, False):
        draw = tf.function(random_streams.draw_uniform, jit_compile=compiled)
        np.testing.assert_array_equal(draw(1001, seed), uniform)
        draw = tf.function(random_streams.draw_latents, jit_compile=compiled)
        np.testing.assert_allclose(draw(77, 13, seed, under_xla=True), normal, atol=1e-5)


# How far the gradients of a critic update may be from float32's: bfloat16 has 8 bits, float16 11.
@pytest.mark.parametrize(("precision", "error"), [("mixed_bfloat16", 0.1), ("mixed_float16", 0.03)])
def test_gradients_of_a_mixed_precision_are_float32s(tiny_config, tiny_images, precision, error):
    real = tf.constant(tiny_images[:8] / 127.5 - 1.0, tf.float32)
    generated = tf.random.stateless_uniform(real.shape, (1, 2), -0.1, 0.1)
    epsilon = tf.random.stateless_uniform((8, 1, 1, 1), (3, 4))

    def gradients(precision: str) -> list[np.ndarray]:
        config = dataclasses.replace(tiny_config, base_filters=4, precision=precision)
        model = build_model(config)
        with tf.GradientTape() as tape:
            loss, _ = model._critic_losses(real, generated, epsilon, 10.0, training=True)
            scaled = loss * 2.0**-8
        kernels = [v for v in model.critic.trainable_variables if v.name == "kernel"]
        return [gradient.numpy() for gradient in tape.gradient(scaled, kernels)]

    for found, expected in zip(gradients(precision), gradients("float32"), strict=True):
        assert np.linalg.norm(found - expected) < error * np.linalg.norm(expected)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_losses_of_a_mixed_precision_follow_float32s(tiny_config, tiny_images, precision):
    config = dataclasses.replace(tiny_config, base_filters=4, ema_half_life=40)

    def losses(precision: str) -> np.ndarray:
        model = build_model(dataclasses.replace(config, precision=precision))
        assert {v.dtype for v in model.critic.trainable_variables} == {"float32"}
        if precision != "float32":
            assert model.critic.layers[0].compute_dtype == precision.removeprefix("mixed_")
        if precision == "mixed_float16":
            # The default scale leaves out the first updates, which overflow; that run lags behind.
            for optimizer in (model.critic_optimizer, model.generator_optimizer):
                optimizer.dynamic_scale.assign(2.0**-8)
        dataset = make_dataset(tiny_images, config)
        history = fit(model, dataset, epochs=50).history
        names = ("critic_loss_unregularized", "gradient_norm", "generator_loss")
        return np.stack([history[name] for name in names])

    expected, found = losses("float32"), losses(precision)
    assert (np.abs(found - expected).max(axis=1) < 0.25 * expected.std(axis=1)).all()
    assert (found[1] > 0).all()


def test_parts_of_networks_are_looked_into(tiny_config):
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, dtype="mixed_float16")])
    whole = keras.Sequential([keras.Input((4,)), inner])
    assert [layer.compute_dtype for layer in whole.layers] == ["float32"]
    assert isinstance(scaling(keras.optimizers.Adam(), whole), keras.optimizers.LossScaleOptimizer)

    half = dataclasses.replace(tiny_config, precision="mixed_float16")
    inner = build_generator(half)
    inner.pop()
    inner.pop()
    colours = keras.layers.Conv2DTranspose(3, 5, 2, "same", dtype="mixed_float16")
    inner.add(keras.layers.SpectralNormalization(colours, dtype="mixed_float16"))
    whole = keras.Sequential([keras.Input(inner.input_shape[1:]), inner])
    plain = portable(whole)
    assert {layer.compute_dtype for layer in plain._flatten_layers()} == {"float32"}
    latents = np.random.default_rng(0).standard_normal((3, half.latent_dim), "float32")
    np.testing.assert_allclose(plain(latents), whole(latents), atol=0.02)


def test_a_loss_scale_that_overflows_recovers(tiny_config, dataset):
    model = wgan_gp.build_model(dataclasses.replace(tiny_config, precision="mixed_float16"))
    optimizers = [
        keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-4), initial_scale=2.0**40)
        for _ in range(2)
    ]
    model.compile(*optimizers)
    before = model.critic.get_weights()
    fit(model, dataset, epochs=40)
    for optimizer in optimizers:
        assert float(optimizer.dynamic_scale) < 2.0**30
        assert int(optimizer.iterations) > 0
    assert all(np.isfinite(w).all() for w in model.get_weights())
    assert any((a != b).any() for a, b in zip(before, model.critic.get_weights(), strict=True))


@keras.saving.register_keras_serializable(package="tests")
class OwnGenerator(keras.Model):
    """A subclassed generator, of images with so many channels."""

    def __init__(self, channels: int = 3, **kwargs) -> None:
        super().__init__(**kwargs)
        self.channels = channels
        self.dense = keras.layers.Dense(32 * 32 * channels, activation="tanh")
        self.reshape = keras.layers.Reshape((32, 32, channels))

    def build(self, input_shape) -> None:
        self.dense.build(input_shape)
        super().build(input_shape)

    def call(self, latents, training=False):
        return self.reshape(self.dense(latents))

    def get_config(self) -> dict:
        return {**super().get_config(), "channels": self.channels}


@keras.saving.register_keras_serializable(package="tests")
class OwnCritic(keras.Model):
    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.convolution = keras.layers.Conv2D(4, 5, 4, activation="relu")
        self.flatten = keras.layers.Flatten()
        self.score = keras.layers.Dense(1)

    def build(self, input_shape) -> None:
        self.convolution.build(input_shape)
        self.score.build((None, 7 * 7 * 4))
        super().build(input_shape)

    def call(self, images, training=False):
        return self.score(self.flatten(self.convolution(images)))


def test_networks_that_were_called_once_work_on_any_number_of_images(tmp_path):
    layers = keras.layers
    generator = keras.Sequential([layers.Dense(16 * 16 * 3), layers.Reshape((16, 16, 3))])
    critic = keras.Sequential([layers.Flatten(), layers.Dense(1)])
    generator(np.zeros((1, 4), "float32"))
    critic(np.zeros((5, 16, 16, 3), "float32"))
    model = WGANGP(generator, critic, n_critic=2, ema_half_life=4)
    model.compile("sgd", "sgd")
    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 3), np.uint8)
    recorders = [Quality(images, every=1), Monitor(tmp_path, every=1)]
    model.fit(np.zeros((3, 2, 16, 16, 3), "float32"), batch_size=3, callbacks=recorders, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.generate(3), model.generate(3))


@pytest.mark.parametrize("channels", [1, 3])
def test_subclassed_networks_and_grey_images_work(tiny_config, tiny_images, tmp_path, channels):
    images = tiny_images[..., :channels]
    generator, critic = OwnGenerator(channels), OwnCritic()
    with pytest.raises(InputError, match="call it once"):
        WGANGP(generator, critic)
    generator.build((None, 6))
    critic(np.zeros((1, 32, 32, channels), "float32"))  # as good
    model = WGANGP(generator, critic, tiny_config.n_critic, ema_half_life=40)
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    recorders = [Quality(images[:40], every=2), Monitor(tmp_path, every=2)]
    fit(
        model,
        make_dataset(images, tiny_config),
        epochs=2,
        callbacks=[*recorders, Checkpoint(tmp_path / "checkpoints", callbacks=recorders)],
    )
    assert model.generate(3).shape == (3, 32, 32, channels)
    assert image_grid(model.generate(3)).shape == (64, 64, channels)
    assert (tmp_path / "grids" / "iteration-000002.png").is_file()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.generate(3), model.generate(3))
    wgan_gp.export_saved_model(model.drawing_generator, tmp_path / "exported")


class Halving(keras.layers.Layer):
    """A layer that nobody has registered."""

    def call(self, x):
        return x / 2


@pytest.mark.parametrize(
    "layer",
    [lambda: keras.layers.Lambda(lambda x: keras.ops.tanh(x)), Halving],
    ids=["Lambda", "one's own"],
)
def test_a_generator_with_parts_that_no_file_may_hold_is_measured_and_made_portable(layer):
    def generator(policy: str) -> keras.Model:
        parts = [keras.layers.Dense(32 * 32 * 3, dtype=policy), layer()]
        return keras.Sequential([keras.Input((4,)), *parts, keras.layers.Reshape((32, 32, 3))])

    half = generator("mixed_bfloat16")
    plain = portable(half)
    assert {part.compute_dtype for part in plain.layers} == {"float32"}
    for one, other in zip(half.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    real = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), np.uint8)
    report = wgan_gp.evaluate(generator("float32"), real, metrics=["diversity"])
    assert report.scores["diversity"].untrained > 0


def test_layers_of_ones_own_compute_in_float32_where_that_is_all_there_is():
    class Block(keras.layers.Layer):
        def __init__(self, filters: int, **options) -> None:
            super().__init__(**options)
            self.filters, self.inner = filters, keras.layers.Conv2DTranspose(filters, 4, 2, "same")

        def call(self, x):
            return self.inner(x)

        def get_config(self):
            return {**super().get_config(), "filters": self.filters}

    class Scale(keras.layers.Layer):
        """It takes no precision, and so has Keras's default one."""

        def __init__(self, factor: float = 2.0) -> None:
            super().__init__()
            self.factor = factor

        def call(self, x):
            return self.factor * x

        def get_config(self):
            return {"factor": self.factor}

    with layer_defaults("mixed_float16"):
        parts = [keras.layers.Dense(48), keras.layers.Reshape((4, 4, 3)), Block(3), Scale()]
        half = keras.Sequential([keras.Input((4,)), *parts])
    plain = portable(half)
    assert {x.compute_dtype for x in layers_within(half)} == {"float16"}
    assert {x.compute_dtype for x in layers_within(plain)} == {"float32"}
    latents = np.random.default_rng(0).standard_normal((3, 4), "float32")
    np.testing.assert_allclose(plain(latents), half(latents), atol=1e-2)


def test_losses_are_not_scaled_where_that_is_said(tiny_config):
    half = dataclasses.replace(tiny_config, precision="mixed_float16")
    model = WGANGP(build_generator(half), build_critic(half))
    for is_scaled in (True, False):
        model.compile("adam", "adam", auto_scale_loss=is_scaled)
        for optimizer in (model.critic_optimizer, model.generator_optimizer):
            assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer) == is_scaled


def test_fit_takes_keras_s_positional_arguments(tiny_config, tiny_images):
    model = build_model(tiny_config)
    seen = []
    counts = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(epoch))
    dataset = make_dataset(tiny_images, tiny_config)
    model.fit(dataset, None, None, 2, 0, [counts], steps_per_epoch=1)
    assert seen == [0, 1]


def test_fit_on_a_dataset_warns_of_nothing(tiny_config, dataset):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit(build_model(tiny_config), dataset)


def test_a_critic_may_take_images_of_any_size(tiny_config, tiny_images):
    layers = [keras.Input((None, None, 3)), keras.layers.Conv2D(4, 3, 2, activation="relu")]
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(1)]
    model = WGANGP(build_generator(tiny_config), keras.Sequential(layers))
    model.compile(keras.optimizers.Adam(1e-3), keras.optimizers.Adam(1e-3))
    config = dataclasses.replace(tiny_config, n_critic=model.n_critic)
    dataset = make_dataset(tiny_images, config)
    history = model.fit(dataset, steps_per_epoch=2, verbose=0).history
    assert 0 < history["gradient_penalty"][0] < 10


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_networks_may_end_in_half_precision(tiny_config, tiny_images, policy):
    """Without the float32 layer that those of `build_model` end in."""
    layers = keras.layers
    generator = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(3072, "tanh", dtype=policy),
            layers.Reshape((32, 32, 3), dtype=policy),
        ]
    )
    critic = keras.Sequential(
        [keras.Input((32, 32, 3)), layers.Flatten(dtype=policy), layers.Dense(1, dtype=policy)]
    )
    features = keras.Sequential([keras.Input((32, 32, 3)), layers.ReLU(dtype=policy)])
    for through in (None, features):
        model = WGANGP(generator, critic, tiny_config.n_critic, critic_features=through)
        model.compile("sgd", "sgd", run_eagerly=True)
        dataset = make_dataset(tiny_images, tiny_config)
        history = model.fit(dataset, steps_per_epoch=1, verbose=0).history
        assert all(np.isfinite(values).all() for values in history.values())


def test_losses_of_float16_begin_with_a_scale_that_does_not_overflow(tiny_config):
    half = dataclasses.replace(tiny_config, precision="mixed_float16")
    assert float(scaling(keras.optimizers.Adam(), build_critic(half)).initial_scale) == 2**8


def test_bfloat16_needs_no_scale(tiny_config):
    half = dataclasses.replace(tiny_config, precision="mixed_bfloat16")
    assert not isinstance(
        scaling(keras.optimizers.Adam(), build_critic(half)), keras.optimizers.LossScaleOptimizer
    )


def test_images_of_a_py_dataset_that_are_none_are_refused_before_an_epoch(tiny_config, dataset):
    model = build_model(tiny_config)
    with pytest.raises(InputError, match="images must be floats"):
        fit(model, dataset, validation_data=Parts(np.zeros((4, 32, 32, 3), np.uint8)))
    with pytest.raises(InputError, match="nothing to evaluate on"):
        fit(model, dataset, validation_data=Parts(np.zeros((0, 32, 32, 3), np.float32)))
    assert model.iterations_done == 0
    fit(model, dataset, validation_data=Parts(np.zeros((4, 32, 32, 3), np.float32)))


def test_a_dataset_of_nothing_is_no_training_that_has_ended_well(tiny_config, tiny_images):
    model, config = build_model(tiny_config), tiny_config
    images = tf.data.Dataset.from_tensor_slices(tiny_images[:2] / np.float32(127.5) - 1)
    for size in (config.n_critic, config.batch_size):
        images = images.batch(size, drop_remainder=True)
    shape = (0, config.n_critic, *tiny_images.shape[1:])
    for nothing in (images, np.zeros(shape, np.float32), Parts(np.zeros(shape, np.float32))):
        with pytest.raises(InputError, match="nothing to train on"):
            model.fit(nothing, epochs=2, verbose=0)
    for nothing in (images.unbatch().unbatch(), np.zeros(shape[:1] + shape[2:], np.float32)):
        with pytest.raises(InputError, match="nothing to evaluate on"):
            model.evaluate(nothing, verbose=0)
    with pytest.raises(InputError, match="expects images"):
        model.fit(tf.constant(1.0), verbose=0)


@pytest.mark.parametrize("taken", ["x", "epochs", "initial_epoch"])
def test_fit_to_says_what_it_decides_itself(tiny_config, taken):
    with pytest.raises(InputError, match=f"fit_to decides {taken} itself"):
        build_model(tiny_config).fit_to(1, lambda start: None, **{taken: 1})


def test_the_means_of_training_are_as_before_when_images_are_evaluated(tiny_config, tiny_images):
    model = build_model(tiny_config)
    fit(model, make_dataset(tiny_images, tiny_config))
    before = model.get_metrics_result()
    model.evaluate(tiny_images / 127.5 - 1, verbose=0)
    assert model.get_metrics_result() == before


def test_labels_of_a_validation_dataset_are_refused_before_an_epoch(tiny_config, tiny_images):
    labelled = tf.data.Dataset.from_tensors((np.zeros((4, 32, 32, 3), "f4"), np.ones(4)))
    model = build_model(tiny_config)
    with pytest.raises(InputError, match="no use for labels"):
        model.fit(
            make_dataset(tiny_images, tiny_config),
            steps_per_epoch=1,
            verbose=0,
            validation_data=labelled,
        )
    assert model.iterations_done == 0


def test_keras_on_another_library_is_told_which_it_needs(tiny_config, monkeypatch):
    generator, critic = build_generator(tiny_config), build_critic(tiny_config)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    for use in (lambda: WGANGP(generator, critic), lambda: generate_images(generator, 1)):
        with pytest.raises(InputError, match="computes with jax, and this needs TensorFlow"):
            use()


def test_settings_that_are_none_are_refused(tiny_config, tiny_images):
    for use in (
        lambda: wgan_gp.build_model("quick"),
        lambda: make_dataset(tiny_images, Config),
        lambda: held_out_images(tiny_images, vars(tiny_config)),
    ):
        with pytest.raises(InputError, match="the settings must be a Config, such as"):
            use()


def test_networks_that_are_no_models_are_named(tiny_config):
    generator, critic = build_generator(tiny_config), build_critic(tiny_config)
    with pytest.raises(InputError, match=r"the generator must be a keras.Model, not <function"):
        WGANGP(build_generator, critic)
    with pytest.raises(InputError, match=r"the critic must be a keras.Model, not \["):
        WGANGP(generator, critic.layers)


@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_images_are_asked_for(tiny_config, method):
    with pytest.raises(InputError, match=f"^{method} needs images: a dataset such as"):
        getattr(build_model(tiny_config), method)()
    with pytest.raises(InputError, match=f"^{method} needs images: .*, not <built-in function len"):
        getattr(build_model(tiny_config), method)(len)


class EndlessParts(Parts):
    num_batches = None  # as which Keras has those without an end


def test_a_dataset_without_an_end_needs_a_number_of_steps(tiny_config, tiny_images, dataset):
    model = build_model(tiny_config)
    for endless in (dataset, dataset.take(1).repeat()):
        with pytest.raises(InputError, match=r"has no end: say how much .* by steps_per_epoch"):
            model.fit(endless)
    validation = tf.data.Dataset.from_tensors(np.zeros((4, 32, 32, 3), "f4")).repeat()
    with pytest.raises(InputError, match=r"has no end: say how much of it to take by steps$"):
        model.evaluate(dataset.map(lambda images: images[:, 0]))
    with pytest.raises(InputError, match=r"has no end: say how much .* by validation_steps"):
        fit(model, dataset, validation_data=validation)
    for method in (model.fit, model.evaluate):
        with pytest.raises(InputError, match=r"has no end: say how much of it to take by steps"):
            method(EndlessParts(np.zeros((4, 32, 32, 3), "f4")))
    fit(model, dataset, validation_data=validation, validation_steps=1)
    model.fit(dataset.take(1), verbose=0)
    assert model.iterations_done == 2


def test_a_compile_that_fails_changes_nothing(tiny_config, dataset):
    model = wgan_gp.build_model(tiny_config)
    before = model.critic_optimizer, model.generator_optimizer
    for wrong in ({"speed": 2}, {"critic_optimizer": keras.optimizers.Adam(use_ema=True)}):
        with pytest.raises((TypeError, InputError), match=r"speed|use_ema"):
            model.compile(**{"critic_optimizer": "sgd", "generator_optimizer": "sgd", **wrong})
        assert (model.critic_optimizer, model.generator_optimizer) == before
    fit(model, dataset)


@pytest.mark.skipif(not KNOWS_TWO_OPTIMIZERS, reason="of Keras 3.15")
def test_rates_in_the_logs_are_named_after_their_networks(tiny_config, dataset):
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate)
    half = dataclasses.replace(tiny_config, precision="mixed_float16")
    for config in (tiny_config, tiny_config, half):  # Keras would count those of a process
        logs = fit(build_model(config), dataset, callbacks=[schedule]).history
        assert {"learning_rate_critic", "learning_rate_generator"} < logs.keys()


def test_the_generators_loss_is_scaled_for_any_network_of_half_precision(tiny_config):
    half = dataclasses.replace(tiny_config, precision="mixed_float16")
    model = WGANGP(build_generator(tiny_config), build_critic(half), tiny_config.n_critic)
    model.compile("sgd", "sgd")
    assert isinstance(model.generator_optimizer, keras.optimizers.LossScaleOptimizer)
    model = WGANGP(build_generator(half), build_critic(tiny_config), tiny_config.n_critic)
    model.compile("sgd", "sgd")
    assert isinstance(model.generator_optimizer, keras.optimizers.LossScaleOptimizer)
    assert not isinstance(model.critic_optimizer, keras.optimizers.LossScaleOptimizer)


def test_images_as_a_tensor_are_images(tiny_config, tiny_images):
    array, tensor = tiny_images[:8], tf.constant(tiny_images[:8])
    (expected,), (found,) = (make_dataset(x, tiny_config).take(1) for x in (array, tensor))
    np.testing.assert_array_equal(found, expected)
    config = dataclasses.replace(tiny_config, holdout=0.5)
    np.testing.assert_array_equal(*(held_out_images(x, config) for x in (array, tensor)))
    np.testing.assert_array_equal(*(Quality(x, count=4).images for x in (array, tensor)))


def test_images_as_a_list_of_numbers_have_another_type(tiny_config, tiny_images):
    with pytest.raises(InputError, match="images must be uint8 of shape"):
        make_dataset(tiny_images[:8].tolist(), tiny_config)


@pytest.mark.parametrize("name", ["model.h5", "model.hdf5"])
def test_hdf5_which_cannot_hold_two_optimizers_is_refused(tiny_config, tmp_path, name):
    with pytest.raises(InputError, match=r"a WGANGP is saved as a .keras file, not as"):
        build_model(tiny_config).save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match=r"save it as a \.keras file, not as HDF5"):
        keras.saving.save_model(build_model(tiny_config), tmp_path / name)


def test_a_monitor_is_given_what_it_can_draw(tiny_images):
    with pytest.raises(InputError, match="seed must be a whole number from 0"):
        Monitor(seed=-1)
    with pytest.raises(InputError, match=r"image_log is a tf.summary writer, not 'logs'"):
        Monitor(image_log="logs")
    with pytest.raises(InputError, match=r"quality is a wgan_gp.Quality .*, not 'swd'"):
        Monitor(quality="swd")
