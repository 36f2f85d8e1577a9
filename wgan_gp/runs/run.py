"""Starting a run, and going on with one.

model = wgan_gp.train(Config.preset("paper"), "MY_PHOTOS")
model = wgan_gp.resume("runs/0001-custom-MY_PHOTOS", iterations=12_000)
"""

import atexit
import dataclasses
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import tensorflow as tf

from wgan_gp.config import Config
from wgan_gp.data.images import load_image_set
from wgan_gp.data.stream import training_indices
from wgan_gp.imagenet.efficientnet_lite0 import require_weights
from wgan_gp.model import WGANGP
from wgan_gp.runs.cost import memory_remedy
from wgan_gp.runs.devices import all_workers_there, described, is_chief, strategy_of
from wgan_gp.runs.folder import RunFolder
from wgan_gp.runs.plan import Plan, Strategy
from wgan_gp.runs.training import train_in
from wgan_gp.support.errors import InputError
from wgan_gp.support.extras import require
from wgan_gp.support.files import plain_path
from wgan_gp.support.keras_habits import check_backend
from wgan_gp.support.memory import enough_memory
from wgan_gp.support.replicas import check_divisible
from wgan_gp.support.saying import say
from wgan_gp.support.whole_files import UNFINISHED

_RUNS = Path("runs")
_MOST_OF_A_LABEL = 100  # bytes


def train(
    config: Config,
    data: str | Path = "synthetic",
    run_dir: str | Path | None = None,
    *,
    data_dir: str | Path | None = None,
    cache_dir: str | Path | None = None,
    checkpoint_every: int | Literal["epoch"] | None = None,
    keep_checkpoints: int = 3,
    tensorboard: bool = False,
    strategy: Strategy = "auto",
) -> WGANGP:
    """What `wgan-gp train` does: pictures, history and generator in a new folder.

    Args:
        config: every setting, such as `Config.preset("quick")`.
        data: 'synthetic' (drawn flowers), 'tf_flowers', or a folder of images.
        run_dir: the folder; by default the next free one like runs/0001-custom-synthetic.
        data_dir: for tf_flowers, the folder that TensorFlow Datasets prepared it in.
        cache_dir: where decoded images are kept; by default the user's cache folder.
        checkpoint_every: iterations, or "epoch"; None for one in two minutes. See `Checkpoint`.
        keep_checkpoints: how many of the newest to keep.
        tensorboard: also log for TensorBoard, in the folder's `tensorboard`.
        strategy: the devices: 'auto' is every GPU of this machine; see `strategy_of`.

    Returns:
        The trained model.

    Raises:
        InputError: unreadable or too few images, a folder that holds files, too little memory.
        DivergedError: a loss is no longer finite.
        Interrupted: Ctrl-C, SIGTERM or SIGHUP; a checkpoint is written.
        OSError: something cannot be written; the checkpoints are as they were.
    """
    plan = Plan(
        config,
        data=data,
        data_dir=data_dir,
        cache_dir=cache_dir,
        checkpoint_every=checkpoint_every,
        keep_checkpoints=keep_checkpoints,
        tensorboard=tensorboard,
        strategy=strategy,
    )
    return start_run(plan, run_dir).train()


def resume(run_dir: str | Path, **changes: Any) -> WGANGP:
    """Go on with the run in `run_dir` as if it had never stopped, to the bit.

    Args:
        run_dir: the folder of a run, finished or not.
        changes: what is to be other than it was: `iterations` (where the learning rates do not
            fall), `monitor_every`, `quality_every`, `data`, and the arguments of `train` from
            `data_dir` on. The images have to be the same.

    Returns:
        The trained model.

    Raises:
        InputError: no such run, its checkpoints are damaged or gone, its images are not those
            that it was trained on, or a setting is asked for that cannot change.
        DivergedError, Interrupted, OSError: as `train`.
    """
    plan = Plan.of_run(RunFolder.find(Path(run_dir)))
    settings = {name: x for name, x in changes.items() if name in vars(plan.config)}
    others = {name: x for name, x in changes.items() if name not in settings}
    if unknown := others.keys() - (vars(plan).keys() - {"config"}):
        raise TypeError(f"resume() got an unexpected keyword argument '{min(unknown)}'")
    config = dataclasses.replace(plan.config, **settings)
    return resume_run(run_dir, dataclasses.replace(plan, config=config, **others)).train()


