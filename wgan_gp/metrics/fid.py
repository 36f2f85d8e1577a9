"""The Frechet Inception distance: two sets of features, each taken for a Gaussian.

Heusel et al., GANs Trained by a Two Time-Scale Update Rule (arXiv:1706.08500), section 4; over any
features.
"""

import numpy as np

from wgan_gp.metrics.inputs import check_features


def frechet_inception_distance(real_features: np.ndarray, generated_features: np.ndarray) -> float:
    """The Frechet distance between the Gaussians with the means and covariances of both sets.

    Smaller counts make it larger (by some dims^2 / count): only numbers from equal counts compare.

    Args:
        real_features: `(count, dims)`, 2 or more; fewer than `dims` are allowed.
        generated_features: `(another count, dims)`.

    Raises:
        InputError: fewer than 2 features, unequal dims, or values that are not finite.
    """
    check_features(real_features, generated_features)
    real, generated = real_features.astype(np.float64), generated_features.astype(np.float64)
    return frechet_distance(
        real.mean(axis=0), _covariance(real), generated.mean(axis=0), _covariance(generated)
    )


def frechet_distance(
    mean_1: np.ndarray, covariance_1: np.ndarray, mean_2: np.ndarray, covariance_2: np.ndarray
) -> float:
    """Between two Gaussians (Dowson and Landau, 1982), means `(d,)`, covariances `(d, d)`, float64.

        F = |m_1 - m_2|^2 + Tr(C_1 + C_2 - 2 (C_1 C_2)^(1/2))

    The product of two covariances is not symmetric, and the root of a nearly singular matrix is
    not stable; but C_1^(1/2) C_2 C_1^(1/2) is symmetric and has the same eigenvalues, so

        Tr (C_1 C_2)^(1/2) = sum_i sqrt(lambda_i),

    with those that rounding pushed below 0 taken for 0.
    """
    root = _square_root(covariance_1)
    eigenvalues = np.linalg.eigvalsh(root @ covariance_2 @ root)
    trace_of_root = np.sqrt(np.maximum(eigenvalues, 0)).sum()
    spread = np.trace(covariance_1) + np.trace(covariance_2) - 2 * trace_of_root
    distance = float(np.sum((mean_1 - mean_2) ** 2) + spread)
    return max(distance, 0.0)  # below it by rounding alone; not a number stays what it is


def _covariance(features: np.ndarray) -> np.ndarray:
    return np.atleast_2d(np.cov(features, rowvar=False))


def _square_root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric matrix whose square is `covariance`: V diag(sqrt(lambda)) V^T."""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(eigenvalues, 0)) @ vectors.T
