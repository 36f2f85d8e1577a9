"""The averaged generator and the falling learning rates, beside what the NumPy check covers."""

import dataclasses

import keras
import numpy as np
import pytest

from wgan_gp.config import Config
from wgan_gp.data.stream import make_dataset
from wgan_gp.model import WGANGP, build_model
from wgan_gp.networks import build_critic, build_generator
from wgan_gp.random_streams import draw_latents
from wgan_gp.sampling import generate_images, render
from wgan_gp.support import replicas
from wgan_gp.support.errors import InputError
from wgan_gp.support.schedule import HeldThenLinear


@pytest.fixture(scope="module")
def trained():
    """A tiny model of the chosen recipe after a few iterations on blobs of colour."""
    config = dataclasses.replace(
        Config.preset("flowers"),
        image_size=32,
        latent_dim=6,
        base_filters=2,
        critic_features="none",
        batch_size=8,
        n_critic=1,
        ema_half_life=640,
        iterations=20,
        holdout=0.0,
    )
    blobs = np.random.default_rng(0).integers(0, 256, (64, 4, 4, 3), dtype=np.uint8)
    images = blobs.repeat(8, axis=1).repeat(8, axis=2)
    model = build_model(config)
    model.fit_to(config.iterations, lambda start: make_dataset(images, config, start), verbose=0)
    return model


def test_it_is_off_unless_asked_for(tiny_config):
    model = build_model(tiny_config)
    assert model.ema_generator is None
    assert model.drawing_generator is model.generator


def test_it_starts_as_the_generator_with_variables_of_its_own(tiny_config):
    model = build_model(dataclasses.replace(tiny_config, ema_half_life=8))
    for average, current in zip(
        model.ema_generator.variables, model.generator.variables, strict=True
    ):
        assert average is not current
        np.testing.assert_array_equal(average, current)


def test_its_variables_have_names_of_their_own(trained):
    """TensorBoard would draw the weights of both networks as one curve."""
    names = [
        {variable.path for variable in network.variables}
        for network in (trained.generator, trained.ema_generator)
    ]
    assert len(names[0]) == len(trained.generator.variables)
    assert not names[0] & names[1]
    assert trained.generator.name != trained.ema_generator.name


def test_the_model_draws_with_it(trained):
    latents = draw_latents(4, trained.latent_dim, np.array([3, 4]))
    np.testing.assert_array_equal(trained(latents), trained.ema_generator(latents))
    assert not np.array_equal(trained(latents), trained.generator(latents))


