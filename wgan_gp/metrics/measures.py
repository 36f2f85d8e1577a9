"""What each metric's name measures, of the sets that an evaluation compares."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wgan_gp.data.subset import Subset
from wgan_gp.metrics.checkerboard import grid_power_share
from wgan_gp.metrics.diversity import diversity
from wgan_gp.metrics.fid import frechet_inception_distance
from wgan_gp.metrics.kid import kernel_inception_distance
from wgan_gp.metrics.memorization import (
    Neighbours,
    memorization_ratio,
    nearest_features,
    nearest_images,
)
from wgan_gp.metrics.modes import FlowerModes, Modes
from wgan_gp.metrics.precision_recall import precision_and_recall
from wgan_gp.metrics.report import Score
from wgan_gp.metrics.swd import SlicedWasserstein

_KEPT = 512  # images of which projections are held in memory

Measure = Callable[[np.ndarray], float]  # of a set of images, or of features


@dataclass(frozen=True)
class Sets:
    """The sets that are compared, as images or as features; the first four are equally large."""

    real: np.ndarray  # the yardstick
    other: np.ndarray  # real as well
    generated: np.ndarray
    untrained: np.ndarray  # of the generator before training
    training: np.ndarray | Subset | None = None  # all that was trained on
    mirrored: np.ndarray | None = None  # the same, flipped left to right; of features only

    @property
    def scored(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The sets that a metric scores, in the order of `Score`."""
        return self.generated, self.other, self.untrained

    @cached_property
    def modes(self) -> list[dict[str, Modes]]:
        """The modes of each set in `scored`, for drawn flowers."""
        return [*map(FlowerModes(), self.scored)]

    @cached_property
    def twins(self) -> Neighbours:
        """The training images nearest to the generated ones."""
        return self.nearest(self.generated)

    def nearest(self, x: np.ndarray) -> Neighbours:
        """The training images nearest to those in `x`."""
        if self.mirrored is None:
            return nearest_images(x, self.training)
        return nearest_features(x, np.asarray(self.training), self.mirrored)


def _score(measure: Measure, sets: Sets) -> Score:
    return Score(*map(measure, sets.scored))


def _swd(sets: Sets) -> dict[str, Score]:
    # Kept for three calls where that takes some 700 MB at most.
    measure = SlicedWasserstein(sets.real, keep=len(sets.real) <= _KEPT)
    by_set = [*map(measure, sets.scored)]
    names = {"swd": "mean", **{f"swd_{size}": str(size) for size in measure.sizes}}
    return {name: Score(*(x[part] for x in by_set)) for name, part in names.items()}


def _memorization(sets: Sets) -> Score:
    """For the real end, one half of the held-out images stands for the generated ones."""
    held_out = sets.nearest(sets.real)
    halves = [Neighbours(*(x[half::2] for x in held_out)) for half in (0, 1)]
    return Score(
        memorization_ratio(sets.twins, held_out),
        memorization_ratio(*halves),
        memorization_ratio(sets.nearest(sets.untrained), held_out),
    )


def _precision_recall(sets: Sets) -> dict[str, Score]:
    by_set = [precision_and_recall(sets.real, x) for x in sets.scored]
    precisions, recalls = zip(*by_set, strict=True)
    return {"precision": Score(*precisions), "recall": Score(*recalls)}


def _modes(sets: Sets) -> dict[str, Score]:
    names = sets.modes[0]
    return {f"modes_{n}": Score(*(x[n].total_variation for x in sets.modes)) for n in names}


# Each gives one score, or several by their names.
MEASURES: dict[str, Callable[[Sets], Score | dict[str, Score]]] = {
    "swd": _swd,
    "diversity": lambda s: _score(lambda x: diversity(s.real, x), s),
    "checkerboard": lambda s: _score(grid_power_share, s),
    "memorization": _memorization,
    "modes": _modes,
    "kid": lambda s: _score(lambda x: kernel_inception_distance(s.real, x).mean, s),
    "fid": lambda s: _score(lambda x: frechet_inception_distance(s.real, x), s),
    "precision": _precision_recall,
    "recall": _precision_recall,
    "memorization_features": _memorization,
}
