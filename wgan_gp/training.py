"""A whole training run: from settings and images to a folder of results."""

import math

import keras
import numpy as np
import tensorflow as tf

from wgan_gp.config import Config
from wgan_gp.dataset import make_dataset
from wgan_gp.divergence import StopAtNaN
from wgan_gp.history_file import HistoryFile
from wgan_gp.iterations import IterationCount
from wgan_gp.model import WGANGP
from wgan_gp.monitor import Monitor
from wgan_gp.networks import build_critic, build_generator
from wgan_gp.pictures import image_grid, save_film, save_png
from wgan_gp.progress import ProgressBar
from wgan_gp.run_folder import RunFolder

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
    config: Config, images: np.ndarray, folder: RunFolder, tensorboard: bool = False
) -> WGANGP:
    """Train a model on `images` and leave its results in `folder`.

    Args:
        images: uint8 `(count, image_size, image_size, 3)`.
        tensorboard: also log the metrics and the monitor's tiles for TensorBoard.

    Raises:
        InputError: the images do not fit `config`.
        DivergedError: a loss is no longer finite.
    """
    dataset = make_dataset(images, config)
    folder.config.write_text(config.to_json(), encoding="utf-8")
    shown = np.linspace(0, len(images) - 1, min(_TILES, len(images))).astype(int)
    save_png(image_grid(images[shown]), folder.reals)
    model = build_model(config)
    model.fit(
        dataset,
        epochs=math.ceil(config.iterations / _EPOCH_ITERATIONS),
        steps_per_epoch=_EPOCH_ITERATIONS,
        callbacks=_callbacks(config, folder, tensorboard),
        shuffle=False,  # the stream is shuffled already
        verbose=0,  # the ProgressBar shows the whole run instead
    )
    _finish(model, folder)
    return model


def _callbacks(
    config: Config, folder: RunFolder, tensorboard: bool
) -> list[keras.callbacks.Callback]:
    image_log = (
        tf.summary.create_file_writer(str(folder.tensorboard / "images")) if tensorboard else None
    )
    callbacks = [
        StopAtNaN(),
        IterationCount(config.iterations),
        Monitor(
            folder.path,
            config.monitor_every,
            config.seed,
            last_iteration=config.iterations,
            image_log=image_log,
        ),
        HistoryFile(folder.history),
        ProgressBar(config.iterations),
    ]
    if tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(folder.tensorboard, write_graph=False))
    return callbacks


def _finish(model: WGANGP, folder: RunFolder) -> None:
    model.generator.save(folder.generator)
    save_png(image_grid(model.generate(_TILES)), folder.samples)
    frames = sorted(folder.grids.iterdir())
    kept = np.linspace(0, len(frames) - 1, min(_MAX_FRAMES, len(frames))).astype(int)
    save_film([frames[i] for i in kept], folder.film)


def _adam(config: Config, learning_rate: float) -> keras.optimizers.Adam:
    return keras.optimizers.Adam(learning_rate, config.beta_1, config.beta_2, config.adam_epsilon)
