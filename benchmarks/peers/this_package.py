"""This package's iteration: `fit` on the stream with callbacks, or the compiled step alone.

python benchmarks/peers/this_package.py WORK fit|step
"""

import sys
import tempfile
import time
from pathlib import Path

import keras
import tensorflow as tf
from work import Work, take_turns, turns

import wgan_gp
from wgan_gp import WGANGP, Checkpoint, Config, HistoryFile, Monitor, Quality


class Turns(keras.callbacks.Callback):
    """Holds training before each iteration until it is its turn; the last of the callbacks.

    What is timed ends before the next iteration, so that an epoch's end is part of it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.turns, self.start = turns(), None

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if self.model.iteration.numpy() == 0:
            return
        if self.start is not None:
            print(time.perf_counter() - self.start, flush=True)
        if next(self.turns, "end") == "end":
            sys.exit()
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self.start is None:
            print(logs["critic_loss"], logs["generator_loss"], flush=True)


def fit(model: WGANGP, config: Config) -> None:
    images = wgan_gp.load_images("synthetic", config.image_size)
    with tempfile.TemporaryDirectory() as folder:
        history = HistoryFile(Path(folder) / "history.csv")
        monitor = Monitor(Path(folder), config.monitor_every)
        callbacks = [
            Quality(images[:256], every=config.quality_every),
            history,
            monitor,
            Checkpoint(Path(folder) / "checkpoints", callbacks=[history, monitor]),
            Turns(),
        ]
        dataset = wgan_gp.make_dataset(images, config)
        options = {"epochs": 10_000, "steps_per_epoch": 20, "verbose": 0}
        model.fit(dataset, callbacks=callbacks, **options)


def step(model: WGANGP, work: Work) -> None:
    # (n_critic, batch, ...) -> (batch, n_critic, ...)
    batch = tf.constant(work.real_images.swapaxes(0, 1))
    compiled = tf.function(model.train_step)
    losses = compiled(batch)
    take_turns(
        float(losses["critic_loss"]),
        float(losses["generator_loss"]),
        lambda: float(compiled(batch)["generator_loss"]),
    )


def main(path: str, way: str) -> None:
    work = Work(path)
    model = wgan_gp.build_model(work.config)
    if way == "fit":
        fit(model, work.config)
    else:
        step(model, work)


if __name__ == "__main__":
    main(*sys.argv[1:])
