"""The curve of a run of any length."""

import json

import numpy as np
import pytest

from wgan_gp.callbacks.curve import MOST, Curve


def values_of(iterations: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(iterations, 2))


def curve_of(values: np.ndarray) -> Curve:
    curve = Curve()
    for iteration, pair in enumerate(values.tolist(), start=1):
        curve.append(iteration, *pair)
    return curve


def test_a_short_run_keeps_each_iteration():
    values = values_of(MOST)
    points = np.array(curve_of(values).points)
    np.testing.assert_array_equal(points[:, 0], np.arange(1, MOST + 1))
    np.testing.assert_array_equal(points[:, 1:], values)


@pytest.mark.parametrize("iterations", [MOST + 1, 2 * MOST + 3, 9 * MOST + 11])
def test_each_point_is_the_mean_over_its_iterations(iterations):
    values, curve = values_of(iterations), curve_of(values_of(iterations))
    first = 0
    for last, *means in curve.points:
        np.testing.assert_allclose(means, values[first:last].mean(axis=0), atol=1e-12)
        assert last - first == curve.stride or last == iterations
        first = last
    assert first == iterations


def test_its_size_has_a_bound():
    sizes = [len(json.dumps(curve_of(values_of(n)).get_state())) for n in (MOST, 9 * MOST)]
    assert sizes[1] < 1.2 * sizes[0]


@pytest.mark.parametrize("stop", [1, MOST, MOST + 1, 2 * MOST + 1, 4 * MOST])
def test_a_stop_changes_no_bit_of_it(stop):
    values = values_of(4 * MOST + 1_000)
    resumed = Curve()
    resumed.set_state(json.loads(json.dumps(curve_of(values[:stop]).get_state())))
    for iteration, pair in enumerate(values[stop:].tolist(), start=stop + 1):
        resumed.append(iteration, *pair)
    assert resumed.get_state() == curve_of(values).get_state()


def test_the_list_of_version_0_1_0_is_taken_over():
    values, curve = values_of(MOST + 3_000), Curve()
    curve.set_state([[i, *pair] for i, pair in enumerate(values.tolist(), start=1)])
    assert curve.get_state() == curve_of(values).get_state()
