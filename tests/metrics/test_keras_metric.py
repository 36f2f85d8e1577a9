"""The Keras metric must be the function over all that it was fed."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from wgan_gp.metrics.diversity import diversity
from wgan_gp.metrics.keras_metric import SetMetric
from wgan_gp.metrics.kid import kernel_inception_distance
from wgan_gp.metrics.swd import sliced_wasserstein_distance
from wgan_gp.support.errors import InputError


def test_batches_are_measured_as_one_set(flowers, other_flowers):
    metric = SetMetric(diversity)
    for start in range(0, 200, 64):
        batch = slice(start, start + 64)
        metric.update_state(keras.ops.convert_to_tensor(flowers[batch]), other_flowers[batch])
    assert metric.result() == diversity(flowers, other_flowers)
    assert metric.name == "diversity"


def test_a_reset_forgets_what_was_fed(flowers, other_flowers):
    metric = SetMetric(diversity)
    metric.update_state(flowers, flowers[:2])
    metric.reset_state()
    metric.update_state(flowers, other_flowers)
    assert metric.result() == diversity(flowers, other_flowers)


def test_results_of_several_numbers_are_dictionaries(flowers):
    distance = SetMetric(sliced_wasserstein_distance, name="swd")
    distance.update_state(flowers[:20], flowers[:20])
    assert distance.result() == {"32": 0, "16": 0, "mean": 0}
    features = np.random.default_rng(0).normal(size=(2, 20, 4))
    kid = SetMetric(kernel_inception_distance)
    kid.update_state(*features)
    assert kid.result() == kernel_inception_distance(*features)._asdict()


def test_it_is_rebuilt_from_its_config(flowers, other_flowers):
    config = keras.saving.serialize_keras_object(SetMetric(diversity, name="variety"))
    metric = keras.saving.deserialize_keras_object(config)
    metric.update_state(flowers, other_flowers)
    assert metric.name == "variety"
    assert metric.result() == diversity(flowers, other_flowers)


def test_a_function_without_a_name_is_one(flowers, other_flowers):
    metric = SetMetric(functools.partial(diversity))
    metric.update_state(flowers, other_flowers)
    assert (metric.name, metric.result()) == ("distance", diversity(flowers, other_flowers))


def test_a_name_is_no_function():
    with pytest.raises(InputError, match=r"as those of wgan_gp\.metrics do; 'kid' is none"):
        SetMetric("kid")


def test_sample_weights_are_refused(flowers):
    with pytest.raises(ValueError, match="sample weights"):
        SetMetric(diversity).update_state(flowers, flowers, sample_weight=np.ones(200))


def test_tensors_without_values_are_refused(flowers):
    update = tf.function(SetMetric(diversity).update_state, autograph=False)
    with pytest.raises(InputError, match="diversity needs values: compile with run_eagerly=True"):
        update(tf.constant(flowers), tf.constant(flowers))


def test_a_result_of_nothing_is_refused():
    with pytest.raises(InputError, match="diversity has no images yet: call update_state before"):
        SetMetric(diversity).result()
