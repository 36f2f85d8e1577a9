"""Precision and recall: are the generated images like real ones, and do they cover them all?

Kynkaanniemi et al., Improved Precision and Recall Metric for Assessing Generative Models
(arXiv:1904.06991), section 2; over any features.
"""

from typing import NamedTuple

import numpy as np

from wgan_gp.metrics.distances import distance_blocks
from wgan_gp.metrics.inputs import check_features
from wgan_gp.support.whole_numbers import check_whole


class PrecisionRecall(NamedTuple):
    """Both in 0..1."""

    precision: float
    recall: float


def precision_and_recall(
    real_features: np.ndarray, generated_features: np.ndarray, neighbours: int = 3
) -> PrecisionRecall:
    """The share of each set that lies within the other's estimated manifold.

    The manifold of a set is the union of balls around its features, each reaching to the feature's
    k-th nearest neighbour in the set, itself not counted. Precision is the share of generated
    features within the real manifold, recall that of real ones within the generated manifold. Both
    depend on the counts, which should be equal.

    Args:
        real_features: `(count, dims)`, more than `neighbours`.
        generated_features: `(another count, dims)`.
        neighbours: k; 3 is the paper's.

    Raises:
        InputError: `neighbours` below 1, too few features, unequal dims, or values that are not
            finite.
    """
    check_whole("neighbours", neighbours)
    check_features(real_features, generated_features, least=neighbours + 1)
    return PrecisionRecall(
        precision=_covered(generated_features, real_features, neighbours),
        recall=_covered(real_features, generated_features, neighbours),
    )


def _covered(features: np.ndarray, manifold: np.ndarray, neighbours: int) -> float:
    """The share of `features` within the manifold that `manifold` spans."""
    radii = np.concatenate(
        [
            # Nearest of all to itself, at distance 0: one more neighbour.
            np.partition(distances, neighbours, axis=1)[:, neighbours]
            for _, distances in distance_blocks(manifold, manifold)
        ]
    )
    is_covered = [
        (distances <= radii).any(axis=1) for _, distances in distance_blocks(features, manifold)
    ]
    return float(np.concatenate(is_covered).mean())
