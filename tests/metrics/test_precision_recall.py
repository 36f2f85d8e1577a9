"""Precision and recall against brute force."""

import numpy as np
import pytest
import scipy.spatial

from wgan_gp.metrics import distances
from wgan_gp.metrics.precision_recall import precision_and_recall
from wgan_gp.support.errors import InputError


def features(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (count, 4)).astype(np.float32)


def brute_force(real: np.ndarray, generated: np.ndarray, k: int) -> tuple[float, float]:
    def covered(points, manifold):
        count = 0
        for point in points:
            for centre_number, centre in enumerate(manifold):
                others = np.delete(manifold, centre_number, axis=0)
                radius = sorted(np.linalg.norm(others - centre, axis=1))[k - 1]
                if np.linalg.norm(point - centre) <= radius:
                    count += 1
                    break
        return count / len(points)

    return covered(generated, real), covered(real, generated)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("shift", [0.5, 1.5])
def test_both_agree_with_brute_force(k, shift):
    real, generated = features(60, 0).astype(float), features(50, 1, shift).astype(float)
    expected = brute_force(real, generated, k)
    assert precision_and_recall(real, generated, k) == pytest.approx(expected)
    assert 0 < min(expected) <= max(expected) < 1


def test_blocks_change_nothing(monkeypatch):
    real, generated = features(60, 0), features(50, 1, 1)
    whole = precision_and_recall(real, generated)
    monkeypatch.setattr(distances, "_ROWS", 7)
    assert precision_and_recall(real, generated) == whole


def test_distances_are_those_of_scipy(monkeypatch):
    monkeypatch.setattr(distances, "_ROWS", 7)
    x, y = features(30, 0) + 1000, features(20, 1) + 1000
    blocks = [block for _, block in distances.distance_blocks(x, y)]
    expected = scipy.spatial.distance.cdist(x, y)
    np.testing.assert_allclose(np.concatenate(blocks), expected, rtol=1e-6)


def test_identical_sets_have_both_at_1():
    assert precision_and_recall(features(50, 0), features(50, 0)) == (1, 1)


def test_equal_vectors_are_at_0():
    rng = np.random.default_rng(0)
    often = np.repeat(rng.normal(3, 1, (40, 1000)).astype(np.float32), 5, axis=0)
    copies = often[rng.permutation(len(often))[:70]]
    found = np.concatenate([block for _, block in distances.distance_blocks(copies, often)])
    is_equal = (copies[:, None] == often).all(axis=-1)
    np.testing.assert_array_equal(found == 0, is_equal)


def test_sets_far_apart_have_both_at_0():
    assert precision_and_recall(features(50, 0), features(50, 1, 100)) == (0, 0)


def test_one_distribution_has_both_high():
    result = precision_and_recall(features(1000, 0), features(1000, 1))
    assert min(result) > 0.85


def test_half_of_the_modes_is_full_precision_at_half_the_recall():
    modes = np.repeat([[0.0] * 4, [50.0] * 4], 200, axis=0)
    real = features(400, 0) + modes
    generated = features(400, 1)  # around the first one only
    precision, recall = precision_and_recall(real, generated)
    assert precision > 0.8
    assert 0.4 < recall <= 0.5


def test_half_noise_is_half_the_precision_at_full_recall():
    real = features(400, 0)
    generated = np.concatenate([features(400, 1), features(400, 2) * 1e3])
    precision, recall = precision_and_recall(real, generated)
    assert 0.4 < precision <= 0.55
    assert recall > 0.8


def test_collapse_shows_in_recall():
    real = features(400, 0)
    collapsed = np.repeat(real[:1], 400, axis=0)
    assert precision_and_recall(real, collapsed) == (1, 1 / 400)


def test_the_order_of_images_does_not_matter():
    real, generated = features(60, 0), features(50, 1, 1)
    assert precision_and_recall(real[::-1], generated[::-1]) == precision_and_recall(
        real, generated
    )


def test_too_few_images_for_the_neighbours_are_refused():
    with pytest.raises(InputError, match="4 images or more"):
        precision_and_recall(features(50, 0), features(3, 1))


@pytest.mark.parametrize("neighbours", [0, -1, 1.5])
def test_no_neighbours_are_refused(neighbours):
    x = np.random.default_rng(0).normal(size=(20, 3))
    said = f"neighbours must be a whole number, at least 1, not {neighbours}"
    with pytest.raises(InputError, match=said):
        precision_and_recall(x, x, neighbours)
