"""The command line.

wgan-gp train --preset paper --data FOLDER
wgan-gp generate --run-dir runs/0001-paper-FOLDER --count 25 --output flowers.png
"""

import argparse
import contextlib
import dataclasses
import importlib.util
import json
import os
import re
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, NoReturn, get_args

import tyro
from tyro import conf

from wgan_gp.config import PRESETS, Config, PresetName
from wgan_gp.errors import DivergedError, InputError
from wgan_gp.run_folder import RunFolder

# TensorFlow, and with it most of the package, is imported by the commands themselves: it takes
# seconds, which `--help` and a mistyped option should not cost.

_RUNS = Path("runs")


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """Where the images come from."""

    data: str = "synthetic"  # 'synthetic' (drawn flowers), 'tf_flowers', or a folder of images
    data_dir: Path | None = None  # for tf_flowers: folder that TensorFlow Datasets prepared it in
    cache_dir: Path | None = None  # folder for decoded images; by default the user's cache


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """What the run leaves, and where."""

    run_dir: Path | None = None  # new folder for the results; by default runs/0001-PRESET-DATA
    tensorboard: bool = False  # also log for TensorBoard, in RUN_DIR/tensorboard
    dry_run: bool = False  # print settings, layers and the estimated cost, and stop


@dataclasses.dataclass(frozen=True)
class Settings(Config):
    """Single settings, in place of the preset's."""

    def __post_init__(self) -> None:
        """Leave the check to `Train.config`: an error in here would read as one of the parser."""


@dataclasses.dataclass(frozen=True)
class Train:
    """Train a WGAN-GP on images and leave pictures, history and generator in a run folder."""

    preset: PresetName = "quick"  # settings to start from; those below override single ones
    data: DataOptions = DataOptions()
    output: OutputOptions = OutputOptions()
    settings: Settings = Settings()

    def config(self) -> Config:
        """The settings of the run; raises an InputError if one is out of its range."""
        return Config(**dataclasses.asdict(self.settings))


@dataclasses.dataclass(frozen=True)
class Generate:
    """Make new images with the generator of a run."""

    run_dir: Path  # folder of a finished run
    count: int = 25  # images to make
    seed: int = 0  # decides the images: the same seed gives the same ones
    output: Path = Path("generated.png")  # FILE.png for one tiled picture, or a folder for many
    overwrite: bool = False  # replace an output that exists


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command in `arguments`, by default those of the process, and exit."""
    command = _parse(sys.argv[1:] if arguments is None else arguments)
    try:
        {Train: _train, Generate: _generate}[type(command)](command)
    except InputError as error:
        _exit(error, status=2)
    except DivergedError as error:
        _exit(error, status=1)
    except KeyboardInterrupt:
        _exit("stopped", status=130)


def _parse(arguments: Sequence[str]) -> Train | Generate:
    """The command in `arguments`; without any, `train` with its defaults."""
    arguments = list(arguments) or ["train"]
    preset = _preset_in(arguments)
    start = Train(preset, settings=Settings(**PRESETS[preset]))
    return tyro.cli(
        Annotated[Train, conf.subcommand("train", default=start)]
        | Annotated[Generate, conf.subcommand("generate")],
        prog="wgan-gp",
        description="Train a Wasserstein GAN with gradient penalty on images, and use it.",
        args=arguments,
        config=(conf.FlagCreatePairsOff, conf.OmitArgPrefixes),
    )


def _preset_in(arguments: list[str]) -> PresetName:
    """The preset asked for, which decides the defaults of the other options."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--preset", choices=get_args(PresetName), default="quick")
    try:
        return parser.parse_known_args(arguments)[0].preset
    except argparse.ArgumentError:  # no such preset: the real parser says so, and better
        return "quick"


def _train(command: Train) -> None:
    config, data = command.config(), command.data
    if command.output.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise InputError("--tensorboard needs a package that is missing: pip install tensorboard")
    _load_tensorflow()
    from wgan_gp.dataset import check_images
    from wgan_gp.images import load_images
    from wgan_gp.training import train

    if command.output.dry_run:
        _print_plan(config)
        return
    images = load_images(
        data.data, config.image_size, data_dir=data.data_dir, cache_dir=data.cache_dir
    )
    check_images(images, config)  # before a folder is made for a run that cannot be
    folder = _run_folder(command)
    facts = {"preset": command.preset, "data": data.data, "images": len(images)}
    folder.facts.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    print(
        f"Training on {len(images):,} images of {config.image_size}x{config.image_size} for "
        f"{config.iterations:,} generator iterations on the {_device()}; results: {folder.path}\n"
        f"The first iteration builds the graph and can take half a minute.",
        flush=True,
    )
    train(config, images, folder, command.output.tensorboard)
    print(f"Done. New images: {folder.samples}, how they came about: {folder.film}")


def _print_plan(config: Config) -> None:
    """The settings, the layers and the estimated cost of a run."""
    from wgan_gp.cost import iteration_tflop, matrix_product_tflops
    from wgan_gp.networks import build_critic, build_generator

    generator, critic = build_generator(config), build_critic(config)
    print(config.to_json())
    generator.summary()
    critic.summary()
    tflop = iteration_tflop(config, generator, critic)
    speed = matrix_product_tflops()
    print(
        f"Cost: {tflop:.3g} TFLOP an iteration, {tflop * config.iterations:,.4g} TFLOP in all.\n"
        f"At the {speed:.2g} TFLOP/s of a large matrix product on this machine that is at least "
        f"{tflop / speed:.2g} s an iteration and "
        f"{timedelta(seconds=round(config.iterations * tflop / speed))} (h:mm:ss) in all; narrow "
        f"layers take longer."
    )


def _device() -> str:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")


def _run_folder(command: Train) -> RunFolder:
    if command.output.run_dir:
        return RunFolder.create(command.output.run_dir)
    data = re.sub(r"\W+", "-", Path(command.data.data).name).strip("-") or "images"
    return RunFolder.create_numbered(_RUNS, f"{command.preset}-{data}")


def _generate(command: Generate) -> None:
    _load_tensorflow()
    from wgan_gp.pictures import image_grid, save_png, save_pngs
    from wgan_gp.sampling import generate_images, load_generator

    output = command.output
    is_one_file = output.suffix.lower() == ".png"
    if output.suffix and not is_one_file:
        raise InputError(f"--output takes a FILE.png or a folder, not '{output}'")
    generator = load_generator(command.run_dir)
    is_taken = output.exists() if is_one_file else output.is_dir() and any(output.iterdir())
    if is_taken and not command.overwrite:
        raise InputError(f"'{output}' exists already: choose another --output or add --overwrite")
    images = generate_images(generator, command.count, command.seed)
    try:
        if is_one_file:
            output.parent.mkdir(parents=True, exist_ok=True)
            save_png(image_grid(images), output)
        else:
            save_pngs(images, output)
    except OSError as error:
        raise InputError(f"'{output}' cannot be written: {error.strerror or error}") from error
    print(f"{command.count} images: {output}")


def _load_tensorflow() -> None:
    """Import TensorFlow and find the devices, without the notes that it prints meanwhile.

    Whoever has set its log level has asked to read them.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    is_quiet = "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with _silent_stderr() if is_quiet else contextlib.nullcontext():
        import tensorflow as tf

        tf.config.list_logical_devices()


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Discards what native code writes to the process's standard error."""
    stderr = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _exit(message: object, status: int) -> NoReturn:
    print(f"wgan-gp: {message}", file=sys.stderr)
    sys.exit(status)
