"""The monitor's figure: a tile of images beside the curves of losses and quality."""

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wgan_gp.callbacks.curve import Curve


def figure_png(
    grid: np.ndarray, curve: Curve, distances: list[tuple[int, float]], title: str
) -> bytes:
    """The tile of images on the left, losses and quality on the right, as a PNG file."""
    figure = Figure(figsize=(12, 5.6), layout="constrained")
    figure.suptitle(title)
    rows = ["scores", "scores", "quality"] if distances else ["scores"]
    places = figure.subplot_mosaic([["tiles", row] for row in rows])
    tiles, scores = places["tiles"], places["scores"]
    if distances:
        places["quality"].sharex(scores)
        _draw_quality(places["quality"], distances)
    tiles.imshow(grid, cmap="gray", vmin=0, vmax=255)  # for grey images; colours ignore these
    tiles.axis("off")
    points = np.array(curve.points)
    # Blue and orange of the palette of Okabe and Ito, which colour-blind readers can tell apart.
    _draw_curve(scores, points[:, 0], points[:, 2], "#E69F00", "critic loss, unregularised")
    _draw_curve(scores, points[:, 0], points[:, 1], "#0072B2", "critic loss with penalty")
    scores.set(xlabel="Generator iteration", ylabel="Loss", ylim=_bulk(points[:, 1:]))
    scores.grid(alpha=0.3)
    faint = "each iteration" if curve.stride == 1 else f"means over {curve.stride} iterations"
    scores.legend(title=f"running mean (faint: {faint})" if _window(points) > 1 else None)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


def _draw_curve(
    axes: Axes, iterations: np.ndarray, losses: np.ndarray, colour: str, label: str
) -> None:
    """The losses of the whole run, faint, and their running mean over a fiftieth of it."""
    axes.plot(iterations, losses, color=colour, alpha=0.25, linewidth=0.8)
    window = _window(losses)
    means = np.convolve(losses, np.ones(window) / window, mode="valid")
    axes.plot(iterations[window - 1 :], means, color=colour, label=label, zorder=3)


def _window(points: np.ndarray) -> int:
    """How many points a running mean is over."""
    return max(1, len(points) // 50)


def _draw_quality(axes: Axes, distances: list[tuple[int, float]]) -> None:
    axes.plot(*zip(*distances, strict=True), color="#009E73", marker=".")
    axes.set(xlabel="Generator iteration", ylabel="Distance (swd)", ylim=(0, None))
    axes.set_title("Distance to real images: lower is better", fontsize="medium")
    axes.grid(alpha=0.3)


def _bulk(values: np.ndarray) -> tuple[float, float] | None:
    """Limits that show all but the extreme values: the first penalties would dwarf the rest."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    low, high = np.percentile(finite, [0.5, 98])
    margin = 0.1 * (high - low) + 1e-3
    return low - margin, high + margin
