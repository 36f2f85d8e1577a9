"""What the commands do.

TensorFlow, and with it most of the package, is imported where it is needed: it takes seconds, which
`--help` and a mistake should not cost.
"""

import contextlib
import re
import shlex
import zlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from wgan_gp.config import Config
from wgan_gp.errors import DivergedError, InputError, Interrupted
from wgan_gp.extras import require
from wgan_gp.options import Export, Generate, Interpolate, OutputOptions, Train
from wgan_gp.quiet_tensorflow import load_tensorflow
from wgan_gp.run_folder import RunFolder

_RUNS = Path("runs")


def train(command: Train) -> None:
    """Start a run, or go on with one."""
    config, data, output = command.config(), command.data, command.output
    _check_output(output)
    if output.resume:
        command.check_resumes(RunFolder.find(output.run_dir))
    load_tensorflow()
    if output.dry_run:
        _print_plan(config)
        return
    from wgan_gp.dataset import check_images
    from wgan_gp.images import load_images
    from wgan_gp.training import train

    images = load_images(
        data.data, config.image_size, data_dir=data.data_dir, cache_dir=data.cache_dir
    )
    check_images(images, config)  # before a folder is made for a run that cannot be
    facts = {**command.facts(), "images": len(images), "images_crc32": zlib.crc32(images)}
    folder = _folder(command, facts)
    with _resumable(folder), folder.locked():
        folder.update_facts(facts)
        _announce(command, len(images), folder)
        train(
            config,
            images,
            folder,
            tensorboard=output.tensorboard,
            checkpoint_every=output.checkpoint_every,
            keep_checkpoints=output.keep_checkpoints,
        )
    print(f"Done. New images: {folder.samples}, how they came about: {folder.film}")


def generate(command: Generate) -> None:
    """Make images with the generator of a run."""
    load_tensorflow()
    from wgan_gp.pictures import image_grid, save_png, save_pngs
    from wgan_gp.sampling import generate_images, load_generator

    output = command.output
    is_one_file = output.suffix.lower() == ".png"
    if output.suffix and not is_one_file:
        raise InputError(f"--output takes a FILE.png or a folder, not '{output}'")
    generator = load_generator(command.run_dir)
    is_taken = output.exists() if is_one_file else output.is_dir() and any(output.iterdir())
    _check_free(output, is_taken and not command.overwrite)
    images = generate_images(generator, command.count, command.seed)
    with _writing(output):
        if is_one_file:
            output.parent.mkdir(parents=True, exist_ok=True)
            save_png(image_grid(images), output)
        else:
            save_pngs(images, output)
    print(f"{command.count} images: {output}")


def interpolate(command: Interpolate) -> None:
    """Make a film of a walk between latents."""
    load_tensorflow()
    from wgan_gp.sampling import load_generator
    from wgan_gp.walk import check_film, save_walk, walk

    output = command.output
    check_film(output)
    _check_free(output, output.exists() and not command.overwrite)
    frames = walk(
        load_generator(command.run_dir),
        command.stations,
        command.frames,
        command.tiles,
        command.seed,
    )
    with _writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        save_walk(frames, output)
    print(f"{len(frames)} pictures, which repeat: {output}")


def export(command: Export) -> None:
    """Write the generator of a run in another format."""
    load_tensorflow()
    from wgan_gp.export import export_run

    if command.float16 and command.format != "litert":
        raise InputError(f"--float16 goes with --format litert, not with {command.format}")
    output = command.path()
    with _writing(output):
        difference = export_run(
            RunFolder.find(command.run_dir),
            command.format,
            output,
            float16=command.float16,
            overwrite=command.overwrite,
        )
    print(
        f"{output}: differs from the generator by at most {difference:.1g} on 64 images; facts: "
        f"{output}.json, {output.with_name('MODEL_CARD.md')}"
    )


def _check_free(output: Path, is_taken: bool) -> None:
    if is_taken:
        raise InputError(f"'{output}' exists already: choose another --output or add --overwrite")


@contextlib.contextmanager
def _writing(output: Path) -> Iterator[None]:
    """Say in one sentence that `output` cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(f"'{output}' cannot be written: {error.strerror or error}") from error


def _check_output(output: OutputOptions) -> None:
    if output.tensorboard:
        require("tensorboard", "tensorboard")
    if output.resume and not output.run_dir:
        raise InputError("--resume needs --run-dir: the folder of the run to go on with")
    every = output.checkpoint_every
    if isinstance(every, int) and every < 1:
        raise InputError(
            f"--checkpoint-every must be at least 1 iteration, or 'epoch', not {every}"
        )
    if output.keep_checkpoints < 1:
        raise InputError(f"--keep-checkpoints must be at least 1, not {output.keep_checkpoints}")


def _folder(command: Train, facts: dict) -> RunFolder:
    """The folder of the run: the one to go on with, or a new one."""
    run_dir = command.output.run_dir
    if command.output.resume:
        folder = RunFolder.find(run_dir)
        if folder.read()[1].get("images_crc32") != facts["images_crc32"]:
            raise InputError(
                f"the images in '{command.data.data}' are not those that '{run_dir}' was trained "
                f"on: bring them back, name the right ones with --data, or start a new run"
            )
        return folder
    if run_dir:
        return RunFolder.create(run_dir)
    data = re.sub(r"\W+", "-", Path(command.data.data).name).strip("-") or "images"
    return RunFolder.create_numbered(_RUNS, f"{command.preset}-{data}")


@contextlib.contextmanager
def _resumable(folder: RunFolder) -> Iterator[None]:
    """Say how to go on when training does not come to its end."""
    how = f"go on with: wgan-gp train --run-dir {shlex.quote(str(folder.path))} --resume"
    try:
        yield
    except Interrupted as error:
        raise Interrupted(error.signal, f"{error}; {how}") from error
    except DivergedError as error:
        raise DivergedError(f"{error}; the last good checkpoints: {folder.checkpoints}") from error
    except OSError as error:
        raise InputError(
            f"'{error.filename or folder.path}' cannot be written ({error.strerror or error}): "
            f"when that is mended, {how}"
        ) from error


def _announce(command: Train, images: int, folder: RunFolder) -> None:
    config, verb = command.config(), "Going on with" if command.output.resume else "Training on"
    print(
        f"{verb} {images:,} images of {config.image_size}x{config.image_size} for "
        f"{config.iterations:,} generator iterations on the {_device()}; results: {folder.path}\n"
        f"The first iteration builds the graph and can take half a minute.",
        flush=True,
    )


def _device() -> str:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")


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
