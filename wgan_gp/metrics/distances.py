"""Euclidean distances between many vectors, a block at a time: memory stays bounded.

|x - y|^2 = |x|^2 + |y|^2 - 2 x y: the work is one matrix product.
"""

from collections.abc import Iterator

import numpy as np

from wgan_gp.data.subset import Subset

_ROWS = 1024  # of a block
_ROUNDING = 1e-13  # what it may leave of |x|^2 + |y|^2 between equal vectors


def distance_blocks(
    queries: np.ndarray, references: np.ndarray
) -> Iterator[tuple[slice, np.ndarray]]:
    """For some of the queries at a time: which, and their distances to all references.

    In float64, since in float32 the difference of such large numbers hides that two vectors are
    equal. Centred first, for the same reason. Equal vectors are at 0.

    Args:
        queries: `(n, dims)`.
        references: `(m, dims)`.

    Yields:
        A slice of the queries, and float64 `(queries in it, m)`.
    """
    centre = references.mean(axis=0, dtype=np.float64)
    references = references.astype(np.float64) - centre
    reference_squares = np.square(references).sum(axis=1)
    for start in range(0, len(queries), _ROWS):
        block = queries[start : start + _ROWS].astype(np.float64) - centre
        norms = np.square(block).sum(axis=1)[:, None] + reference_squares  # |x|^2 + |y|^2
        squares = norms - 2 * (block @ references.T)
        squares[squares < _ROUNDING * norms] = 0
        yield slice(start, start + len(block)), np.sqrt(squares, out=squares)


def nearest(queries: np.ndarray, references: np.ndarray | Subset) -> tuple[np.ndarray, np.ndarray]:
    """The nearest reference of each query: its number, and its distance.

    Searched in float32, both sides in blocks, for many wide vectors (10,000 images); the distance
    to the one found is then computed once more from the differences, so that a copy is at 0.

    Args:
        queries: `(n, ...)`, vectors or images, of any number type.
        references: `(m, ...)`, likewise.

    Returns:
        int64 `(n,)` and float64 `(n,)`.
    """
    blocks = [queries[start : start + _ROWS] for start in range(0, len(queries), _ROWS)]
    numbers = [_nearest_numbers(block, references) for block in blocks]
    distances = [_direct_distances(*pair, references) for pair in zip(blocks, numbers, strict=True)]
    return np.concatenate(numbers), np.concatenate(distances)


def _nearest_numbers(queries: np.ndarray, references: np.ndarray | Subset) -> np.ndarray:
    """The number of the nearest reference of each of a block of queries."""
    centre = _vectors(references[:_ROWS], np.float32).mean(axis=0)
    queries = _vectors(queries, np.float32) - centre
    numbers, least = np.zeros(len(queries), np.int64), np.full(len(queries), np.inf, np.float32)
    for start in range(0, len(references), _ROWS):
        block = _vectors(references[start : start + _ROWS], np.float32) - centre
        squares = np.square(block).sum(axis=1) - 2 * (queries @ block.T)  # less |query|^2
        found = squares.argmin(axis=1)
        found_squares = squares[np.arange(len(queries)), found]
        is_nearer = found_squares < least
        numbers[is_nearer] = start + found[is_nearer]
        least[is_nearer] = found_squares[is_nearer]
    return numbers


def _direct_distances(
    queries: np.ndarray, numbers: np.ndarray, references: np.ndarray | Subset
) -> np.ndarray:
    differences = _vectors(queries, np.float64) - _vectors(references[numbers], np.float64)
    return np.linalg.norm(differences, axis=1)


def _vectors(x: np.ndarray, dtype: type) -> np.ndarray:
    return x.reshape(len(x), -1).astype(dtype)
