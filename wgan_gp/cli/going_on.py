"""What to say where training does not come to its end: why, and how to go on."""

import contextlib
import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from wgan_gp.runs.plan import Plan
from wgan_gp.support.errors import DivergedError, InputError, Interrupted, TooLittleMemoryError

if TYPE_CHECKING:  # it needs TensorFlow
    from wgan_gp.runs.run import Run


@contextlib.contextmanager
def resumable(run: "Run") -> Iterator[None]:
    """Say how to go on when training does not come to its end."""
    folder = run.folder
    try:
        yield
    except Interrupted as error:
        raise Interrupted(error.signal, f"{error}; {_how_to_go_on(run)}") from error
    except KeyboardInterrupt as error:  # at a second signal, or while the results are written
        raise Interrupted(signal.SIGINT, f"stopped; {_how_to_go_on(run)}") from error
    except DivergedError as error:
        are_there = run.is_chief and folder.newest_checkpoint()
        where = f"; the last good checkpoints: {folder.checkpoints}" if are_there else ""
        raise DivergedError(f"{error}{where}") from error
    except TooLittleMemoryError as error:
        # In the middle of a run it is others that have taken the memory.
        remedy = f"; or {_how_to_go_on(run)}" if folder.newest_checkpoint() else ""
        raise InputError(f"{error}{remedy}") from error
    except OSError as error:
        place = error.filename2 or error.filename  # the second of them is to be replaced
        path = place if os.path.lexists(folder.path) else None
        raise InputError(
            f"'{path or folder.path}' cannot be used ({error.strerror or error}): "
            f"when that is mended, {_how_to_go_on(run)}"
        ) from error


def _how_to_go_on(run: "Run") -> str:
    if not run.is_chief:  # its folder is a copy, and goes with this process
        return "start this worker again with --resume, like the first one"
    if os.path.lexists(run.folder.path) and not os.path.lexists(run.folder.config_file):
        return "start it again"
    if not _is_noted(run):
        return "give the same command again"
    words = ["wgan-gp", "train", *_option("--run-dir", run.folder.path), "--resume"]
    if run.plan.cache_dir:
        words += _option("--cache-dir", run.plan.cache_dir)
    if run.plan.strategy != "auto":
        words += _option("--strategy", run.plan.strategy)
    command = subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
    return f"go on with: {command}"


def _is_noted(run: "Run") -> bool:
    """Whether the folder holds what this session was told, or still what the one before was."""
    try:
        known = Plan.of_run(run.folder)
    except InputError:  # its disk may be what has failed
        return True
    return (known.config, known.facts()) == (run.plan.config, run.plan.facts())


def _option(name: str, value: Path | str) -> list[str]:
    """The words for it: one alone where the value would read as an option."""
    return [f"{name}={value}"] if str(value).startswith("-") else [name, str(value)]
