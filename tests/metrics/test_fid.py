"""The Frechet distance against closed forms and SciPy's matrix root."""

import numpy as np
import pytest
import scipy.linalg

from wgan_gp.metrics.fid import frechet_distance, frechet_inception_distance
from wgan_gp.support.errors import InputError


def random_covariance(dims: int, seed: int) -> np.ndarray:
    a = np.random.default_rng(seed).normal(size=(dims, dims))
    return a @ a.T / dims


def test_gaussians_with_diagonal_covariances_have_a_closed_form():
    m1, m2 = np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0, 5.0])
    v1, v2 = np.array([4.0, 1.0, 0.0]), np.array([1.0, 9.0, 0.25])
    expected = 1 + 0 + 4 + np.sum((np.sqrt(v1) - np.sqrt(v2)) ** 2)
    assert frechet_distance(m1, np.diag(v1), m2, np.diag(v2)) == pytest.approx(expected)


def test_a_shift_alone_costs_its_squared_length():
    covariance = random_covariance(6, 0)
    distance = frechet_distance(np.zeros(6), covariance, np.full(6, 0.5), covariance)
    assert distance == pytest.approx(6 * 0.25)


def test_covariances_that_do_not_commute_agree_with_scipys_root():
    a, b = random_covariance(10, 0), random_covariance(10, 1)
    root = scipy.linalg.sqrtm(a @ b)
    expected = np.trace(a) + np.trace(b) - 2 * np.trace(root).real
    assert frechet_distance(np.zeros(10), a, np.zeros(10), b) == pytest.approx(expected, rel=1e-9)


def test_features_are_taken_with_their_mean_and_unbiased_covariance():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 4)), rng.normal(1, 2, (70, 4))
    root = scipy.linalg.sqrtm(np.cov(x.T) @ np.cov(y.T))
    expected = np.sum((x.mean(0) - y.mean(0)) ** 2)
    expected += np.trace(np.cov(x.T) + np.cov(y.T) - 2 * root.real)
    assert frechet_inception_distance(x, y) == pytest.approx(expected)


def test_large_samples_come_near_the_distance_of_their_distributions():
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, (100_000, 3)), rng.normal(1, 2, (100_000, 3))
    assert frechet_inception_distance(x, y) == pytest.approx(3 * 1 + 3 * (2 - 1) ** 2, rel=0.02)


def test_fewer_images_than_dimensions_are_no_trouble():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 100)).astype(np.float32), rng.normal(size=(20, 100))
    # Tr (C1 C2)^(1/2) is the sum of the singular values of X Y^T / (n - 1), both centred.
    a, b = x.astype(float) - x.mean(0, dtype=float), y - y.mean(0)
    singular = np.linalg.svd(a @ b.T / 19, compute_uv=False)
    expected = np.sum((x.mean(0, dtype=float) - y.mean(0)) ** 2)
    expected += (np.sum(a**2) + np.sum(b**2)) / 19 - 2 * singular.sum()
    assert frechet_inception_distance(x, y) == pytest.approx(expected, rel=1e-6)


def test_identical_sets_are_at_distance_zero_in_any_order():
    x = np.random.default_rng(0).normal(size=(300, 20))
    assert frechet_inception_distance(x, x) == pytest.approx(0, abs=1e-5)
    assert frechet_inception_distance(x, x[::-1]) == pytest.approx(0, abs=1e-5)


def test_one_repeated_image_is_as_far_as_the_real_ones_are_spread():
    x = np.random.default_rng(0).normal(size=(300, 5))
    collapsed = np.tile(x.mean(axis=0), (300, 1))
    assert frechet_inception_distance(x, collapsed) == pytest.approx(np.trace(np.cov(x.T)))


def test_features_of_one_dimension_are_allowed():
    x, y = np.array([[0.0], [2.0]]), np.array([[1.0], [5.0]])
    assert frechet_inception_distance(x, y) == pytest.approx(4 + (np.sqrt(2) - np.sqrt(8)) ** 2)


def test_unequal_dimensions_are_refused():
    with pytest.raises(InputError, match="of one dims"):
        frechet_inception_distance(np.zeros((5, 3)), np.zeros((5, 4)))
    with pytest.raises(InputError, match=r"of one dims, not float64 \(5, 0\) and"):
        frechet_inception_distance(np.zeros((5, 0)), np.zeros((5, 0)))


def test_rounding_takes_no_distance_below_0():
    x = np.repeat(np.random.default_rng(0).normal(0, 10, (20, 64)), 6, axis=0)
    assert 0 <= frechet_inception_distance(x, x) < 1e-3


def test_what_is_no_number_is_not_the_best_distance():
    unknown, zeros, identity = np.array([np.nan, 0.0]), np.zeros(2), np.eye(2)
    assert np.isnan(frechet_distance(unknown, identity, zeros, identity))


def test_float32_features_are_averaged_in_float64():
    x = np.random.default_rng(0).normal(1e3, 1, (20_000, 4)).astype(np.float32)
    exact = frechet_inception_distance(x.astype(float), x.astype(float) + 1)
    assert frechet_inception_distance(x, x + np.float32(1)) == pytest.approx(exact, rel=1e-4)
