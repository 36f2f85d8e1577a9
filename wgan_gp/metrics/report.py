"""What a measurement has come to, for people and for programs."""

import dataclasses
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # the command line imports this before it needs NumPy
    import numpy as np

# How each number is to be read; metrics not named here are parts of one that is.
READINGS = {
    "swd": "lower is better",
    "kid": "lower is better",
    "fid": "lower is better",
    "precision": "higher: like real ones",
    "recall": "higher: as many kinds",
    "diversity": "1: as varied as real",
    "checkerboard": "power in a 2-pixel grid",
    "memorization": "1: not copied, 0: copied",
    "memorization_features": "1: not copied, 0: copied",
    "modes_colour": "0: as often as drawn",
    "modes_flowers": "0: as often as drawn",
}


class Score(NamedTuple):
    """One metric of generated images, and of what it stands beside, from equal counts."""

    generated: float
    real: float  # of other real images
    untrained: float  # of the same generator before training


@dataclasses.dataclass(frozen=True)
class Report:
    """What `evaluate` has measured."""

    scores: dict[str, Score]
    count: int  # images in each of the sets compared
    reference: str  # what they are compared with
    features: str | None = None  # the network behind the metrics of features, and its input size
    # Of drawn flowers, by "colour" and "flowers": the shares of the modes among generated images,
    # the true ones, and how many of other drawn flowers the classifier names rightly.
    modes: dict[str, Any] | None = None
    # Generated images beside the training images nearest to them, the nearest pairs first: uint8
    # (pairs, height, 2 width, channels).
    pairs: "np.ndarray | None" = dataclasses.field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """All but the pairs, as JSON can hold it."""
        return {
            "count": self.count,
            "reference": self.reference,
            "features": self.features,
            "modes": self.modes,
            "scores": {name: score._asdict() for name, score in self.scores.items()},
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> "Report":
        """The report that `to_dict` gave; raises one of `MALFORMED` if it is none."""
        scores = {
            name: Score(*(float(score[field]) for field in Score._fields))
            for name, score in facts["scores"].items()
        }
        features = facts["features"] and str(facts["features"])
        modes = facts["modes"] and dict(facts["modes"])
        return cls(scores, int(facts["count"]), str(facts["reference"]), features, modes)

    @property
    def _about(self) -> str:
        return f"{self.count:,} generated images against {self.count:,} {self.reference}"

    def __str__(self) -> str:
        """A table for a terminal of 80 columns."""
        lines = [self._about, f"{'':22}{'generated':>10}{'real':>10}{'untrained':>10}"]
        for name, score in self.scores.items():
            label = name if name in READINGS else f"  {name}"
            numbers = "".join(f"{value:>10.3g}" for value in score)
            lines.append(f"{label:22}{numbers}   {READINGS.get(name, '')}".rstrip())
        for name, modes in (self.modes or {}).items():
            true = modes["true_shares"]
            shares = (f"{mode} {x:.0%} ({true[mode]:.0%})" for mode, x in modes["shares"].items())
            lines += textwrap.wrap(f"Shares by {name} (true ones): {', '.join(shares)}", 80)
        if self.features:
            lines.append(f"Features: {self.features}")
        return "\n".join(lines)

    def to_markdown(self) -> str:
        """The scores as a Markdown table, without the shares of the modes."""
        features = f"; features: {self.features}" if self.features else ""
        lines = [
            f"{self._about}{features}.",
            "",
            "| metric | generated | other real images | untrained generator | |",
            "| --- | --- | --- | --- | --- |",
        ]
        for name, score in self.scores.items():
            numbers = " | ".join(f"{value:.3g}" for value in score)
            lines.append(f"| {name} | {numbers} | {READINGS.get(name, '')} |")
        return "\n".join(lines)