class RunImages(NamedTuple):
    """The images of a run."""

    images: np.ndarray  # uint8 (count, image_size, image_size, 3), memory-mapped
    crc32: int  # of all their pixels
    training: np.ndarray  # the indices of those to train on


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that is about to train: its plan, its folder, its images and its devices."""

    plan: Plan
    folder: RunFolder
    images: RunImages
    strategy: tf.distribute.Strategy
    is_new: bool

    @property
    def is_chief(self) -> bool:
        return is_chief(self.strategy)

    def train(self) -> WGANGP:
        """Say what begins, and train to the end of the plan; raises what `train` does."""
        images, crc32, training = self.images
        with (
            self.folder.locked(),
            enough_memory(memory_remedy(self.plan.config)),
            all_workers_there(self.strategy),
        ):
            held_out = len(images) - len(training)
            if self.is_new:  # from here on it is a run, and can be resumed
                self.folder.check_free()  # another may have begun in it meanwhile
                facts = {"images": len(images), "images_crc32": crc32, "images_held_out": held_out}
                facts["generator_sha256"] = None  # there is none
                self.folder.write_facts({**self.plan.facts(), **facts})
                self.folder.write_settings(self.plan.config)
            self._announce(len(training), held_out)
            return train_in(self.folder, self.plan, images, training, self.strategy)

    def _announce(self, count: int, held_out: int) -> None:
        config = self.plan.config
        verb, until = ("Training on", "for") if self.is_new else ("Going on with", "until")
        held = f" ({held_out:,} more are held out)" if held_out else ""
        say(
            f"{verb} {count:,} images of {config.image_size}x{config.image_size}{held} {until} "
            f"{config.iterations:,} generator iterations on {described(self.strategy)}; results: "
            f"{self.folder.path if self.is_chief else 'with the first worker'}"
        )


def start_run(plan: Plan, run_dir: str | Path | None = None) -> Run:
    """A new run in `run_dir` or in the next numbered folder, made once its images are sound.

    Raises:
        InputError: see `train`.
    """
    strategy = _strategy(plan)
    if run_dir and is_chief(strategy):
        RunFolder(plain_path(Path(run_dir))).check_free()  # before it takes minutes to read them
    images = _load_images(plan)
    if not is_chief(strategy):
        folder = _worker_folder()
    elif run_dir:
        folder = RunFolder.create(Path(run_dir))
    else:
        data = re.sub(r"\W+", "-", Path(plan.data).name).strip("-") or "images"
        short = os.fsencode(data)[:_MOST_OF_A_LABEL].decode(errors="ignore")
        folder = RunFolder.create_numbered(_RUNS, f"{plan.preset}-{short}")
    return Run(plan, folder, images, strategy, is_new=True)


def resume_run(run_dir: str | Path, plan: Plan) -> Run:
    """The run in `run_dir`, to go on as `plan` says.

    Raises:
        InputError: see `resume`.
    """
    folder = RunFolder.find(Path(run_dir))
    known = Plan.of_run(folder)
    plan.check_continues(known, folder)
    strategy = _strategy(plan)
    # A run may come from a stranger: where it says that photographs are, they are only read.
    is_known = plan.data_dir is not None and Path(plan.data_dir) == known.data_dir
    images = _load_images(plan, may_prepare=not is_known)
    _check_same(images, plan, known, folder)
    if not is_chief(strategy):
        folder = _worker_folder(folder)
    return Run(plan, folder, images, strategy, is_new=False)


def _check_same(images: RunImages, plan: Plan, known: Plan, folder: RunFolder) -> None:
    """Raise an InputError unless they are the images that the run in `folder` was trained on."""
    (_, facts), count = folder.read(), len(images.images)
    if facts["images_crc32"] == images.crc32:
        return
    difference = f"{count:,}, not {facts['images']:,}"
    if count == facts["images"]:
        difference = "as many, but others or in another order, which their names decide"
    remedy = "make them what they were, name the right ones as data, or start a new run"
    if plan.data == known.data == "synthetic":  # in float32, which CPUs round as they do
        remedy = "this machine draws them otherwise: go on where it began, or start a new run"
    raise InputError(
        f"the images in '{plan.data}' are not those that '{folder.path}' was trained on "
        f"({difference}): {remedy}"
    )


def _strategy(plan: Plan) -> tf.distribute.Strategy:
    strategy = strategy_of(plan.strategy)
    check_divisible(plan.config.batch_size, strategy.num_replicas_in_sync)
    return strategy


def _worker_folder(chief: RunFolder | None = None) -> RunFolder:
    """The folder of a worker that is not the chief: gone when the process ends.

    All workers do the same, since what one of them reads of the metrics or writes in a checkpoint
    needs the others; but only the chief's files are for anybody. It goes on from a copy of those.
    """
    path = Path(tempfile.mkdtemp(prefix="wgan_gp-worker-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    if chief:
        others = (file.name for file in (chief.lock, chief.grids, chief.tensorboard))
        ignore = shutil.ignore_patterns(*others, f"{UNFINISHED}*")
        shutil.copytree(chief.path, path, ignore=ignore, dirs_exist_ok=True)
    return RunFolder(path)


def _load_images(plan: Plan, may_prepare: bool = True) -> RunImages:
    check_backend()
    if plan.tensorboard:
        require("tensorboard", "tensorboard")
    if plan.config.critic_features != "none":
        require_weights()
    images, crc32, _ = load_image_set(
        plan.data,
        plan.config.image_size,
        data_dir=plan.data_dir,
        cache_dir=plan.cache_dir,
        may_prepare=may_prepare,
    )
    # Checked before a folder is made for a run that cannot be.
    return RunImages(images, crc32, training=training_indices(images, plan.config))
