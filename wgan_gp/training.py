"""A whole training run: from settings and images to a folder of results."""

import math
from typing import Literal

import keras
import numpy as np
import tensorflow as tf

from wgan_gp.checkpoint import Checkpoint
from wgan_gp.config import Config
from wgan_gp.dataset import check_images, make_dataset
from wgan_gp.divergence import StopAtNaN
from wgan_gp.errors import InputError
from wgan_gp.history_file import HistoryFile
from wgan_gp.interruption import StopOnSignal
from wgan_gp.iterations import IterationCount
from wgan_gp.model import WGANGP
from wgan_gp.monitor import Monitor
from wgan_gp.networks import build_critic, build_generator
from wgan_gp.pictures import image_grid, save_film, save_png
from wgan_gp.progress import ProgressBar
from wgan_gp.run_folder import RunFolder
from wgan_gp.whole_files import replacing

_EPOCH_ITERATIONS = 20  # a line of history.csv is the mean over so many generator iterations
_TILES = 25  # images in a picture
_MAX_FRAMES = 100  # of the film, so that it stays small


def build_model(config: Config) -> WGANGP:
    """A compiled, untrained model: the networks and the two Adams of `config`."""
    model = WGANGP(
        build_generator(config),
        build_critic(config),
        config.n_critic,
        config.gradient_penalty_weight,
        config.seed,
    )
    model.compile(
        _adam(config, config.critic_learning_rate), _adam(config, config.generator_learning_rate)
    )
    return model


def train(
    config: Config,
    images: np.ndarray,
    folder: RunFolder,
    *,
    tensorboard: bool = False,
    checkpoint_every: int | Literal["epoch"] | None = None,
    keep_checkpoints: int = 3,
) -> WGANGP:
    """Train a model on `images` and leave its results in `folder`.

    If the folder holds checkpoints, training goes on from the newest, as if it had never stopped.

    Args:
        images: uint8 `(count, image_size, image_size, 3)`.
        tensorboard: also log the metrics and the monitor's tiles for TensorBoard.
        checkpoint_every: iterations, or "epoch"; None for one in two minutes. See `Checkpoint`.
        keep_checkpoints: how many of the newest to keep.

    Raises:
        InputError: the images do not fit `config`, or the checkpoints are damaged or further on.
        DivergedError: a loss is no longer finite.
        Interrupted: a signal asked to stop; a checkpoint is written.
        OSError: something cannot be written; the checkpoints are as they were.
    """
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    check_images(images, config)
    model = build_model(config)
    recorders = [
        IterationCount(config.iterations),
        _monitor(config, folder, tensorboard),
        HistoryFile(folder.history),
    ]
    checkpoint = Checkpoint(folder.checkpoints, checkpoint_every, keep_checkpoints, recorders)
    _prepare(folder, config, images, done=checkpoint.restore(model))
    displays = [ProgressBar(config.iterations)]
    if tensorboard:
        displays.append(keras.callbacks.TensorBoard(folder.tensorboard, write_graph=False))
    with StopOnSignal(checkpoint) as stop:
        _fit(model, images, config, [StopAtNaN(), *recorders, *displays, checkpoint, stop])
    _finish(model, folder)
    return model


def _monitor(config: Config, folder: RunFolder, tensorboard: bool) -> Monitor:
    image_log = (
        tf.summary.create_file_writer(str(folder.tensorboard / "images")) if tensorboard else None
    )
    return Monitor(
        folder.path,
        config.monitor_every,
        config.seed,
        last_iteration=config.iterations,
        image_log=image_log,
    )


def _prepare(folder: RunFolder, config: Config, images: np.ndarray, done: int) -> None:
    """What stands in the folder when `done` iterations are."""
    if done > config.iterations:
        raise InputError(
            f"'{folder.path}' is at iteration {done} already: iterations must be at least that"
        )
    folder.write_settings(config)
    folder.remove_tiles_after(done)
    shown = np.linspace(0, len(images) - 1, min(_TILES, len(images))).astype(int)
    save_png(image_grid(images[shown]), folder.reals)


def _fit(
    model: WGANGP, images: np.ndarray, config: Config, callbacks: list[keras.callbacks.Callback]
) -> None:
    """Train to the end of the epoch that a checkpoint may have left unfinished, then to the end."""
    while (done := int(model.iteration.numpy())) < config.iterations:
        epoch, done_in_epoch = divmod(done, _EPOCH_ITERATIONS)
        last_epoch = math.ceil(config.iterations / _EPOCH_ITERATIONS)
        model.fit(
            make_dataset(images, config, start_iteration=done),
            initial_epoch=epoch,
            epochs=epoch + 1 if done_in_epoch else last_epoch,
            steps_per_epoch=_EPOCH_ITERATIONS - done_in_epoch,
            callbacks=callbacks,
            shuffle=False,  # the stream is shuffled already
            verbose=0,  # the ProgressBar shows the whole run instead
        )


def _finish(model: WGANGP, folder: RunFolder) -> None:
    with replacing(folder.generator) as unfinished:
        model.generator.save(unfinished)
    folder.update_facts({"generator_iteration": int(model.iteration.numpy())})
    save_png(image_grid(model.generate(_TILES)), folder.samples)
    frames = list(folder.tiles().values())
    kept = np.linspace(0, len(frames) - 1, min(_MAX_FRAMES, len(frames))).astype(int)
    save_film([frames[i] for i in kept], folder.film)


def _adam(config: Config, learning_rate: float) -> keras.optimizers.Adam:
    return keras.optimizers.Adam(learning_rate, config.beta_1, config.beta_2, config.adam_epsilon)
