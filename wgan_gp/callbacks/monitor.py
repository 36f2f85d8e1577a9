"""The monitor: how the generator is doing, drawn while it trains."""

import io
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wgan_gp.callbacks.curve import Curve
from wgan_gp.callbacks.every import comes_up
from wgan_gp.callbacks.progress import Stopwatch
from wgan_gp.callbacks.quality import Quality
from wgan_gp.pictures import image_grid, save_png
from wgan_gp.random_streams import MONITOR, draw_latents, stream_seed
from wgan_gp.sampling import check_seed, render
from wgan_gp.support.errors import InputError
from wgan_gp.support.files import replacing
from wgan_gp.support.notebook import running_cell
from wgan_gp.support.whole_numbers import check_whole

_TILES = 25


class Monitor(keras.callbacks.Callback):
    """Draws 25 images of fixed latents, beside the critic's losses, at iteration 1 and regularly.

    In a notebook the figure is shown and updated in place. Given a folder, the figure is written
    there as `progress.png` and each tile of images as `grids/iteration-000020.png`.

    Args:
        folder: where to write; None writes nothing.
        every: generator iterations between two pictures.
        seed: decides the 25 latents.
        last_iteration: drawn too, even if `every` does not hit it.
        image_log: a `tf.summary` writer that gets each tile as well, for TensorBoard.
        quality: what measures quality in the same `fit`; its curve is drawn below the losses.

    Raises:
        InputError: `every` is below 1, `seed` below 0, or `quality` no `Quality`.
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        every: int = 20,
        seed: int = 0,
        last_iteration: int | None = None,
        image_log: tf.summary.SummaryWriter | None = None,
        quality: Quality | None = None,
    ) -> None:
        super().__init__()
        check_whole("every", every)
        check_seed(seed)
        if not isinstance(quality, Quality | None):
            raise InputError(f"quality is a wgan_gp.Quality of the same fit, not {quality!r}")
        self.folder = Path(folder) if folder else None
        self.every = every
        self.seed = seed
        self.last_iteration = last_iteration
        self.image_log = image_log
        self.quality = quality
        self.curve = Curve()  # iteration, critic loss, unregularised
        self._stopwatch = Stopwatch()
        self._display = None
        self._cell: int | None = None  # of a notebook, which the figure is in

    def get_state(self) -> dict[str, Any]:
        return {"curve": self.curve.get_state(), "seconds": self._stopwatch.seconds}

    def set_state(self, state: dict[str, Any]) -> None:
        self.curve.set_state(state["curve"])
        self._stopwatch = Stopwatch(state["seconds"])

    def on_train_begin(self, logs: dict | None = None) -> None:
        seed = stream_seed(self.seed, MONITOR)
        self.latents = draw_latents(_TILES, self.model.latent_dim, seed)
        self._done = self.model.iterations_done
        if self.curve.ends_after(self._done):  # that of another model, or of one taken back
            self.curve, self._stopwatch = Curve(), Stopwatch()
        self._stopwatch.start()
        if self.folder:
            (self.folder / "grids").mkdir(parents=True, exist_ok=True)
        former, self._cell = self._cell, running_cell()
        if self._cell not in (None, former):  # `fit_to` may call `fit` twice
            from IPython.display import display

            self._display = display("The monitor follows here.", display_id=True)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self._stopwatch.tick()
        before, self._done = self._done, self.model.iterations_done
        losses = self.model.critic_losses_of_execution()[before - self._done :]
        for iteration, pair in enumerate(losses.tolist(), start=before + 1):
            self.curve.append(iteration, *pair)
        if comes_up(before, self._done, self.every, self.last_iteration):
            self._draw(self._done)

    def _draw(self, iteration: int) -> None:
        grid = image_grid(render(self.model.drawing_generator, self.latents))
        title = f"Iteration: {iteration}, Elapsed: {_clock(self._stopwatch.seconds)}"
        distances = self.quality.curve if self.quality else []
        figure = _figure_png(grid, self.curve, distances, title)
        if self._display:
            from IPython.display import Image as DisplayedImage

            self._display.update(DisplayedImage(data=figure))
        if self.folder:
            save_png(grid, self.folder / "grids" / f"iteration-{iteration:06d}.png")
            with replacing(self.folder / "progress.png") as unfinished:
                unfinished.write_bytes(figure)
        if self.image_log:
            with self.image_log.as_default():
                tf.summary.image("grid", grid[None], step=iteration)


def _figure_png(
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
    tiles.imshow(grid, cmap="gray", vmin=0, vmax=255)  # of which colours make no use
    tiles.axis("off")
    points = np.array(curve.points)
    # Blue and orange of the palette of Okabe and Ito, which colour-blind readers can tell apart.
    _draw_curve(scores, points[:, 0], points[:, 2], "#E69F00", "critic loss, unregularised")
    _draw_curve(scores, points[:, 0], points[:, 1], "#0072B2", "critic loss with penalty")
    scores.set(xlabel="Generator iteration", ylabel="Loss", ylim=_bulk(points[:, 1:]))
    scores.grid(alpha=0.3)
    faint = "each iteration" if curve.stride == 1 else f"means over {curve.stride} iterations"
    scores.legend(title=f"running mean (faint: {faint})")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    return buffer.getvalue()


def _draw_curve(
    axes: Axes, iterations: np.ndarray, losses: np.ndarray, colour: str, label: str
) -> None:
    """The losses of the whole run, faint, and their running mean over a fiftieth of it."""
    axes.plot(iterations, losses, color=colour, alpha=0.25, linewidth=0.8)
    window = max(1, len(losses) // 50)
    means = np.convolve(losses, np.ones(window) / window, mode="valid")
    axes.plot(iterations[window - 1 :], means, color=colour, label=label, zorder=3)


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


def _clock(seconds: float) -> str:
    """Seconds as hh:mm:ss."""
    minutes, second = divmod(int(seconds), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"
