"""The critic's layer norm: Keras's function, the calculus's derivatives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from wgan_gp.networks import ImageLayerNormalization, PixelLayerNormalization


@pytest.fixture
def images() -> tf.Tensor:
    return tf.constant(np.random.default_rng(0).normal(2.0, 3.0, (4, 5, 6, 3)), tf.float32)


def test_it_is_the_function_of_group_normalization_with_one_group(images):
    ours, keras_own = (
        ImageLayerNormalization(1e-5),
        keras.layers.GroupNormalization(1, epsilon=1e-5),
    )
    scale_and_offset = [np.array([1.0, 2.0, 3.0]), np.array([0.0, -1.0, 1.0])]
    for layer in (ours, keras_own):
        layer.build(images.shape)
        layer.set_weights(scale_and_offset)
    np.testing.assert_allclose(ours(images), keras_own(images), atol=1e-5)


@pytest.mark.parametrize("layer", [ImageLayerNormalization, PixelLayerNormalization])
def test_it_goes_where_a_layer_has_to_tell_its_shape(layer):
    assert layer().compute_output_shape((None, 4, 4, 3)) == (None, 4, 4, 3)
    frames = keras.layers.TimeDistributed(layer())(keras.Input((5, 8, 8, 3)))
    assert frames.shape == (None, 5, 8, 8, 3)


def test_no_image_touches_another(images):
    layer = ImageLayerNormalization()
    np.testing.assert_allclose(layer(images)[1:2], layer(images[1:2]), atol=1e-6)


def second_derivatives(layer, x: float, direction: np.ndarray) -> tuple[float, float]:
    """d/dt of the slope of the first output along `direction`: by tapes, and by differences."""
    start = tf.constant(x, tf.float64)
    direction = tf.constant(direction, tf.float64)

    def slope(t):
        point = start + t * direction
        with tf.GradientTape() as tape:
            tape.watch(point)
            output = layer(point)[0, 0, 0, 0]
        return tf.reduce_sum(tape.gradient(output, point) * direction)

    t = tf.constant(0.0, tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(t)
        value = slope(t)
    h = 1e-5
    return tape.gradient(value, t).numpy(), ((slope(t + h) - slope(t - h)) / (2 * h)).numpy()


@pytest.mark.parametrize("is_ours", [True, False])
def test_second_derivatives_are_right_where_group_normalizations_are_not(is_ours):
    rng = np.random.default_rng(1)
    x, direction = rng.normal(size=(1, 2, 2, 2)), rng.normal(size=(1, 2, 2, 2))
    layer = (
        ImageLayerNormalization(dtype="float64")
        if is_ours
        else keras.layers.GroupNormalization(1, epsilon=1e-5, dtype="float64")
    )
    by_tape, by_difference = second_derivatives(layer, x, direction)
    assert (by_tape == pytest.approx(by_difference, rel=1e-4)) == is_ours


@pytest.mark.parametrize("shape", [(2, 5), (2, 7, 5), (2, 3, 3, 5)])
def test_over_pixels_it_is_layer_normalization_of_tokens_and_vectors_too(shape):
    x = np.random.default_rng(0).normal(3, 2, shape).astype("float32")
    expected = keras.layers.LayerNormalization(epsilon=1e-5)(x)
    np.testing.assert_allclose(PixelLayerNormalization(epsilon=1e-5)(x), expected, atol=1e-5)


def test_over_images_it_takes_tokens_together():
    x = np.random.default_rng(0).normal(3, 2, (2, 7, 5)).astype("float32")
    centred = x - x.mean(axis=(1, 2), keepdims=True)
    expected = centred / np.sqrt(np.square(centred).mean(axis=(1, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(ImageLayerNormalization(epsilon=1e-5)(x), expected, atol=1e-5)


def test_half_precision_does_not_overflow():
    layer = ImageLayerNormalization(dtype="float16")
    images = np.random.default_rng(2).normal(0, 300, (2, 32, 32, 4)).astype("float16")
    outputs = layer(images).numpy()
    assert outputs.dtype == np.float16
    assert outputs.astype("float32").std() == pytest.approx(1.0, abs=0.01)


def test_its_settings_survive_a_round_trip():
    layer = ImageLayerNormalization(epsilon=0.5, name="norm")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert (copy.epsilon, copy.name) == (0.5, "norm")
