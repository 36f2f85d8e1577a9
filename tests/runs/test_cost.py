"""The estimate of what a run costs."""

import dataclasses
import types

import keras
import pytest
import tensorflow as tf

from wgan_gp import Config, build_critic, build_generator
from wgan_gp.runs.cost import iteration_tflop, matrix_product_tflops, memory_remedy, multiply_adds


def test_multiply_adds_of_each_kind_of_layer():
    layers = keras.layers
    network = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(5, 3, strides=2, padding="same"),  # 4x4 outputs
            layers.Conv2DTranspose(7, 5, strides=2, padding="same"),  # 4x4 inputs
            keras.Sequential([layers.DepthwiseConv2D(3, strides=2, padding="same")]),  # 4x4 outputs
            layers.Flatten(),
            layers.Dense(2),
        ]
    )
    expected = 4 * 4 * 3 * 3 * 3 * 5 + 4 * 4 * 5 * 5 * 5 * 7 + 4 * 4 * 3 * 3 * 7 + 4 * 4 * 7 * 2
    assert multiply_adds(network) == expected


def test_a_full_width_iteration_is_about_one_and_a_half_tflop():
    generator, critic = build_generator(Config()), build_critic(Config())
    assert multiply_adds(critic) / 1e6 == pytest.approx(161, rel=0.02)
    assert multiply_adds(generator) / 1e6 == pytest.approx(161, rel=0.02)
    assert iteration_tflop(Config(), generator, critic) == pytest.approx(1.45, rel=0.02)


@pytest.mark.parametrize(("normalization", "average"), [("none", 0), ("batch", 1)])
def test_each_network_is_counted_as_often_as_images_pass_through_it(
    tiny_config, normalization, average
):
    settings = {"n_critic": 2, "batch_size": 3, "generator_normalization": normalization}
    config = dataclasses.replace(tiny_config, **settings, ema_half_life=8)
    generator, critic = build_generator(config), build_critic(config)
    # Two critic updates of 1 and 12 passes, a generator update of 3 and 2, and one of the average
    # where it has statistics to find.
    passes = 2 + 3 + average
    expected = 2 * 3 * (passes * multiply_adds(generator) + (24 + 2) * multiply_adds(critic))
    assert iteration_tflop(config, generator, critic) == pytest.approx(expected / 1e12)
    # Six of the twelve are the penalty's; with it in every fourth update they are 6 and 6 / 4.
    lazy = dataclasses.replace(config, penalty_every=4)
    expected -= 2 * 3 * 2 * 4.5 * multiply_adds(critic)
    assert iteration_tflop(lazy, generator, critic) == pytest.approx(expected / 1e12)
    # What the critic looks through: of real and generated images in each of its two updates; and
    # forward and backward, without gradients of its weights, in the generator's.
    features = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)])
    expected += 2 * 3 * (2 * 2 + 2) * multiply_adds(features)
    assert iteration_tflop(lazy, generator, critic, features) == pytest.approx(expected / 1e12)


def test_what_takes_memory_is_named(tiny_config):
    features = dataclasses.replace(tiny_config, critic_features="efficientnet-lite0")
    said = memory_remedy(tiny_config)
    assert said.endswith("batch_size (here 4), base_filters (2) or image_size (32)")
    assert memory_remedy(features) == f"{said}, or with critic_features none"


def test_the_speed_is_the_best_rounds_and_only_one_number_leaves_the_device(monkeypatch):
    ticks = iter([0, 60, 100, 106, 200, 203, 300, 309])  # starting up, and three rounds of three
    clock = types.SimpleNamespace(perf_counter=lambda: next(ticks))
    monkeypatch.setattr("wgan_gp.runs.cost.time", clock)
    tensor = type(tf.constant(0))
    fetch, shapes = tensor._numpy, set()
    monkeypatch.setattr(tensor, "_numpy", lambda self: shapes.add(tuple(self.shape)) or fetch(self))
    assert matrix_product_tflops() == pytest.approx(2 * 2048**3 / 1e12)
    assert shapes == {()}
