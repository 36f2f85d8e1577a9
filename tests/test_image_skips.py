"""Networks that meet the image at every size. Their training step: test_training_step.py."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from wgan_gp import build_critic, build_generator
from wgan_gp.networks import portable


@pytest.fixture
def config(tiny_config):
    return dataclasses.replace(tiny_config, image_skips=True)


def silenced(network: keras.Model, *, pointwise: bool) -> keras.Model:
    """The network without what its image skips add, or without all convolutions but those."""
    for layer in network.layers:
        if hasattr(layer, "kernel") and layer.kernel.shape[:2] != (4, 4):
            is_skip = layer.kernel.shape[:2] == (1, 1)
            if is_skip == pointwise:
                layer.set_weights([0 * weight for weight in layer.get_weights()])
    return network


@pytest.mark.parametrize("upsampling", ["transposed", "nearest", "smoothed"])
@pytest.mark.parametrize("size", [32, 64])
def test_without_what_the_skips_add_the_generator_is_the_one_without_them(config, upsampling, size):
    config = dataclasses.replace(config, upsampling=upsampling, image_size=size)
    plain = build_generator(dataclasses.replace(config, image_skips=False))
    skipping = build_generator(config)
    assert skipping.output_shape == plain.output_shape
    latents = np.random.default_rng(0).standard_normal((3, config.latent_dim))
    images = skipping(latents)
    # The seed draws the weights that both have alike.
    np.testing.assert_allclose(
        silenced(skipping, pointwise=True)(latents), plain(latents), atol=1e-6
    )
    assert np.abs(images - plain(latents)).max() > 0.01


@pytest.mark.parametrize("size", [32, 64])
def test_without_what_the_skips_add_the_critic_is_the_one_without_them(config, size):
    config = dataclasses.replace(config, image_size=size)
    plain = build_critic(dataclasses.replace(config, image_skips=False))
    images = np.random.default_rng(0).uniform(-1, 1, (3, size, size, 3))
    skipping = build_critic(config)
    scores = skipping(images)
    np.testing.assert_allclose(silenced(skipping, pointwise=True)(images), plain(images), rtol=1e-4)
    assert np.abs(scores - plain(images)).min() > 1e-4


def test_by_the_skips_alone_the_critic_sees_the_image_shrunk(config):
    critic = silenced(build_critic(config), pointwise=False)
    fine = np.random.default_rng(0).uniform(-1, 1, (3, 32, 32, 3)).astype(np.float32)
    shrunk = fine.reshape(3, 8, 4, 8, 4, 3).mean(axis=(2, 4))
    flat = shrunk.repeat(4, axis=1).repeat(4, axis=2)  # the same at 8x8, and nothing finer
    np.testing.assert_allclose(critic(fine), critic(flat), rtol=1e-4)
    assert np.abs(critic(fine) - critic(fine[::-1])).max() > 1e-4  # and it does see it


def test_the_seed_decides_the_skips_weights(config):
    again, other = dataclasses.replace(config), dataclasses.replace(config, seed=1)
    for build in (build_generator, build_critic):
        for a, b, c in zip(*(build(x).get_weights() for x in (config, again, other)), strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.ndim == 1 or not np.array_equal(a, c)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_a_kept_generator_draws_the_same(config, tmp_path, precision):
    generator = portable(build_generator(dataclasses.replace(config, precision=precision)))
    latents = np.random.default_rng(0).standard_normal((3, config.latent_dim)).astype(np.float32)
    generator.save(tmp_path / "generator.keras")
    generator.export(tmp_path / "saved", verbose=False)
    images = generator(latents)
    loaded = keras.saving.load_model(tmp_path / "generator.keras")
    np.testing.assert_array_equal(loaded(latents), images)
    served = tf.saved_model.load(tmp_path / "saved")
    np.testing.assert_allclose(served.serve(latents), images, atol=1e-6)
