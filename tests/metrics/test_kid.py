"""The kernel Inception distance against loops over all pairs."""

import numpy as np
import pytest

from wgan_gp.metrics.kid import kernel_inception_distance, squared_mmd
from wgan_gp.support.errors import InputError


def features(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (count, 8)).astype(np.float32)


def loops(x: np.ndarray, y: np.ndarray) -> float:
    """The unbiased estimate, pair by pair."""
    m = len(x)

    def kernel(a, b):
        return (sum(p * q for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    total = 0.0
    for i in range(m):
        for j in range(m):
            if i != j:
                total += (kernel(x[i], x[j]) + kernel(y[i], y[j])) / (m * (m - 1))
            total -= 2 * kernel(x[i], y[j]) / m**2
    return total


def test_one_subset_agrees_with_loops_over_all_pairs():
    x, y = features(30, 0).astype(float), features(30, 1, 0.5).astype(float)
    assert squared_mmd(x, y) == pytest.approx(loops(x, y), rel=1e-10)
    whole = kernel_inception_distance(x, y, subsets=3)  # subsets of all 30
    assert whole.mean == pytest.approx(loops(x, y), rel=1e-10)
    assert whole.deviation == pytest.approx(0, abs=1e-12)


def test_a_shifted_gaussian_is_at_the_distance_of_the_closed_form():
    # One dimension, k = (x y + 1)^3: E k = sum over powers of C(3, n) E[x^n] E[y^n], hence
    # MMD^2 = 3 (m1 - n1)^2 + 3 (m2 - n2)^2 + (m3 - n3)^2 with the moments of N(0, 1), N(1, 1).
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, (20_000, 1)), rng.normal(1, 1, (20_000, 1))
    expected = 3 * (0 - 1) ** 2 + 3 * (1 - 2) ** 2 + (0 - 4) ** 2
    result = kernel_inception_distance(x, y, subsets=100, subset_size=500)
    assert result.mean == pytest.approx(expected, rel=0.05)


def test_two_sets_from_one_distribution_are_at_distance_zero_on_average():
    values = [
        kernel_inception_distance(features(400, 2 * n), features(400, 2 * n + 1), 1, 100).mean
        for n in range(200)
    ]
    standard_error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 4 * standard_error  # a biased estimate is 40 of them off
    assert min(values) < 0 < max(values)


def test_a_set_is_at_about_distance_zero_from_itself():
    x = features(4000, 0)
    same = kernel_inception_distance(x, x, subset_size=200)
    assert abs(same.mean) < same.deviation
    assert same.mean < 0.05 * kernel_inception_distance(x, features(4000, 1, 0.3)).mean


def test_the_deviation_is_that_between_subsets():
    x, y = features(50, 0), features(60, 1)
    rng, values = np.random.default_rng(7), []
    for _ in range(20):
        a = x[rng.choice(50, 10, replace=False)].astype(float)
        values.append(loops(a, y[rng.choice(60, 10, replace=False)].astype(float)))
    result = kernel_inception_distance(x, y, subsets=20, subset_size=10, seed=7)
    assert result == pytest.approx((np.mean(values), np.std(values)))


def test_the_distance_grows_with_the_shift():
    x = features(500, 0)
    distances = [
        kernel_inception_distance(x, features(500, 1, shift), subsets=5).mean
        for shift in (0, 0.2, 0.4, 1)
    ]
    assert distances == sorted(distances)


@pytest.mark.parametrize(
    ("generated", "message"),
    [
        (np.zeros((5, 7)), "of one dims"),
        (
            np.zeros((5, 8), object),
            r"as numbers \(count, dims\) of one dims, not .* object \(5, 8\)",
        ),
        (np.zeros((1, 8)), "2 images or more"),
        (np.full((5, 8), np.nan), "not finite"),
    ],
)
def test_features_that_cannot_be_compared_are_refused(generated, message):
    with pytest.raises(InputError, match=message):
        kernel_inception_distance(features(5, 0), generated)


@pytest.mark.parametrize(
    "options", [{"subset_size": 1}, {"subset_size": 10.0}, {"subsets": 0}, {"subsets": 2.5}]
)
def test_subsets_that_say_nothing_are_refused(options):
    with pytest.raises(InputError, match=r"^subset(s|_size) must be a whole number, at least"):
        kernel_inception_distance(features(5, 0), features(5, 1), **options)


def test_subsets_differ_where_one_of_the_sets_is_larger():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 8)), rng.normal(size=(60, 8))
    for sets in ((x, y), (y, x)):
        assert kernel_inception_distance(*sets, subsets=3, subset_size=50).deviation > 0
