"""Quality, measured while `fit` runs.

quality = Quality(held_out_images(images, config), every=100)  # iterations
stop = keras.callbacks.EarlyStopping("val_swd", mode="min", patience=25)  # epochs
model.fit(..., steps_per_epoch=20, callbacks=[quality, stop])  # five measurements without progress
"""

import json
import math
from pathlib import Path
from typing import Any

import keras
import numpy as np

from wgan_gp.callbacks.every import comes_up
from wgan_gp.data.subset import Subset
from wgan_gp.metrics.checkerboard import grid_power_share
from wgan_gp.metrics.diversity import diversity
from wgan_gp.metrics.inputs import as_images
from wgan_gp.metrics.swd import SlicedWasserstein
from wgan_gp.random_streams import QUALITY, draw_latents, stream_seed
from wgan_gp.sampling import check_count, check_seed, render
from wgan_gp.support.errors import MALFORMED, InputError
from wgan_gp.support.portable import portable
from wgan_gp.support.shapes import output_shape
from wgan_gp.support.whole_files import replacing, sync, write_whole
from wgan_gp.support.whole_numbers import check_whole


class Quality(keras.callbacks.Callback):
    """Compares generated images with real ones, and keeps the generator that does best.

    It measures at iteration 1 and regularly, and every epoch logs the latest `val_swd` (the sliced
    Wasserstein distance, lower is better), `val_diversity` (1: as varied as the real ones) and
    `val_checkerboard` (the share of power in a grid of 2 pixels); each has a function of its own in
    `wgan_gp.metrics`. The latents are the same each time. Put it before the callbacks that use its
    logs. The `patience` of `EarlyStopping` counts epochs: one without a measurement counts as one
    without an improvement.

    It keeps 0.26 MB for each real image and band of its pyramid: 200 MB for 256 images of 64x64.

    Args:
        images: real images, best held out of training: uint8 `(count, height, width, channels)`.
        every: generator iterations between two measurements.
        count: images to generate, and real ones to compare with; fewer where there are fewer.
        seed: decides the latents and which real images are taken.
        last_iteration: measured too, even if `every` does not hit it.
        best: a file such as `best.keras`, for the generator with the lowest `val_swd` so far; its
            iteration stands beside it, in `best.json`. A model that goes on replaces it by a better
            one only; one that begins anew replaces it.

    Raises:
        InputError: `every` or `count` is below 1, `seed` below 0, `best` no `.keras` file, or the
            images cannot be measured.
    """

    def __init__(
        self,
        images: np.ndarray | Subset,
        every: int = 500,
        count: int = 256,
        seed: int = 0,
        last_iteration: int | None = None,
        best: str | Path | None = None,
    ) -> None:
        super().__init__()
        check_whole("every", every)
        check_count(count)
        check_seed(seed)
        self.every = every
        self.last_iteration = last_iteration
        self.best = Path(best) if best else None
        if self.best and self.best.suffix != ".keras":
            raise InputError(f"best must be a file that ends in .keras, not '{best}'")
        self.curve: list[tuple[int, float]] = []  # iteration, val_swd
        images = as_images(images)
        chosen = np.random.default_rng(seed).permutation(len(images))[:count]
        self.images = images[np.sort(chosen)]
        diversity(self.images, self.images)  # raises an InputError unless they can be measured
        self._distance = SlicedWasserstein(self.images)
        self._seed = stream_seed(seed, QUALITY)
        self._latest: dict[str, float] = {}
        self._best_before = math.inf  # the `val_swd` of what is in `best`

    def get_state(self) -> dict[str, Any]:
        return {"curve": self.curve, "latest": self._latest}

    def set_state(self, state: dict[str, Any]) -> None:
        self.curve = [(int(iteration), float(swd)) for iteration, swd in state["curve"]]
        self._latest = {name: float(value) for name, value in state["latest"].items()}

    def on_train_begin(self, logs: dict | None = None) -> None:
        self._done = self.model.iterations_done
        if self.best:
            self.best.parent.mkdir(parents=True, exist_ok=True)
            self._best_before = self._noted()
        # Without those of another model, or of one taken back.
        if any(iteration > self._done for iteration, _ in self.curve):
            self.curve = [point for point in self.curve if point[0] <= self._done]
            self._latest = {}
        made = output_shape(self.model.drawing_generator)[1:]
        if made != self.images.shape[1:]:
            raise InputError(
                f"quality compares images of {self.images.shape[1:]}, but the generator makes "
                f"{made}"
            )

    def _noted(self) -> float:
        """The `val_swd` beside `best`, if this model may have made that before; infinity if not."""
        try:
            noted = json.loads(self.best.with_suffix(".json").read_text(encoding="utf-8"))
            is_earlier = 0 < noted["iteration"] <= self._done and self.best.is_file()
            return float(noted["val_swd"]) if is_earlier else math.inf
        except (OSError, *MALFORMED):
            return math.inf

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        before, self._done = self._done, self.model.iterations_done
        if comes_up(before, self._done, self.every, self.last_iteration):
            self.measure(self._done)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs |= self._latest

    def measure(self, iteration: int) -> None:
        """Measure now, and note the result as that of `iteration`."""
        latents = draw_latents(len(self.images), self.model.latent_dim, self._seed)
        generated = render(self.model.drawing_generator, latents).numpy()
        swd = self._distance(generated)["mean"]
        self._latest = {
            "val_swd": swd,
            "val_diversity": diversity(self.images, generated),
            "val_checkerboard": grid_power_share(generated),
        }
        if self.best and swd < min([self._best_before, *(earlier for _, earlier in self.curve)]):
            self._keep(iteration)
        self.curve.append((iteration, swd))

    def _keep(self, iteration: int) -> None:
        """Let the generator of this moment be the best."""
        facts = self.best.with_suffix(".json")
        with replacing(self.best) as unfinished:
            portable(self.model.drawing_generator).save(unfinished)
            sync(unfinished)  # here at the latest a full disk shows
            facts.unlink(missing_ok=True)  # they are those of the generator before
        write_whole(facts, json.dumps({"iteration": iteration, **self._latest}, indent=2) + "\n")
