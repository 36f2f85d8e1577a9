"""One generator iteration, against the same iteration computed in NumPy."""

import dataclasses
from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import reference
from helpers.steps import check_step, weights_of

from wgan_gp import make_dataset, networks, objective, random_streams
from wgan_gp.model import WGANGP, build_model
from wgan_gp.random_streams import TRAINING, draw_latents, stream_seed
from wgan_gp.support.schedule import HeldThenLinear


@pytest.fixture
def config(tiny_config):
    # Rates large enough that a wrong update cannot hide in the tolerance.
    return dataclasses.replace(
        tiny_config, critic_learning_rate=2e-3, generator_learning_rate=1e-3, beta_1=0.5
    )


@pytest.fixture
def real_images(config, tiny_images) -> np.ndarray:
    return next(iter(make_dataset(tiny_images, config))).numpy()


def reference_step(config, model, real_images):
    """Weights of critic and generator after one iteration, and the losses in it."""
    critic, generator = weights_of(model.critic), weights_of(model.generator)
    is_example = config.upsampling == "transposed"
    draw = reference.generator if is_example else reference.upsampling_generator
    norm_over = reference.IMAGE if config.critic_normalization == "image" else reference.PIXEL
    adam = config.beta_1, config.beta_2, config.adam_epsilon
    critic_adam = reference.Adam(falling(config, config.critic_learning_rate), *adam)
    iteration_seed = stream_seed(config.seed, TRAINING, int(model.iteration))
    seeds = tf.random.split(iteration_seed, config.n_critic + 1, "philox")
    losses = []
    for update in range(config.n_critic):
        done = int(model.iteration) * config.n_critic + update
        times = 0 if done % config.penalty_every else config.penalty_every
        latent_seed, epsilon_seed = tf.random.split(seeds[update], alg="philox")
        latents = draw_latents(config.batch_size, config.latent_dim, latent_seed).numpy()
        epsilon = tf.random.stateless_uniform(
            (config.batch_size, 1, 1, 1), epsilon_seed, alg="philox"
        )
        arguments = (
            real_images[:, update],
            draw(generator, latents),
            epsilon.numpy(),
            times * config.gradient_penalty_weight,
            norm_over,
        )
        losses.append(reference.critic_loss(critic, *arguments))
        critic = critic_adam.update(critic, reference.critic_gradient(critic, *arguments))
    latents = draw_latents(config.batch_size, config.latent_dim, seeds[-1]).numpy()
    generator_loss = reference.generator_loss(generator, critic, latents, draw, norm_over)
    gradient = reference.generator_gradient(generator, critic, latents, draw, norm_over)
    generator_adam = reference.Adam(falling(config, config.generator_learning_rate), *adam)
    generator = generator_adam.update(generator, gradient)
    return critic, generator, {"critic_loss": np.mean(losses), "generator_loss": generator_loss}


def falling(config, rate):
    """The critic's rate over a run of one iteration: held for its first half, then falling."""
    second_half = config.n_critic / 2
    return lambda done: (
        rate * (1 - (1 - config.final_learning_rate) * max(0, done - second_half) / second_half)
    )


def compiled_model(config, **options) -> WGANGP:
    model = build_model(config)
    model.compile(model.critic_optimizer, model.generator_optimizer, **options)
    return model


def eager_model(config) -> WGANGP:
    """One that runs a single step without building a graph for it first."""
    return compiled_model(config, run_eagerly=True)


every_way = pytest.mark.parametrize(
    "options",
    [{"jit_compile": False}, {"jit_compile": True}, {"run_eagerly": True}],
    ids=["graph", "XLA", "eager"],
)


@every_way
def test_a_training_step_agrees_with_numpy(config, real_images, options):
    model = compiled_model(config, **options)
    check_step(model, real_images, reference_step(config, model, real_images))


@every_way
def test_a_lazy_penalty_agrees_with_numpy(config, real_images, options):
    # In the second iteration of three updates each, update 4 is due, and 3 and 5 are not.
    model = compiled_model(dataclasses.replace(config, penalty_every=2), **options)
    check_lazy_step(model, config, real_images)


def check_lazy_step(model, config, real_images) -> None:
    model.iteration.assign(1)
    lazy = dataclasses.replace(config, penalty_every=2)
    check_step(model, real_images, reference_step(lazy, model, real_images))


def unweighted(model):
    model.gradient_penalty_weight /= 2


