"""The monitor: how the generator is doing, drawn while it trains."""

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from wgan_gp.callbacks.curve import Curve
from wgan_gp.callbacks.every import comes_up
from wgan_gp.callbacks.monitor_figure import figure_png
from wgan_gp.callbacks.quality import Quality
from wgan_gp.callbacks.stopwatch import Stopwatch
from wgan_gp.pictures import image_grid, save_png
from wgan_gp.random_streams import MONITOR, draw_latents, stream_seed
from wgan_gp.sampling import check_seed, render
from wgan_gp.support.errors import InputError
from wgan_gp.support.notebook import running_cell
from wgan_gp.support.shapes import output_shape
from wgan_gp.support.whole_files import write_whole
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
        InputError: `every` is below 1, `seed` below 0, `image_log` no writer, or `quality` no
            `Quality`; in `fit`: the images have other than 1 or 3 channels.
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
        if not isinstance(image_log, tf.summary.SummaryWriter | None):
            raise InputError(f"image_log is a tf.summary writer, not {image_log!r}")
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
        if (channels := output_shape(self.model.drawing_generator)[-1]) not in (1, 3):
            raise InputError(f"Monitor draws images of 1 or 3 channels, not of {channels}")
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
        figure = figure_png(grid, self.curve, distances, title)
        if self._display:
            from IPython.display import Image as DisplayedImage

            self._display.update(DisplayedImage(data=figure))
        if self.folder:
            save_png(grid, self.folder / "grids" / f"iteration-{iteration:06d}.png")
            write_whole(self.folder / "progress.png", figure)
        if self.image_log:
            with self.image_log.as_default():
                tf.summary.image("grid", grid[None], step=iteration)


def _clock(seconds: float) -> str:
    """Seconds as hh:mm:ss."""
    minutes, second = divmod(int(seconds), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"
