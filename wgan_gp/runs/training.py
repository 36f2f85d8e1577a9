"""Training in a run's folder: from settings and images to all of its results."""

import keras
import numpy as np
import tensorflow as tf

from wgan_gp.callbacks.checkpoint import Checkpoint
from wgan_gp.callbacks.checkpoint_folder import CheckpointFolder
from wgan_gp.callbacks.history import HistoryFile
from wgan_gp.callbacks.monitor import Monitor
from wgan_gp.callbacks.progress import IterationCount, ProgressBar
from wgan_gp.callbacks.quality import Quality
from wgan_gp.callbacks.stopping import StopAtNaN, StopOnSignal
from wgan_gp.config import Config
from wgan_gp.data.stream import make_dataset
from wgan_gp.data.subset import Subset
from wgan_gp.model import WGANGP, build_model
from wgan_gp.pictures import evenly_spread, image_grid, save_film, save_png
from wgan_gp.runs.folder import RunFolder
from wgan_gp.runs.generator_file import load_generator
from wgan_gp.runs.plan import Plan
from wgan_gp.support.errors import InputError
from wgan_gp.support.layer_defaults import layer_defaults
from wgan_gp.support.portable import portable
from wgan_gp.support.saying import say
from wgan_gp.support.whole_files import replacing

_EPOCH_ITERATIONS = 20  # a line of history.csv is the mean over so many generator iterations
_TILES = 25  # images in a picture
_LEAST_MEASURED = 64  # real images; a distance from fewer says too little


def train_in(
    folder: RunFolder,
    plan: Plan,
    images: np.ndarray,
    training: np.ndarray,
    strategy: tf.distribute.Strategy,
) -> WGANGP:
    """Train a model on `images` as `plan` says, and leave its results in `folder`.

    If the folder holds checkpoints, training goes on from the newest, as if it had never stopped.

    Args:
        images: uint8 `(count, image_size, image_size, 3)`.
        training: the indices of those to train on, as `training_indices` gives them.
        strategy: the devices to train on.

    Raises:
        InputError: the checkpoints are damaged or gone.
        DivergedError: a loss is no longer finite.
        Interrupted: a signal asked to stop; a checkpoint is written.
        OSError: something cannot be written; the checkpoints are as they were.
    """
    config = plan.config
    # What the settings say decides the precision, and not Keras's own, which no folder keeps.
    with strategy.scope(), layer_defaults(config.precision):
        model = build_model(config)
    recorders = _recorders(plan, folder, images, training)
    checkpoint = Checkpoint(
        folder.checkpoints, plan.checkpoint_every, plan.keep_checkpoints, recorders
    )
    done = checkpoint.restore(model)
    if not done:
        _begin(folder, checkpoint.folder)
    _prepare(folder, plan, images[evenly_spread(training, _TILES)], done)
    say(
        "The first iteration builds the graph and can take half a minute."
        if done < config.iterations
        else "All of them are done already: the final pictures are made once more."
    )
    with ProgressBar(config.iterations) as bar, StopOnSignal(checkpoint.save) as stop:
        model.fit_to(
            config.iterations,
            lambda start: make_dataset(images, config, start, training),
            steps_per_epoch=_EPOCH_ITERATIONS,
            callbacks=[StopAtNaN(), *recorders, bar, *_logs(plan, folder), checkpoint, stop],
            verbose=0,  # the bar shows the whole run instead
        )
    _finish(model, folder)
    return model


def _recorders(
    plan: Plan, folder: RunFolder, images: np.ndarray, training: np.ndarray
) -> list[keras.callbacks.Callback]:
    """The callbacks that record what training does; a checkpoint keeps their states."""
    quality = _quality(plan.config, folder, images, training)
    monitor = _monitor(plan.config, folder, plan.tensorboard, *quality)
    return [IterationCount(), *quality, monitor, HistoryFile(folder.history)]


def _quality(
    config: Config, folder: RunFolder, images: np.ndarray, training: np.ndarray
) -> list[Quality]:
    """The callback that measures against held-out images or, if none are held out, any images."""
    numbers = np.setdiff1d(np.arange(len(images)), training) if config.holdout else training
    if len(numbers) < _LEAST_MEASURED:
        larger = "; let holdout be larger, or 0 to compare with the images of training"
        say(
            f"Quality is not measured, and no best generator kept: there are {len(numbers)} images "
            f"to compare with, and {_LEAST_MEASURED} are needed{larger if config.holdout else ''}."
        )
        return []
    return [
        Quality(
            Subset(images, numbers),
            config.quality_every,
            seed=config.seed,
            last_iteration=config.iterations,
            best=folder.best,
        )
    ]


def _monitor(
    config: Config, folder: RunFolder, tensorboard: bool, quality: Quality | None = None
) -> Monitor:
    image_log = None
    if tensorboard:
        folder.tensorboard.mkdir(exist_ok=True)  # what is in its way, the system says better
        image_log = tf.summary.create_file_writer(str(folder.tensorboard / "images"))
    return Monitor(
        folder.path,
        config.monitor_every,
        config.seed,
        last_iteration=config.iterations,
        image_log=image_log,
        quality=quality,
    )


def _logs(plan: Plan, folder: RunFolder) -> list[keras.callbacks.Callback]:
    if not plan.tensorboard:
        return []
    return [keras.callbacks.TensorBoard(folder.tensorboard, write_graph=False)]


def _begin(folder: RunFolder, checkpoints: CheckpointFolder) -> None:
    """Begin at the beginning, unless there are results whose checkpoints are lost."""
    if folder.has_results() and not checkpoints.has_begun_only():
        raise InputError(
            f"'{folder.path}' holds results, and no checkpoint to go on from: bring back its "
            f"'{folder.checkpoints.name}', or start a new run"
        )
    checkpoints.begin()


def _prepare(folder: RunFolder, plan: Plan, shown: np.ndarray, done: int) -> None:
    """Prepare the folder to go on from iteration `done`; `shown` are some of the real images."""
    # What may have changed: that there are to be more iterations, where the images are.
    folder.write_settings(plan.config)
    folder.update_facts(plan.facts())
    folder.remove_tiles_after(done)
    save_png(image_grid(shown), folder.reals)


def _holds(folder: RunFolder, generator: keras.Model) -> bool:
    """Whether `folder` has this very generator already."""
    try:
        saved = load_generator(folder.generator).get_weights()
    except InputError:  # there is none, or it is damaged
        return False
    weights = generator.get_weights()
    return len(saved) == len(weights) and all(map(np.array_equal, saved, weights))


def _finish(model: WGANGP, folder: RunFolder) -> None:
    generator = portable(model.drawing_generator)
    if not _holds(folder, generator):  # or it would be another file, which no report is of
        with replacing(folder.generator) as unfinished:
            generator.save(unfinished)
    folder.note_generator(model.iterations_done)
    save_png(image_grid(model.generate(_TILES)), folder.samples)
    if tiles := list(folder.tiles().values()):  # a worker has those of this session only
        save_film(tiles, folder.film)