def test_it_is_saved_and_loaded_with_the_model(trained, tmp_path):
    trained.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, WGANGP)
    assert loaded.ema_half_life == 640
    for before, after in zip(trained.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(trained.generate(3), loaded.generate(3))


@pytest.mark.parametrize("suffix", [".weights.h5", ".weights.json", ".keras"])
@pytest.mark.parametrize("is_kept", [True, False])
def test_weights_with_it_are_not_loaded_where_there_is_none(tiny_config, tmp_path, suffix, is_kept):
    config = dataclasses.replace(tiny_config, ema_half_life=8)
    average, none = build_model(config), build_model(tiny_config)
    saved, other = (average, none) if is_kept else (none, average)
    file = tmp_path / f"a{suffix}"
    shards = {"max_shard_size": 1} if suffix == ".weights.json" else {}
    (saved.save if suffix == ".keras" else saved.save_weights)(file, **shards)
    before = other.get_weights()
    with pytest.raises(InputError, match=f"holds {'an' if is_kept else 'no'} averaged generator"):
        other.load_weights(file)
    for now, then in zip(other.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    saved.load_weights(file)


def test_its_half_life_is_decided_at_the_start(tiny_config):
    with pytest.raises(AttributeError, match="ema_half_life"):
        build_model(tiny_config).ema_half_life = 8


def test_batch_norms_that_are_frozen_are_the_same_in_it(tiny_config, tiny_images):
    config = dataclasses.replace(tiny_config, ema_half_life=8, generator_normalization="batch")
    model = build_model(config)
    images = make_dataset(tiny_images, config)
    pairs = [
        (current, average)
        for current, average in zip(model.generator.layers, model.ema_generator.layers, strict=True)
        if isinstance(current, keras.layers.BatchNormalization)
    ]

    def are_same() -> list[bool]:
        model.compile(keras.optimizers.SGD(1e-2), keras.optimizers.SGD(1e-2))
        model.fit(images, steps_per_epoch=2, verbose=0)
        return [
            all(map(np.array_equal, current.get_weights(), average.get_weights()))
            for current, average in pairs
        ]

    assert not any(are_same())
    pairs[0][0].trainable = False
    assert are_same() == [True, *[False] * (len(pairs) - 1)]
    pairs[0][0].trainable = True
    assert not any(are_same())


def test_a_layer_may_be_frozen_and_thawed(tiny_config, tiny_images):
    config = dataclasses.replace(tiny_config, ema_half_life=8, generator_normalization="batch")
    frozen, thawed = build_generator(config), build_generator(config)
    thawed.layers[0].trainable = False
    models = [WGANGP(g, build_critic(config), 3, ema_half_life=8) for g in (frozen, thawed)]
    frozen.layers[0].trainable, thawed.layers[0].trainable = False, True
    for model in models:
        model.compile(keras.optimizers.SGD(1e-2), keras.optimizers.SGD(1e-2))
        first = model.generator.layers[0].get_weights()
        model.fit(make_dataset(tiny_images, config), steps_per_epoch=2, verbose=0)
        moved = not np.array_equal(first[0], model.ema_generator.layers[0].get_weights()[0])
        assert moved == model.generator.layers[0].trainable
        last = model.generator.layers[-2].get_weights()[0]  # before tanh
        assert not np.array_equal(last, model.ema_generator.layers[-2].get_weights()[0])


def test_the_ramp_forgets_the_start(tiny_config):
    config = dataclasses.replace(tiny_config, ema_half_life=1_000_000)
    model = WGANGP(build_generator(config), build_critic(config), ema_half_life=1_000_000)
    for variable in model.generator.trainable_variables:
        variable.assign(variable + 1.0)
    before = [w.numpy() for w in model.ema_generator.trainable_variables]
    model.iteration.assign(99)  # 100 batches shown: the half-life is 5 of them
    model._update_average(draw_latents(config.batch_size, config.latent_dim, np.array([0, 0])))
    for old, new in zip(before, model.ema_generator.trainable_variables, strict=True):
        np.testing.assert_allclose(new, old + 1.0 - 0.5 ** (1 / 5), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("update", "rate"), [(0, 2.0), (50, 2.0), (75, 1.1), (100, 0.2), (500, 0.2)]
)
def test_a_rate_is_held_and_then_falls_in_a_straight_line(update, rate):
    schedule = HeldThenLinear(2.0, updates=100, final=0.1)
    assert float(schedule(update)) == pytest.approx(rate)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert float(copy(update)) == pytest.approx(rate)


def test_both_networks_reach_the_final_rate_together(tiny_config, tiny_images):
    config = dataclasses.replace(tiny_config, final_learning_rate=0.5, iterations=4)
    model = build_model(config)
    model.fit_to(4, lambda start: make_dataset(tiny_images, config, start), verbose=0)
    assert float(model.critic_optimizer.learning_rate) == pytest.approx(1e-4)
    assert float(model.generator_optimizer.learning_rate) == pytest.approx(5e-4)


def test_generate_draws_with_it(tiny_config):
    model = build_model(dataclasses.replace(tiny_config, ema_half_life=8))
    for weight in model.generator.trainable_weights:
        weight.assign(weight + 0.1)
    np.testing.assert_array_equal(model.generate(3), generate_images(model.ema_generator, 3))


def test_its_half_life_counts_the_images_of_all_replicas(tiny_config, monkeypatch):
    model = WGANGP(build_generator(tiny_config), build_critic(tiny_config), ema_half_life=8)
    for variable in model.generator.trainable_variables:
        variable.assign(variable + 1.0)
    before = [w.numpy() for w in model.ema_generator.trainable_variables]
    model.iteration.assign(10_000)  # past the ramp
    monkeypatch.setattr(replicas, "count", lambda: 2)
    model._update_average(draw_latents(4, 6, np.array([0, 0])))  # 4 of a batch of 8
    for old, new in zip(before, model.ema_generator.trainable_variables, strict=True):
        np.testing.assert_allclose(new, old + 0.5, rtol=1e-5, atol=1e-6)


def test_the_average_has_the_weights_of_a_layer_that_was_frozen_before(tiny_config, tiny_images):
    config = dataclasses.replace(tiny_config, generator_normalization="batch")
    generator = build_generator(config)
    generator.layers[0].trainable = False
    model = WGANGP(generator, build_critic(config), 3, ema_half_life=8)
    weights = [weight + 1.0 for weight in generator.layers[0].get_weights()]
    generator.layers[0].set_weights(weights)  # such as those of another generator
    model.compile(keras.optimizers.SGD(1e-2), keras.optimizers.SGD(1e-2))
    model.fit(make_dataset(tiny_images, config), steps_per_epoch=1, verbose=0)
    for expected, found in zip(weights, model.ema_generator.layers[0].get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)
    norms = [
        [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
        for network in (generator, model.ema_generator)
    ]
    for current, average in zip(*norms, strict=True):  # of its own images
        assert not np.array_equal(current.moving_variance, average.moving_variance)


def test_the_average_goes_on_to_a_layer_that_was_frozen_midway(tiny_config):
    model = WGANGP(build_generator(tiny_config), build_critic(tiny_config), ema_half_life=8)
    current, average = (g.layers[0] for g in (model.generator, model.ema_generator))
    current.kernel.assign(current.kernel + 1.0)
    current.trainable = False
    before = average.kernel.numpy()
    model.iteration.assign(10_000)  # past the ramp
    model._update_average(draw_latents(8, tiny_config.latent_dim, np.array([0, 0])))
    np.testing.assert_allclose(average.kernel, before + 0.5, rtol=1e-5, atol=1e-6)


def test_the_average_starts_with_the_weights_not_with_new_ones(tiny_config):
    generator = build_generator(tiny_config)
    for weight in generator.trainable_weights:
        weight.assign(weight + 1.0)  # which no initializer gives
    model = WGANGP(generator, build_critic(tiny_config), ema_half_life=8)
    for average, current in zip(model.ema_generator.weights, generator.weights, strict=True):
        np.testing.assert_array_equal(average, current)


def test_drawing_is_inference(tiny_config):
    generator = build_generator(dataclasses.replace(tiny_config, generator_normalization="batch"))
    before = generator.get_weights()
    latents = draw_latents(3, tiny_config.latent_dim, np.array([0, 0]))
    together = render(generator, latents).numpy()
    alone = np.concatenate([render(generator, latent[None]) for latent in latents])
    np.testing.assert_array_equal(together, alone)
    for now, then in zip(generator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
