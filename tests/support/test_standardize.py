"""`standardize` against the same formula, whose derivatives tapes make."""

import numpy as np
import pytest
import tensorflow as tf

from wgan_gp.support.standardize import standardize

IMAGE, PIXEL = (1, 2, 3), (3,)
EPSILON = 0.1  # so large that a derivative which forgets it is seen


def plain(x, over, epsilon):
    centred = x - tf.reduce_mean(x, over, keepdims=True)
    return centred / tf.sqrt(tf.reduce_mean(centred**2, over, keepdims=True) + epsilon)


def derivatives(function, over, compiled):
    """The output, its gradient for cotangents g, and the gradients of that gradient for u."""
    x, g, u = tf.unstack(tf.constant(np.random.default_rng(0).normal(2, 3, (3, 2, 4, 5, 6))))

    def compute():
        with tf.GradientTape() as outer:
            outer.watch([x, g])
            with tf.GradientTape() as inner:
                inner.watch(x)
                output = function(x, over, EPSILON)
            first = inner.gradient(output, x, output_gradients=g)
        return output, first, *outer.gradient(first, [x, g], output_gradients=u)

    return tf.function(compute)() if compiled else compute()


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("over", [IMAGE, PIXEL])
def test_value_and_both_derivatives_are_those_of_the_formula(over, compiled):
    expected = derivatives(plain, over, compiled=False)
    for ours, theirs in zip(derivatives(standardize, over, compiled), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_a_third_derivative_is_refused_rather_than_wrong():
    x = tf.constant(np.random.default_rng(1).normal(size=(1, 2, 2, 2)))
    with tf.GradientTape() as third, tf.GradientTape() as second, tf.GradientTape() as first:
        for tape in (first, second, third):
            tape.watch(x)
        output = tf.reduce_sum(standardize(x, IMAGE, EPSILON) ** 2)
        slope = tf.reduce_sum(first.gradient(output, x) ** 2)
        curvature = second.gradient(slope, x)
        with pytest.raises(LookupError, match="twice"):
            third.gradient(curvature, x)
