"""What people bring along from Keras: it works, or says in one sentence what does."""

import dataclasses
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from wgan_gp import Checkpoint, InputError, build_critic, build_generator, make_dataset
from wgan_gp.model import WGANGP, build_model


@pytest.fixture
def dataset(tiny_images, tiny_config) -> tf.data.Dataset:
    return make_dataset(tiny_images, tiny_config)


def fit(model, dataset, **options) -> keras.callbacks.History:
    return model.fit(dataset, steps_per_epoch=1, shuffle=False, verbose=0, **options)


def rates(model) -> tuple[float, float]:
    optimizers = (model.critic_optimizer, model.generator_optimizer)
    return tuple(float(optimizer.learning_rate) for optimizer in optimizers)


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
        model.compile(keras.optimizers.SGD(1e-4), keras.optimizers.SGD(1e-4))
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


def test_labels_are_refused(tiny_config, dataset, tiny_images):
    model = build_model(tiny_config)
    for labelled in (dataset.map(lambda x: (x, x)), dataset.map(lambda x: (x, None, x))):
        with pytest.raises(InputError, match="no use for labels"):
            fit(model, labelled)
    with pytest.raises(InputError, match="no use for labels"):
        model.fit(tiny_images, np.zeros(50))


@pytest.mark.parametrize(
    ("callback", "said"),
    [
        (lambda path: keras.callbacks.BackupAndRestore(path), "use wgan_gp.Checkpoint"),
        (lambda path: keras.callbacks.SwapEMAWeights(), "take its ema_generator"),
    ],
)
def test_callbacks_that_would_be_silently_wrong_are_refused(
    tiny_config, dataset, tmp_path, callback, said
):
    model = build_model(tiny_config)
    for callbacks in (callback(tmp_path / "backup"), [callback(tmp_path / "backup")]):
        with pytest.raises(InputError, match=said):
            fit(model, dataset, callbacks=callbacks)
    assert int(model.iteration) == 0


def test_an_optimizer_that_averages_weights_is_refused(tiny_config):
    model = build_model(tiny_config)
    with pytest.raises(InputError, match="give WGANGP an ema_half_life"):
        model.compile(keras.optimizers.Adam(use_ema=True), keras.optimizers.Adam())


def test_batch_norm_in_the_critic_is_refused_by_name(tiny_config):
    inner = keras.Sequential([keras.layers.BatchNormalization(name="mixer")])
    critic = keras.Sequential([keras.Input((32, 32, 3)), inner, build_critic(tiny_config)])
    with pytest.raises(InputError, match="layer 'mixer' mixes the images of a batch"):
        WGANGP(build_generator(tiny_config), critic)


@pytest.mark.parametrize("ema_half_life", [0, 8])
def test_export_writes_the_generator_that_draws(tiny_config, tmp_path, ema_half_life):
    model = build_model(dataclasses.replace(tiny_config, ema_half_life=ema_half_life))
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
