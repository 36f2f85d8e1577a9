"""The networks against the tables of the MATLAB example."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from wgan_gp import Config, build_critic, build_generator
from wgan_gp.networks import leaky_relu

# What the generators of quick and flowers have instead, here with 16 filters.
UPSAMPLING = [
    ("Dense", (2_048,), 206_848),
    ("Reshape", (4, 4, 128), 0),
    ("UpSampling2D", (8, 8, 128), 0),
    ("Conv2D", (8, 8, 64), 73_728),
    ("BatchNormalization", (8, 8, 64), 256),
    ("ReLU", (8, 8, 64), 0),
    ("UpSampling2D", (16, 16, 64), 0),
    ("Conv2D", (16, 16, 32), 18_432),
    ("BatchNormalization", (16, 16, 32), 128),
    ("ReLU", (16, 16, 32), 0),
    ("UpSampling2D", (32, 32, 32), 0),
    ("Conv2D", (32, 32, 16), 4_608),
    ("BatchNormalization", (32, 32, 16), 64),
    ("ReLU", (32, 32, 16), 0),
    ("UpSampling2D", (64, 64, 16), 0),
    ("Conv2D", (64, 64, 8), 1_152),
    ("BatchNormalization", (64, 64, 8), 32),
    ("ReLU", (64, 64, 8), 0),
    ("Conv2D", (64, 64, 3), 219),
    ("Activation", (64, 64, 3), 0),
]
CRITIC = [
    ("Conv2D", (32, 32, 64), 4_864),
    ("Activation", (32, 32, 64), 0),
    ("Conv2D", (16, 16, 128), 204_928),
    ("ImageLayerNormalization", (16, 16, 128), 256),
    ("Activation", (16, 16, 128), 0),
    ("Conv2D", (8, 8, 256), 819_456),
    ("ImageLayerNormalization", (8, 8, 256), 512),
    ("Activation", (8, 8, 256), 0),
    ("Conv2D", (4, 4, 512), 3_277_312),
    ("ImageLayerNormalization", (4, 4, 512), 1_024),
    ("Activation", (4, 4, 512), 0),
    ("Conv2D", (1, 1, 1), 8_193),
    ("Flatten", (1,), 0),
    ("Activation", (1,), 0),
]
GENERATOR = [
    ("Dense", (8_192,), 827_392),
    ("Reshape", (4, 4, 512), 0),
    ("Conv2DTranspose", (8, 8, 256), 3_277_056),
    ("ReLU", (8, 8, 256), 0),
    ("Conv2DTranspose", (16, 16, 128), 819_328),
    ("ReLU", (16, 16, 128), 0),
    ("Conv2DTranspose", (32, 32, 64), 204_864),
    ("ReLU", (32, 32, 64), 0),
    ("Conv2DTranspose", (64, 64, 3), 4_803),
    ("Activation", (64, 64, 3), 0),
]


def table(network: keras.Model) -> list[tuple]:
    return [
        (type(layer).__name__, layer.output.shape[1:], layer.count_params())
        for layer in network.layers
    ]


def test_the_critic_is_the_examples():
    critic = build_critic(Config())
    assert table(critic) == CRITIC
    assert critic.count_params() == 4_316_545
    assert critic.input_shape == (None, 64, 64, 3)


def test_the_generator_is_the_examples():
    generator = build_generator(Config())
    assert table(generator) == GENERATOR
    assert generator.count_params() == 5_133_443
    assert generator.input_shape == (None, 100)


def test_the_chosen_generator_doubles_the_size_before_it_convolves():
    config = dataclasses.replace(Config.preset("quick"), generator_width=1)
    assert table(build_generator(config)) == UPSAMPLING


@pytest.mark.parametrize("upsampling", ["transposed", "smoothed"])
def test_a_wider_generator_is_that_of_so_many_times_the_filters(tiny_config, upsampling):
    normalization = "batch" if upsampling == "smoothed" else "none"
    config = dataclasses.replace(
        tiny_config, upsampling=upsampling, generator_normalization=normalization
    )
    wider = dataclasses.replace(config, generator_width=3)
    of_more_filters = dataclasses.replace(config, base_filters=3 * config.base_filters)
    found, wanted = (build_generator(c) for c in (wider, of_more_filters))
    assert table(found) == table(wanted)
    for one, other in zip(found.get_weights(), wanted.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert table(build_critic(wider)) == table(build_critic(config))


@pytest.mark.parametrize(("kernel", "reached"), [(4, {4}), (5, {4, 6, 9})])
def test_an_even_kernel_of_the_critic_reaches_all_pixels_equally_often(kernel, reached):
    config = dataclasses.replace(Config(), image_size=32, base_filters=1, critic_kernel=kernel)
    first = build_critic(config).layers[0]
    first.set_weights([np.ones(first.kernel.shape), np.zeros(1)])
    images = tf.Variable(np.zeros((1, 32, 32, 3), np.float32))
    with tf.GradientTape() as tape:
        outputs = tf.reduce_sum(first(images))
    times = tape.gradient(outputs, images)[0, 4:-4, 4:-4].numpy()
    assert set(times.ravel()) == reached


@pytest.mark.parametrize("upsampling", ["transposed", "nearest", "smoothed"])
def test_no_bias_stands_before_a_batch_norm(tiny_config, upsampling):
    config = dataclasses.replace(
        tiny_config, upsampling=upsampling, generator_normalization="batch"
    )
    generator = build_generator(config)
    for layer, following in zip(generator.layers, generator.layers[1:], strict=False):
        if hasattr(layer, "use_bias"):
            is_normalized = isinstance(following, keras.layers.BatchNormalization)
            is_first = isinstance(layer, keras.layers.Dense)
            assert layer.use_bias == (is_first or not is_normalized)
    assert sum(isinstance(x, keras.layers.BatchNormalization) for x in generator.layers) > 1


def test_the_leaky_relu_and_both_its_derivatives_are_kerass():
    x = tf.constant([-2.0, -0.5, 0.0, 0.5, 2.0])

    def derivatives(function):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = function(x**3) ** 2
            first = inner.gradient(y, x)
        return y, first, outer.gradient(first, x)

    for found, wanted in zip(
        derivatives(leaky_relu), derivatives(keras.layers.LeakyReLU(0.2)), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_the_layers_settings_are_the_examples():
    critic, generator = build_critic(Config()), build_generator(Config())
    *strided, last = [layer for layer in critic.layers if isinstance(layer, keras.layers.Conv2D)]
    for layer in strided:
        assert (layer.kernel_size, layer.strides, layer.padding) == ((5, 5), (2, 2), "same")
    assert (last.kernel_size, last.strides, last.padding) == ((4, 4), (1, 1), "valid")
    transposed = [x for x in generator.layers if isinstance(x, keras.layers.Conv2DTranspose)]
    assert [x.kernel_size for x in transposed] == [(5, 5)] * 4
    assert [(x.strides[0], x.padding) for x in transposed] == [(1, "valid")] + [(2, "same")] * 3
    activations = [x.activation for x in critic.layers if isinstance(x, keras.layers.Activation)]
    assert activations == [leaky_relu] * 4 + [keras.activations.sigmoid]
    norms = [x for x in critic.layers if "Normalization" in type(x).__name__]
    assert [x.epsilon for x in norms] == [1e-5] * 3
    assert generator.layers[-1].activation is keras.activations.tanh


@pytest.mark.parametrize(
    ("preset", "activation"), [("matlab", "sigmoid"), ("paper", "linear"), ("quick", "linear")]
)
def test_the_score_is_squashed_only_where_asked_for(preset, activation):
    critic = build_critic(Config.preset(preset))
    assert critic.layers[-1].activation is keras.activations.get(activation)


def test_weights_start_glorot_uniform_and_biases_at_zero():
    for network in (build_critic(Config()), build_generator(Config())):
        for layer in network.layers:
            if not hasattr(layer, "kernel"):
                continue
            *receptive, fan_a, fan_b = layer.kernel.shape
            limit = np.sqrt(6 / ((fan_a + fan_b) * np.prod(receptive, initial=1)))
            kernel = layer.kernel.numpy()
            assert np.abs(kernel).max() <= limit * (1 + 1e-6)
            assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)
            assert not layer.bias.numpy().any()


@pytest.mark.parametrize("size", [32, 64, 128, 256])
def test_every_image_size_fits_both_networks(size):
    config = dataclasses.replace(Config(), image_size=size, base_filters=2, latent_dim=3)
    critic = build_critic(config)
    for upsampling in ("transposed", "nearest", "smoothed"):
        generator = build_generator(dataclasses.replace(config, upsampling=upsampling))
        images = generator(np.zeros((2, 3)))
        assert images.shape == (2, size, size, 3)
    assert critic(images).shape == (2, 1)


def first_weights(config) -> np.ndarray:
    networks = build_generator(config), build_critic(config)
    return np.concatenate([w.numpy().ravel() for n in networks for w in n.trainable_weights])


def test_the_seed_decides_the_first_weights(tiny_config):
    other = dataclasses.replace(tiny_config, seed=1)
    assert np.array_equal(first_weights(tiny_config), first_weights(tiny_config))
    assert not np.array_equal(first_weights(tiny_config), first_weights(other))


@pytest.mark.parametrize("over", ["image", "pixel"])
def test_no_image_of_a_batch_changes_the_score_of_another(tiny_config, tiny_images, over):
    critic = build_critic(dataclasses.replace(tiny_config, critic_normalization=over))
    images = tiny_images[:4] / 127.5 - 1.0
    np.testing.assert_allclose(critic(images)[2:3], critic(images[2:3]), atol=1e-5)


def test_filters_grow_to_8_times_the_first():
    config = dataclasses.replace(Config(), image_size=256, base_filters=2)
    critic, generator = build_critic(config), build_generator(config)
    strided = [x.filters for x in critic.layers if isinstance(x, keras.layers.Conv2D)]
    assert strided == [2, 4, 8, 16, 16, 16, 1]
    transposed = [
        x.filters for x in generator.layers if isinstance(x, keras.layers.Conv2DTranspose)
    ]
    assert transposed == [16, 16, 8, 4, 2, 3]


def test_no_two_layers_begin_alike(tiny_config):
    networks = build_critic(tiny_config), build_generator(tiny_config)
    kernels = [x.kernel.numpy() for n in networks for x in n.layers if hasattr(x, "kernel")]
    assert len({tuple(np.sign(kernel.ravel()[:30])) for kernel in kernels}) == len(kernels)


@pytest.mark.parametrize(("upsampling", "last"), [("nearest", "nearest"), ("smoothed", "bilinear")])
def test_only_the_last_upsampling_is_smoothed(tiny_config, upsampling, last):
    generator = build_generator(dataclasses.replace(tiny_config, upsampling=upsampling))
    doubled = [
        x.interpolation for x in generator.layers if isinstance(x, keras.layers.UpSampling2D)
    ]
    assert doubled == ["nearest", "nearest", last]


def test_one_filter_is_enough(tiny_config):
    narrow = dataclasses.replace(tiny_config, base_filters=1, upsampling="nearest")
    assert build_generator(narrow).output_shape == (None, 32, 32, 3)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_networks_of_a_mixed_precision_end_in_float32(tiny_config, precision):
    half = dataclasses.replace(tiny_config, precision=precision)
    for network in (build_generator(half), build_critic(half)):
        assert network.layers[-2].compute_dtype != "float32"
        assert network.layers[-1].compute_dtype == "float32"
