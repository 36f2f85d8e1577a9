"""What the commands do.

TensorFlow, and with it most of the package, is imported where it is needed: it takes seconds, which
`--help` and a mistake should not cost.
"""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from wgan_gp.cli.dry_run import print_plan
from wgan_gp.cli.going_on import resumable
from wgan_gp.cli.options import Evaluate, Export, Generate, Interpolate, Train
from wgan_gp.runs.folder import RunFolder
from wgan_gp.runs.plan import Plan
from wgan_gp.support.alone import alone
from wgan_gp.support.errors import InputError
from wgan_gp.support.files import entries, plain_path
from wgan_gp.support.quiet_tensorflow import load_tensorflow
from wgan_gp.support.saying import answer, say
from wgan_gp.support.whole_files import UNFINISHED

_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def train(command: Train) -> None:
    """Start a run, or go on with one."""
    plan, output = command.plan(), command.output
    if output.resume:
        folder = RunFolder.find(output.run_dir)
        plan.check_continues(Plan.of_run(folder), folder)
    elif output.dry_run and output.run_dir:
        RunFolder(plain_path(output.run_dir)).check_free()
    load_tensorflow(find_devices=plan.strategy != "multi-worker")
    if output.dry_run:
        print_plan(plan, done=folder.newest_checkpoint() if output.resume else 0)
        return
    from wgan_gp.runs.run import resume_run, start_run

    run = resume_run(output.run_dir, plan) if output.resume else start_run(plan, output.run_dir)
    with resumable(run):
        run.train()
    if run.is_chief:
        say(f"Done. New images: {run.folder.samples}, how they came about: {run.folder.film}")


def generate(command: Generate) -> None:
    """Make images with a trained generator."""
    folder, output = command.folder(), plain_path(command.output)
    is_one_file = output.suffix.lower() == ".png"
    if not (is_one_file or output.is_dir()):
        _check_new_folder(output)
    load_tensorflow()
    from wgan_gp.pictures import check_free, image_grid, save_png, save_pngs
    from wgan_gp.sampling import generate_images
    from wgan_gp.support.memory import enough_memory

    generator = folder.load_generator(command.best)
    first = output / "00000.png"
    with _writing(output):
        _check_apart(output if is_one_file else first, folder)
    place = first if output.is_dir() else output  # what is around a folder may be read-only
    with _writing(output), alone(place), enough_memory("lower --count"):
        is_taken = os.path.lexists(output) if is_one_file else bool(entries(output))
        _check_not_taken(output, is_taken and not command.overwrite)
        if not is_one_file:
            check_free(output, command.count)
        images = generate_images(generator, command.count, command.seed)
        if is_one_file:
            save_png(image_grid(images), output)
        else:
            save_pngs(images, output)
    say(f"{command.count} image{'s' if command.count > 1 else ''}: {output}")


def evaluate(command: Evaluate) -> None:
    """Measure the generator of a run."""
    folder = RunFolder.find(command.run_dir)
    load_tensorflow()
    from wgan_gp.runs.evaluating import evaluate_run
    from wgan_gp.support.memory import enough_memory

    asked = command.metrics
    remedy = "its report is kept there, so measure a copy of the folder"
    with _writing(folder.path, remedy), enough_memory("lower --count"):
        report = evaluate_run(
            folder,
            None if asked is None else [name.strip() for name in asked.split(",")],
            command.features,
            data=command.data,
            data_dir=command.data_dir,
            cache_dir=command.cache_dir,
            count=command.count,
            seed=command.seed,
            best=command.best,
        )
    answer(str(report))
    quality, nearest = folder.report_files(command.best)
    say(f"Kept in {quality}" + (f"; {nearest}" if report.pairs is not None else ""))


def interpolate(command: Interpolate) -> None:
    """Make a film of a walk between latents."""
    folder, output = command.folder(), plain_path(command.output)
    load_tensorflow()
    from wgan_gp.export.walk import check_film, save_walk, walk
    from wgan_gp.support.memory import enough_memory

    check_film(output)
    generator = folder.load_generator(command.best)
    with _writing(output):
        _check_apart(output, folder)
    remedy = "lower --tiles, --stations or --frames"
    with _writing(output), alone(output), enough_memory(remedy):
        _check_not_taken(output, os.path.lexists(output) and not command.overwrite)
        frames = walk(generator, command.stations, command.frames, command.tiles, command.seed)
        save_walk(frames, output)
    say(f"{len(frames)} frames, in a loop: {output}")


def export(command: Export) -> None:
    """Write a trained generator in another format."""
    if command.float16 and command.format != "litert":
        raise InputError(f"--float16 goes with --format litert, not with {command.format}")
    folder, output = command.folder(), command.path()
    load_tensorflow()
    from wgan_gp.runs.exporting import CHECKED, export_run
    from wgan_gp.support.memory import enough_memory

    with _writing(output), enough_memory("take a larger machine, or a smaller generator"):
        difference = export_run(
            folder,
            command.format,
            output,
            float16=command.float16,
            overwrite=command.overwrite,
            best=command.best,
        )
    say(
        f"{output} ({command.format}): differs from the generator by at most {difference:.1g} on "
        f"{CHECKED} images; facts: {output}.json, {output}.md"
    )


def _check_new_folder(output: Path) -> None:
    if os.path.lexists(output):
        raise InputError(f"--output takes a FILE.png or a folder, and '{output}' is neither")
    if output.suffix:
        raise InputError(
            f"--output takes a FILE.png or a folder, not '{output}': a new folder's name has no dot"
        )


def _check_not_taken(output: Path, is_taken: bool) -> None:
    if is_taken:
        raise InputError(f"'{output}' exists already: choose another --output or add --overwrite")


def _check_apart(picture: Path, folder: RunFolder) -> None:
    """Raise an InputError if the run in `folder` would lose a file to `picture`, or train on it.

    With another one to train on it could not be resumed.
    """
    from wgan_gp.data.folder import is_among

    folder.check_apart(picture)
    data = Path(Plan.of_run(folder).data)
    if data.is_absolute() and is_among(picture, data):  # else it is no folder: see `Plan.facts`
        raise InputError(
            f"'{picture}' would be one of the images in '{data}' that the run trains on: choose "
            f"another --output"
        )


@contextlib.contextmanager
def _writing(output: Path, remedy: str = "choose another --output") -> Iterator[None]:
    """Say in one sentence that `output` cannot be written, and what to do if it may not be."""
    try:
        yield
    except BrokenPipeError:  # nobody sees the progress any more
        raise
    except (FileExistsError, NotADirectoryError) as error:
        why = "a file, or a link that leads nowhere, stands where one of its folders should"
        raise InputError(f"'{output}' cannot be written: {why}") from error
    except OSError as error:
        why = error.strerror or str(error)
        if error.errno in _FORBIDDEN:
            # Left by a process of another user, in a folder where only its owner may remove it.
            left = error.filename if UNFINISHED in str(error.filename) else ""
            why += f", as '{left}' is in the way" if os.path.lexists(left) else ""
            why += f"; {remedy}"
        raise InputError(f"'{output}' cannot be written: {why}") from error
