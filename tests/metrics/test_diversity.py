"""Diversity against all pairs by SciPy, and what it must see."""

import numpy as np
import pytest
import scipy.spatial

from wgan_gp.metrics import distances
from wgan_gp.metrics.diversity import diversity, mean_pairwise_distance
from wgan_gp.support.errors import InputError


def test_the_mean_is_over_all_pairs(monkeypatch):
    monkeypatch.setattr(distances, "_ROWS", 7)
    vectors = np.random.default_rng(0).normal(5, 1, (30, 4))
    expected = scipy.spatial.distance.pdist(vectors).mean()
    assert mean_pairwise_distance(vectors) == pytest.approx(expected)


def test_images_are_compared_as_averages_over_squares_of_pixels(flowers, other_flowers):
    def mean_distance(images):
        small = images.reshape(len(images), 16, 2, 16, 2, 3).astype(float).mean(axis=(2, 4))
        return scipy.spatial.distance.pdist(small.reshape(len(images), -1)).mean()

    expected = mean_distance(other_flowers // 2) / mean_distance(flowers)
    assert diversity(flowers, other_flowers // 2) == pytest.approx(expected, rel=1e-6)


def test_other_flowers_are_as_diverse_whatever_their_count_and_order(flowers, other_flowers):
    assert diversity(flowers, other_flowers) == pytest.approx(1, abs=0.03)
    assert diversity(flowers, other_flowers[:50]) == pytest.approx(1, abs=0.06)
    shuffled = flowers[np.random.default_rng(0).permutation(200)]
    assert diversity(flowers, shuffled) == pytest.approx(1, rel=1e-12)


def test_one_repeated_image_has_no_diversity(flowers):
    assert diversity(flowers, np.repeat(flowers[:1], 200, axis=0)) == pytest.approx(0, abs=1e-6)


def test_two_repeated_images_are_half_of_a_pair(flowers):
    repeated = np.repeat(flowers[:2], 100, axis=0)
    pair = diversity(flowers, flowers[:2])
    assert diversity(flowers, repeated) == pytest.approx(pair * 100 / 199)


def test_partial_collapse_lowers_it_step_by_step(flowers, other_flowers):
    kept = [200, 50, 8, 2, 1]
    values = [diversity(flowers, np.tile(other_flowers[:n], (200 // n, 1, 1, 1))) for n in kept]
    assert values == sorted(values, reverse=True)


def test_noise_of_single_pixels_hides_collapse_only_a_little(flowers, noisy):
    collapsed = np.repeat(flowers[:1], 200, axis=0)
    assert diversity(flowers, noisy(collapsed, 20)) < 0.25


def test_equal_real_images_are_refused(flowers):
    with pytest.raises(InputError, match="all the same"):
        diversity(np.repeat(flowers[:1], 20, axis=0) * 0, flowers)


def test_images_of_another_size_are_refused(flowers):
    with pytest.raises(InputError, match=r"16x16x3 do not compare with images of 32x32x3"):
        diversity(flowers, flowers[:, ::2, ::2])
