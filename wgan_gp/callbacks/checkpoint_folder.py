"""The checkpoints of a run on disk: written whole, verified before use, the newest ones kept.

A checkpoint is a folder such as `iteration-000400`. Its file `SHA256SUMS` holds the digest of every
other file in it, so that `sha256sum --check SHA256SUMS` in there verifies it too.
"""

import hashlib
import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from wgan_gp.support.errors import InputError
from wgan_gp.support.files import sync

_SUMS = "SHA256SUMS"
_UNFINISHED = ".writing"
_CHUNK = 1 << 24  # bytes

_log = logging.getLogger(__name__)


class CheckpointFolder:
    """Reads and writes the checkpoints in `path`.

    Args:
        keep: how many there are at most; the oldest go first.
    """

    def __init__(self, path: Path, keep: int = 3) -> None:
        self.path = path
        self.keep = keep

    def write(self, iteration: int, write_files: Callable[[Path], None]) -> Path:
        """The checkpoint of `iteration`, made of the files that `write_files` puts in a folder.

        It takes its name only when it is on the disk. Then the oldest are removed, and any of a
        later iteration: only a damaged one can be there.
        """
        unfinished = self.path / _UNFINISHED
        shutil.rmtree(unfinished, ignore_errors=True)
        try:
            unfinished.mkdir(parents=True)
            write_files(unfinished)
            _write_sums(unfinished)
            for path in (*unfinished.iterdir(), unfinished):
                sync(path)
            finished = self.path / f"iteration-{iteration:06d}"
            shutil.rmtree(finished, ignore_errors=True)
            unfinished.replace(finished)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
        sync(self.path)
        self._prune(iteration)
        return finished

    def newest(self) -> int:
        """The iteration of the newest checkpoint, sound or not; 0 if there is none."""
        return max(self._all(), default=0)

    def newest_sound(self) -> Path | None:
        """The newest checkpoint that is undamaged; None if there is none at all.

        Raises:
            InputError: there are some, but every one is damaged.
        """
        checkpoints = self._all()
        for iteration in sorted(checkpoints, reverse=True):
            if _is_sound(checkpoints[iteration]):
                return checkpoints[iteration]
            _log.warning("the checkpoint '%s' is damaged: left aside", checkpoints[iteration])
        if checkpoints:
            raise InputError(
                f"every checkpoint in '{self.path}' is damaged: remove that folder to train from "
                f"the beginning"
            )
        return None

    def _all(self) -> dict[int, Path]:
        """Every checkpoint by its iteration."""
        if not self.path.is_dir():
            return {}
        names = ((re.fullmatch(r"iteration-(\d{6,})", p.name), p) for p in self.path.iterdir())
        return {int(name[1]): path for name, path in names if name}

    def _prune(self, iteration: int) -> None:
        checkpoints = self._all()
        past = sorted(i for i in checkpoints if i <= iteration)
        for i in checkpoints.keys() - set(past[-self.keep :]):
            shutil.rmtree(checkpoints[i], ignore_errors=True)


def _write_sums(folder: Path) -> None:
    lines = [f"{_digest(path)}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / _SUMS).write_text("".join(lines), encoding="utf-8")


def _is_sound(folder: Path) -> bool:
    """Whether the files are those that were written, to the last byte."""
    try:
        lines = (folder / _SUMS).read_text(encoding="utf-8").splitlines()
        names = {path.name for path in folder.iterdir()} - {_SUMS}
        return bool(names) and sorted(lines) == sorted(
            f"{_digest(folder / name)}  {name}" for name in names
        )
    except (OSError, ValueError):
        return False


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
