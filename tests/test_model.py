"""WGANGP as a Keras model: fit, metrics, reproducibility, saving, mistakes."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

import wgan_gp
from wgan_gp import WGANGP, InputError, build_critic, build_generator, make_dataset, random_streams
from wgan_gp.model import build_model
from wgan_gp.random_streams import SAMPLES, VALIDATION, draw_latents, stream_seed
from wgan_gp.sampling import generate_images, render

# Where a test compiles a model anew or changes a step, it is `wgan_gp.build_model`'s own.
pytestmark = pytest.mark.usefixtures("stock")


def fit(config, images, steps: int, epochs: int = 1, **options) -> WGANGP:
    model = build_model(config)
    return fit_more(model, config, images, steps, epochs, **options)


def fit_more(model, config, images, steps, epochs=1, **options) -> WGANGP:
    dataset = make_dataset(images, config, start_iteration=int(model.iteration.numpy()))
    model.fit(dataset, epochs=epochs, steps_per_epoch=steps, verbose=0, **options)
    return model


def weights_equal(a: keras.Model, b: keras.Model) -> bool:
    pairs = zip(a.get_weights(), b.get_weights(), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


def test_the_same_seed_gives_the_same_run(tiny_config, tiny_images):
    a, b = (fit(tiny_config, tiny_images, steps=5) for _ in range(2))
    assert weights_equal(a, b)


def test_a_model_of_deterministic_settings_trains_with_deterministic_operations(
    tiny_config, monkeypatch
):
    turned_on = []
    monkeypatch.setattr(
        "tensorflow.config.experimental.enable_op_determinism", lambda: turned_on.append(True)
    )
    wgan_gp.build_model(tiny_config)
    assert turned_on == []
    wgan_gp.build_model(dataclasses.replace(tiny_config, deterministic=True))
    assert turned_on == [True]


def test_another_seed_gives_another_run(tiny_config, tiny_images):
    a = fit(tiny_config, tiny_images, steps=2)
    b = fit(dataclasses.replace(tiny_config, seed=1), tiny_images, steps=2)
    assert not weights_equal(a, b)


def test_the_training_noise_has_its_own_share_in_the_seed(tiny_config, tiny_images):
    # The same first weights and images, only WGANGP's own seed differs.
    runs = []
    for seed in (0, 1):
        networks = build_generator(tiny_config), build_critic(tiny_config)
        model = WGANGP(*networks, tiny_config.n_critic, seed=seed)
        model.compile(keras.optimizers.Adam(1e-4), keras.optimizers.Adam(1e-4))
        runs.append(fit_more(model, tiny_config, tiny_images, steps=1))
    assert not weights_equal(*runs)


def test_no_two_iterations_draw_the_same_noise(tiny_config, tiny_images):
    # With rates of zero and the same images, only the noise tells two iterations apart.
    model = build_model(tiny_config)
    for optimizer in (model.critic_optimizer, model.generator_optimizer):
        optimizer.learning_rate = 0.0
    images = next(iter(make_dataset(tiny_images, tiny_config)))
    losses = []
    for _ in range(3):
        model.reset_metrics()
        losses.append(model.train_on_batch(images, return_dict=True)["generator_loss"])
    assert len(set(map(float, losses))) == 3


def test_metrics_are_means_over_the_epoch(tiny_config, tiny_images):
    steps = []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            steps.append(self.model.latest_critic_losses.numpy().copy())

    model = fit(tiny_config, tiny_images, steps=3, epochs=2, callbacks=[Watch()])
    history = model.history.history
    assert sorted(history) == [
        "critic_loss",
        "critic_loss_unregularized",
        "generator_loss",
        "gradient_norm",
        "gradient_penalty",
    ]
    by_epoch = np.reshape(steps, (2, 3, 2)).mean(axis=1)
    np.testing.assert_allclose(history["critic_loss"], by_epoch[:, 0], rtol=1e-5)
    np.testing.assert_allclose(history["critic_loss_unregularized"], by_epoch[:, 1], rtol=1e-4)


def test_the_losses_add_up(tiny_config, tiny_images):
    config = dataclasses.replace(tiny_config, gradient_penalty_weight=7.0)
    logs = {k: v[0] for k, v in fit(config, tiny_images, steps=2).history.history.items()}
    expected = logs["critic_loss_unregularized"] + 7.0 * logs["gradient_penalty"]
    assert logs["critic_loss"] == pytest.approx(expected, rel=1e-5)


def test_steps_after_the_first_trace_nothing(tiny_config, tiny_images, monkeypatch):
    traces = []
    step = WGANGP.train_step
    monkeypatch.setattr(WGANGP, "train_step", lambda s, x: (traces.append(1), step(s, x))[1])
    counts = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: traces.append(f"step {batch}")
    )
    model = wgan_gp.build_model(tiny_config)
    fit_more(model, tiny_config, tiny_images, steps=4, callbacks=[counts])
    assert traces[0] == 1
    assert traces[traces.index("step 0") :] == [f"step {i}" for i in range(4)]


def test_the_updates_are_one_loop_in_the_graph(tiny_config, tiny_images):
    def n_operations(n_critic: int) -> int:
        config = dataclasses.replace(tiny_config, n_critic=n_critic)
        model = wgan_gp.build_model(config)
        images = next(iter(make_dataset(tiny_images, config)))
        step = tf.function(model.train_step, autograph=False)
        return len(step.get_concrete_function(images).graph.get_operations())

    assert n_operations(8) == n_operations(2)


def test_xla_is_off_on_a_cpu_and_can_be_asked_for(tiny_config):
    model = wgan_gp.build_model(tiny_config)
    if not tf.config.list_physical_devices("GPU"):
        assert model.jit_compile is False
    model.compile(model.critic_optimizer, model.generator_optimizer, jit_compile=True)
    assert model.jit_compile is True


def test_generate_gives_uint8_images_that_the_seed_decides(tiny_config):
    model = build_model(tiny_config)
    images = model.generate(70, seed=3)
    assert images.shape == (70, 32, 32, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images, model.generate(70, seed=3))
    assert not np.array_equal(images, model.generate(70, seed=4))
    assert len(np.unique(images, axis=0)) == 70


def test_a_generator_that_broke_down_draws_no_black_images(tiny_config):
    model = build_model(tiny_config)
    model.generator.weights[0].assign(model.generator.weights[0] * np.nan)
    with pytest.raises(InputError, match="weights that are not finite, and would draw black"):
        model.generate(3)


def test_generate_maps_minus_one_and_one_to_0_and_255(tiny_config):
    generator = keras.Sequential(
        [keras.Input((2,)), keras.layers.Dense(48), keras.layers.Reshape((4, 4, 3))]
    )
    kernel = np.zeros((2, 48), "float32")
    bias = np.tile([-1.0, 0.0, 1.0], 16)
    generator.set_weights([kernel, bias])
    critic = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(1)]
    )
    image = WGANGP(generator, critic).generate(1)[0]
    assert np.unique(image.reshape(-1, 3), axis=0).tolist() == [[0, 128, 255]]


def test_call_is_the_generator(tiny_config):
    model = build_model(tiny_config)
    latents = np.ones((2, tiny_config.latent_dim), "float32")
    np.testing.assert_array_equal(model(latents), model.generator(latents))


def test_a_saved_model_trains_on_as_if_it_had_never_been_saved(tmp_path, tiny_config, tiny_images):
    config = dataclasses.replace(tiny_config, penalty_every=2)  # the next update goes without
    model = fit(config, tiny_images, steps=3)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded, WGANGP)
    assert int(loaded.iteration.numpy()) == 3
    fit_more(model, config, tiny_images, steps=3)
    fit_more(loaded, config, tiny_images, steps=3)
    assert weights_equal(model, loaded)
    assert weights_equal(model, fit(config, tiny_images, steps=6))


def test_an_uncompiled_model_can_be_saved(tmp_path, tiny_config):
    model = WGANGP(build_generator(tiny_config), build_critic(tiny_config), seed=4)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert weights_equal(model, loaded)
    assert int(loaded.seed.numpy()) == 4


def test_the_random_state_is_part_of_the_weights(tmp_path, tiny_config, tiny_images):
    model = fit(tiny_config, tiny_images, steps=2)
    model.save_weights(tmp_path / "model.weights.h5")
    other = build_model(dataclasses.replace(tiny_config, seed=99))
    other.load_weights(tmp_path / "model.weights.h5")
    for one in (model, other):
        fit_more(one, tiny_config, tiny_images, steps=2)
    assert weights_equal(model, other)


def test_the_largest_seed_is_kept_exactly(tiny_config):
    networks = build_generator(tiny_config), build_critic(tiny_config)
    assert WGANGP(*networks, seed=2**63 - 1).get_config()["seed"] == 2**63 - 1


def network(input_shape, output_shape) -> keras.Model:
    layers = [keras.layers.Flatten(), keras.layers.Dense(int(np.prod(output_shape)))]
    return keras.Sequential([keras.Input(input_shape), *layers, keras.layers.Reshape(output_shape)])


def with_labels(output_shape) -> keras.Model:
    latents, labels = keras.Input((5,)), keras.Input((3,))
    both = keras.layers.Concatenate()([latents, labels])
    return keras.Model([latents, labels], network((8,), output_shape)(both))


@pytest.mark.parametrize(
    ("generator", "critic", "message"),
    [
        (network((5,), (8, 8, 3)), network((8, 8, 1), (1,)), "must agree"),
        (network((5,), (8, 8, 3)), network((8, 8, 3), (2,)), "one score an image"),
        (network((5, 1), (8, 8, 3)), network((8, 8, 3), (1,)), "latents of shape"),
        (keras.Sequential([keras.layers.Dense(1)]), network((8, 8, 3), (1,)), "keras.Input"),
        (with_labels((8, 8, 3)), network((8, 8, 3), (1,)), "latents of shape"),
    ],
)
def test_networks_that_do_not_agree_are_refused(generator, critic, message):
    with pytest.raises(InputError, match=message):
        WGANGP(generator, critic)


def test_other_networks_that_agree_are_taken():
    model = WGANGP(network((5,), (8, 8, 1)), network((8, 8, 1), (1,)), n_critic=2)
    model.compile(keras.optimizers.SGD(1e-3), "adam")
    images = np.random.default_rng(0).uniform(-1, 1, (6, 2, 8, 8, 1)).astype("float32")
    model.fit(images, batch_size=3, epochs=2, verbose=0)
    assert int(model.iteration.numpy()) == 4
    assert all(np.isfinite(values).all() for values in model.history.history.values())


@pytest.mark.parametrize("shape", [(4, 32, 32, 3), (4, 2, 32, 32, 3), (4, 3, 64, 64, 3)])
def test_batches_of_another_shape_are_refused(tiny_config, shape):
    model = build_model(tiny_config)
    said = r"^fit expects images as make_dataset gives them, .* = \(batch, 3, 32, 32, 3\), not \("
    with pytest.raises(InputError, match=said):
        model.fit(tf.data.Dataset.from_tensors(np.zeros(shape, "float32")), verbose=0)


def test_batches_of_another_shape_are_refused_after_right_ones_too(tiny_config, tiny_images):
    model, dataset = build_model(tiny_config), make_dataset(tiny_images, tiny_config)
    images = np.zeros((4, 32, 32, 3), "float32")
    other = [np.zeros((4, 2, 32, 32, 3), "float32"), np.zeros((4, 3, 16, 16, 3), "float32"), images]
    for _ in range(2):
        model.fit(dataset.take(1), validation_data=(images,), verbose=0)
        model.evaluate(images, verbose=0)
        for x in other:
            for data in (x, tf.data.Dataset.from_tensors(x)):
                with pytest.raises(InputError, match=r"^fit expects images as make_dataset gives"):
                    model.fit(data, verbose=0)
        for x in other[:2]:
            with pytest.raises(InputError, match=r"^evaluate and validation_data expect images"):
                model.evaluate(x, verbose=0)
            for data in ((x,), tf.data.Dataset.from_tensors(x)):
                with pytest.raises(InputError, match=r"^evaluate and validation_data expect"):
                    model.fit(dataset.take(1), validation_data=data, verbose=0)
    assert model.iterations_done == 2


# Held-out images


def test_evaluate_gives_the_losses_on_new_images_and_changes_nothing(tiny_config, tiny_images):
    model = build_model(dataclasses.replace(tiny_config, generator_normalization="batch"))
    before = model.get_weights()
    images = (tiny_images[:20] / 127.5 - 1).astype(np.float32)
    found = [model.evaluate(images, batch_size=20, return_dict=True, verbose=0) for _ in range(2)]
    assert found[0] == found[1]
    for x, y in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(x, y)

    # Once more by hand, with the derivative of each score by itself.
    seeds = tf.random.split(stream_seed(model.seed, VALIDATION), alg="philox")
    generated = model.generator(draw_latents(20, tiny_config.latent_dim, seeds[0]))
    epsilon = tf.random.stateless_uniform((20, 1, 1, 1), seeds[1], alg="philox")
    mixed = epsilon * images + (1 - epsilon) * generated
    with tf.GradientTape() as tape:
        tape.watch(mixed)
        scores = model.critic(mixed)
    slopes = tape.batch_jacobian(scores, mixed).numpy().reshape(20, -1)
    norms = np.linalg.norm(slopes, axis=1)
    real, fake = model.critic(images).numpy().mean(), model.critic(generated).numpy().mean()
    assert found[0] == pytest.approx(
        {
            "critic_loss": fake - real + 10 * np.mean((norms - 1) ** 2),
            "critic_loss_unregularized": fake - real,
            "gradient_penalty": np.mean((norms - 1) ** 2),
            "gradient_norm": norms.mean(),
            "generator_loss": -fake,
        },
        rel=1e-4,
        abs=1e-5,
    )


def test_layers_that_draw_at_random_do_so_in_training_only(tiny_config, tiny_images):
    critic = build_critic(tiny_config)
    dropping = keras.Sequential([critic, keras.layers.Dropout(0.5, seed=0)])
    networks = (build_generator(tiny_config), dropping)
    model = WGANGP(*networks, n_critic=tiny_config.n_critic)
    model.compile("sgd", "sgd")
    images = (tiny_images[:20] / 127.5 - 1).astype(np.float32)
    one, other = (model.evaluate(images, return_dict=True, verbose=0) for _ in range(2))
    assert one == other
    drawn = dropping.layers[-1].seed_generator.state.numpy()
    model.fit(make_dataset(tiny_images, tiny_config), steps_per_epoch=1, verbose=0)
    assert (dropping.layers[-1].seed_generator.state.numpy() != drawn).any()


def test_each_image_counts_as_much_as_another_whatever_its_batch(tiny_config, tiny_images):
    model = build_model(tiny_config)
    images = (tiny_images[:13] / 127.5 - 1).astype(np.float32)
    parts = [
        model.evaluate(images[part], batch_size=8, return_dict=True, verbose=0)
        for part in (slice(0, 8), slice(8, 13))
    ]
    whole = model.evaluate(images, batch_size=8, return_dict=True, verbose=0)
    expected = {name: (8 * parts[0][name] + 5 * parts[1][name]) / 13 for name in whole}
    assert whole == pytest.approx(expected, rel=1e-5)


def test_validation_data_is_measured_with_each_epoch(tiny_config, tiny_images):
    model = build_model(tiny_config)
    images = (tiny_images[:8] / 127.5 - 1).astype(np.float32)
    dataset = make_dataset(tiny_images, tiny_config)
    history = model.fit(
        dataset, epochs=2, steps_per_epoch=1, verbose=0, validation_data=(images,)
    ).history
    assert len(history["val_critic_loss"]) == len(history["critic_loss"]) == 2
    again = model.evaluate(images, return_dict=True, verbose=0)
    assert history["val_critic_loss"][-1] == pytest.approx(again["critic_loss"], rel=1e-6)


def test_images_of_a_dataset_may_be_float64(tiny_config, tiny_images):
    model = build_model(tiny_config)
    images = tiny_images[:8] / 127.5 - 1
    of_a_dataset, of_an_array = (
        model.evaluate(x, return_dict=True, verbose=0)
        for x in (tf.data.Dataset.from_tensors(images), images.astype(np.float32))
    )
    assert images.dtype == np.float64
    assert of_a_dataset == pytest.approx(of_an_array, rel=1e-6)


def test_pixels_are_refused(tiny_config, tiny_images):
    model = build_model(tiny_config)
    said = r"^images must be floats in -1\.\.1, which pixels / 127\.5 - 1 are, not uint8$"
    with pytest.raises(InputError, match=said):
        model.evaluate(tiny_images[:8], verbose=0)
    with pytest.raises(InputError, match=said):
        model.fit(tiny_images[:12].reshape(4, 3, 32, 32, 3), verbose=0)


def test_evaluating_a_stream_for_fit_says_what_evaluate_takes(tiny_config, tiny_images):
    stream = make_dataset(tiny_images, tiny_config).take(1)
    said = r"evaluate and validation_data expect images .* = \(batch, 32, 32, 3\), not \(4, 3, 32"
    with pytest.raises(InputError, match=said):
        build_model(tiny_config).evaluate(stream, verbose=0)


def test_the_weight_of_the_penalty_is_saved(tiny_config, tmp_path):
    model = build_model(dataclasses.replace(tiny_config, gradient_penalty_weight=7.0))
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").gradient_penalty_weight == 7.0


def test_a_step_has_so_many_passes_of_the_critic(tiny_config, tiny_images):
    dropping = keras.Sequential([build_critic(tiny_config), keras.layers.Dropout(0.5, seed=0)])
    model = WGANGP(build_generator(tiny_config), dropping, n_critic=tiny_config.n_critic)
    model.compile("sgd", "sgd")
    before = dropping.layers[-1].seed_generator.state.numpy()
    model.fit(make_dataset(tiny_images, tiny_config), steps_per_epoch=1, verbose=0)
    drawn = dropping.layers[-1].seed_generator.state.numpy() - before
    assert drawn.tolist() == [0, 3 * 3 + 1]  # of real, generated and mixed images; and once more


def test_validation_draws_the_same_whatever_the_iteration(tiny_config, tiny_images):
    model = build_model(tiny_config)
    images = (tiny_images[:8] / 127.5 - 1).astype(np.float32)
    before = model.evaluate(images, verbose=0)
    model.iteration.assign(5)
    assert model.evaluate(images, verbose=0) == before


def test_random_streams_keep_their_numbers():
    names = ("SHUFFLE", "FLIPS", "TRAINING", "MONITOR", "SAMPLES", "WALK", "QUALITY", "VALIDATION")
    assert [getattr(random_streams, name) for name in names] == [*range(8)]


def test_the_seed_decides_what_validation_draws(tiny_config, tiny_images):
    networks = build_generator(tiny_config), build_critic(tiny_config)
    images = (tiny_images[:8] / 127.5 - 1).astype(np.float32)
    losses = []
    for seed in (0, 1):
        model = WGANGP(*networks, seed=seed)
        model.compile("sgd", "sgd")
        losses.append(model.evaluate(images, return_dict=True, verbose=0)["generator_loss"])
    assert losses[0] != losses[1]


def test_validation_takes_a_lazy_penalty_once(tiny_config, tiny_images):
    images = (tiny_images[:8] / 127.5 - 1).astype(np.float32)
    once, lazy = (
        build_model(dataclasses.replace(tiny_config, penalty_every=every)).evaluate(
            images, return_dict=True, verbose=0
        )
        for every in (1, 4)
    )
    assert lazy == pytest.approx(once, rel=1e-6)


def test_the_options_of_compile_are_saved(tiny_config, tmp_path):
    model = wgan_gp.build_model(tiny_config)
    model.compile(
        model.critic_optimizer, model.generator_optimizer, steps_per_execution=2, jit_compile=True
    )
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert (loaded.steps_per_execution, loaded.jit_compile) == (2, True)


def test_samples_have_a_stream_of_their_own(tiny_config):
    generator = build_generator(tiny_config)
    latents = draw_latents(3, tiny_config.latent_dim, stream_seed(7, SAMPLES))
    np.testing.assert_array_equal(generate_images(generator, 3, seed=7), render(generator, latents))


def test_the_losses_of_an_execution_are_in_order(tiny_config):
    model = wgan_gp.build_model(tiny_config)
    model.compile(
        model.critic_optimizer, model.generator_optimizer, steps_per_execution=3, run_eagerly=True
    )
    for number in range(4):
        model._note_critic_losses(tf.fill((2,), float(number)))
        model.iteration.assign_add(1)
    assert model.critic_losses_of_execution()[:, 0].tolist() == [1, 2, 3]