def counted_in_each_iteration(model):
    update = model._update_critic
    model._update_critic = lambda images, seed, number: update(images, seed, number + 1)


def never(model):
    model.penalty_every = 1000


@pytest.mark.parametrize("mutate", [unweighted, counted_in_each_iteration, never])
def test_a_mutant_of_the_lazy_penalty_fails(config, real_images, mutate):
    model = eager_model(dataclasses.replace(config, penalty_every=2))
    mutate(model)
    with pytest.raises(AssertionError):
        check_lazy_step(model, config, real_images)


def test_the_metrics_of_a_lazy_penalty_are_those_of_the_updates_that_take_it(config, real_images):
    logs = {}
    for every in (1, 3):
        model = build_model(dataclasses.replace(config, penalty_every=every, n_critic=every))
        logs[every] = model.train_on_batch(real_images[:, :every], return_dict=True)
    # The first update is the same in both, but for the weight of the penalty.
    for name in ("gradient_penalty", "gradient_norm"):
        np.testing.assert_allclose(logs[3][name], logs[1][name], rtol=1e-6)


def other_epsilon(monkeypatch, draw, shape):
    """Let the model draw its epsilons with `draw`, in `shape` after the batch's."""
    monkeypatch.setattr(
        WGANGP,
        "_draw_epsilon",
        lambda self, rows, seed: draw((rows.size, *shape), seed, alg="philox"),
    )


def epsilon_per_pixel(monkeypatch):
    other_epsilon(monkeypatch, tf.random.stateless_uniform, (32, 32, 1))


def epsilon_per_batch(monkeypatch):
    monkeypatch.setattr(
        WGANGP,
        "_draw_epsilon",
        lambda self, rows, seed: tf.random.stateless_uniform((1, 1, 1, 1), seed, alg="philox"),
    )


def normal_epsilon(monkeypatch):
    other_epsilon(monkeypatch, tf.random.stateless_normal, (1, 1, 1))


def one_batch_for_all_updates(monkeypatch):
    step = WGANGP.train_step

    def mutated_step(self, data):
        images = data[0]
        return step(self, tf.repeat(images[:, :1], images.shape[1], axis=1))

    monkeypatch.setattr(WGANGP, "train_step", mutated_step)


def norm_over_channels(monkeypatch):
    def norms(critic, real_images, generated_images, epsilon):
        mixed = epsilon * real_images + (1 - epsilon) * generated_images
        with tf.GradientTape() as tape:
            tape.watch(mixed)
            scores = critic(mixed)
        return tf.sqrt(tf.reduce_sum(tape.gradient(scores, mixed) ** 2, axis=3) + 1e-10)

    monkeypatch.setattr(objective, "gradient_norms", norms)


def one_latent_seed(monkeypatch):
    monkeypatch.setattr(
        random_streams,
        "draw_latents",
        lambda n, dim, seed, under_xla: draw_latents(n, dim, tf.constant([0, 0], tf.int64)),
    )


@pytest.mark.parametrize(
    "mutate",
    [
        epsilon_per_pixel,
        epsilon_per_batch,
        normal_epsilon,
        one_batch_for_all_updates,
        norm_over_channels,
        one_latent_seed,
    ],
)
def test_a_mutant_fails(config, real_images, monkeypatch, mutate):
    model = eager_model(config)
    expected = reference_step(config, model, real_images)
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        check_step(model, real_images, expected)


@pytest.mark.parametrize(
    ("over", "kerass"),
    [
        ("image", partial(keras.layers.GroupNormalization, groups=1, epsilon=1e-5)),
        ("pixel", partial(keras.layers.LayerNormalization, epsilon=1e-5)),
    ],
)
def test_kerass_normalization_fails(config, real_images, monkeypatch, over, kerass):
    # Its second derivatives are wrong (see `ImageLayerNormalization`): the reason for our own.
    monkeypatch.setattr(networks, f"{over.capitalize()}LayerNormalization", kerass)
    config = dataclasses.replace(config, critic_normalization=over)
    model = eager_model(config)
    with pytest.raises(AssertionError):
        check_step(model, real_images, reference_step(config, model, real_images))


@pytest.fixture
def chosen_config(config):
    """All that the preset flowers has beyond paper. The average's half-life is two batches."""
    return dataclasses.replace(
        config,
        critic_kernel=4,
        critic_normalization="pixel",
        upsampling="smoothed",
        generator_normalization="batch",
        ema_half_life=8,
        final_learning_rate=0.05,
        iterations=1,
    )


def check_chosen_step(config, model, real_images) -> None:
    model.iteration.assign(1000)  # so that the average is past its ramp
    before = weights_of(model.generator)
    expected = reference_step(config, model, real_images)
    # Few channels a pixel condition its norm badly; still a hundredth of what an update changes.
    check_step(model, real_images, expected, atol=3e-5)
    generator, beta = expected[1], 0.5**0.5
    average = [beta * b + (1 - beta) * a for b, a in zip(before, generator, strict=True)]
    for found, weight in zip(weights_of(model.ema_generator), average, strict=True):
        np.testing.assert_allclose(found, weight, rtol=1e-4, atol=1e-7)
    iteration_seed = stream_seed(config.seed, TRAINING, 1000)
    seed = tf.random.split(iteration_seed, config.n_critic + 1, "philox")[-1]
    latents = draw_latents(config.batch_size, config.latent_dim, seed).numpy()
    kept = model.ema_generator.non_trainable_variables
    for found, seen in zip(kept, reference.upsampling_blocks(average, latents)[1], strict=True):
        initial = 1.0 if found.name == "moving_variance" else 0.0
        np.testing.assert_allclose(found, 0.98 * initial + 0.02 * seen, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("build", [build_model, eager_model])
def test_a_step_of_the_chosen_recipe_agrees_with_numpy(chosen_config, real_images, build):
    check_chosen_step(chosen_config, build(chosen_config), real_images)


def statistics_of_inference(monkeypatch):
    generator = keras.Sequential.call

    def call(self, inputs, training=None, mask=None):
        return generator(self, inputs, training=False if self.name == "generator" else training)

    monkeypatch.setattr(keras.Sequential, "call", call)


def average_before_the_update(monkeypatch):
    step = WGANGP._update_generator

    def mutated(self, rows, seed):
        latents = draw_latents(rows.size, self.latent_dim, seed)
        self._update_average(latents)
        average, self.ema_generator = self.ema_generator, None
        step(self, rows, seed)
        self.ema_generator = average

    monkeypatch.setattr(WGANGP, "_update_generator", mutated)


def average_of_the_statistics(monkeypatch):
    def mutated(self, latents):
        for average, now in zip(self.ema_generator.weights, self.generator.weights, strict=True):
            average.assign(0.5**0.5 * average + (1 - 0.5**0.5) * now)

    monkeypatch.setattr(WGANGP, "_update_average", mutated)


def no_average(monkeypatch):
    def mutated(self, latents):
        for average, now in zip(self.ema_generator.weights, self.generator.weights, strict=True):
            average.assign(now)

    monkeypatch.setattr(WGANGP, "_update_average", mutated)


def rates_that_do_not_fall(monkeypatch):
    monkeypatch.setattr(HeldThenLinear, "__call__", lambda self, step: self.initial)


@pytest.mark.parametrize(
    "mutate",
    [
        statistics_of_inference,
        average_before_the_update,
        average_of_the_statistics,
        no_average,
        rates_that_do_not_fall,
    ],
)
def test_a_mutant_of_the_chosen_step_fails(chosen_config, real_images, monkeypatch, mutate):
    mutate(monkeypatch)
    model = eager_model(chosen_config)
    with pytest.raises(AssertionError):
        check_chosen_step(chosen_config, model, real_images)


def same(before: list[np.ndarray], after: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_each_update_has_its_own_images_and_moves_only_its_own_network(
    config, real_images, monkeypatch
):
    model = eager_model(config)
    update_critic, update_generator = model._update_critic, model._update_generator
    seen = []

    def watched_critic_update(images, seed, number):
        seen.append(np.asarray(images))
        critic, generator = weights_of(model.critic), weights_of(model.generator)
        losses = update_critic(images, seed, number)
        assert same(generator, weights_of(model.generator))
        assert not same(critic, weights_of(model.critic))
        return losses

    def watched_generator_update(rows, seed):
        critic, generator = weights_of(model.critic), weights_of(model.generator)
        update_generator(rows, seed)
        assert same(critic, weights_of(model.critic))
        assert not same(generator, weights_of(model.generator))

    monkeypatch.setattr(model, "_update_critic", watched_critic_update)
    monkeypatch.setattr(model, "_update_generator", watched_generator_update)
    model.train_on_batch(real_images)
    np.testing.assert_array_equal(np.stack(seen, axis=1), real_images)
    assert len(np.unique(np.stack(seen), axis=0)) == config.n_critic
