"""The checkpoints of a run on disk: written whole, verified before use, the newest ones kept.

A checkpoint is a folder such as `iteration-000400`. Its file `SHA256SUMS` holds the digests of the
others, so that `sha256sum --check SHA256SUMS` in there verifies it too. What else is put into such
a folder, as file managers do, is left out of account.
"""

import logging
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from wgan_gp.support.errors import InputError
from wgan_gp.support.files import digest, numbered
from wgan_gp.support.whole_files import UNFINISHED, replacing, sync_names

_SUMS = "SHA256SUMS"
_NONE_YET = ".none-yet"  # an empty file, gone with the first checkpoint

_log = logging.getLogger(__name__)


class CheckpointFolder:
    """Reads and writes the checkpoints in `path`.

    Args:
        names: the files that a checkpoint consists of.
        keep: how many there are at most; the oldest go first.
    """

    def __init__(self, path: Path, names: Sequence[str], keep: int = 3) -> None:
        self.path = path
        self.names = sorted(names)
        self.keep = keep

    def make(self) -> None:
        """Make the folder, and those that it is in, before training begins."""
        self.path.mkdir(parents=True, exist_ok=True)

    def begin(self) -> None:
        """Make the folder, which from now on says of itself that there has been no checkpoint."""
        self.path.mkdir(exist_ok=True)
        (self.path / _NONE_YET).touch()

    def has_begun_only(self) -> bool:
        """Whether there has been no checkpoint since `begin`.

        A folder whose checkpoints were lost, or the empty place of a disk that is not mounted, does
        not say so.
        """
        return (self.path / _NONE_YET).exists()

    def write(self, iteration: int, write_files: Callable[[Path], None]) -> None:
        """The checkpoint of `iteration`, made of the files that `write_files` puts in a folder.

        It takes its name only when it is on the disk. Then the oldest are removed: what a later
        good one has superseded, and nothing else.
        """
        self.path.mkdir(exist_ok=True)  # but not what it is in, which may have been moved away
        for leftover in self.path.glob(f"{UNFINISHED}*"):  # of a process that was killed
            shutil.rmtree(leftover, ignore_errors=True)
        with replacing(self.path / f"iteration-{iteration:06d}") as unfinished:
            unfinished.mkdir()
            write_files(unfinished)
            self._write_sums(unfinished)
        (self.path / _NONE_YET).unlink(missing_ok=True)
        sync_names(self.path)
        self._prune(iteration)

    def newest(self) -> int:
        """The iteration of the newest checkpoint, sound or not; 0 if there is none."""
        return max(self._all(), default=0)

    def newest_sound(self) -> Path | None:
        """The newest checkpoint that is undamaged; None if there is none at all.

        Raises:
            InputError: there are some, but every one is damaged.
            OSError: one cannot be read, which says nothing of what is in it.
        """
        checkpoints = self._all()
        for checkpoint in reversed(checkpoints.values()):
            if self._is_sound(checkpoint):
                return checkpoint
            _log.warning("the checkpoint '%s' is damaged: left aside", checkpoint)
        if checkpoints:
            raise InputError(
                f"every checkpoint in '{self.path}' is damaged: bring back a copy of one, or start "
                f"a new run in another folder"
            )
        return None

    def _all(self) -> dict[int, Path]:
        """Every checkpoint by its iteration."""
        found = numbered(self.path, r"iteration-(\d{6,})")
        return {iteration: path for iteration, path in found.items() if path.is_dir()}

    def _prune(self, iteration: int) -> None:
        """Keep the newest up to the one of `iteration`, and any after it."""
        past = [path for i, path in self._all().items() if i <= iteration]
        for path in past[: -self.keep]:
            shutil.rmtree(path, ignore_errors=True)

    def _write_sums(self, folder: Path) -> None:
        (folder / _SUMS).write_bytes(self._sums(folder))

    def _is_sound(self, folder: Path) -> bool:
        """Whether the files are those that were written, to the last byte."""
        try:
            # On Windows Git and earlier versions end lines in \r\n.
            noted = (folder / _SUMS).read_bytes().replace(b"\r\n", b"\n")
            return noted == self._sums(folder)
        except FileNotFoundError:
            return False

    def _sums(self, folder: Path) -> bytes:
        return "".join(f"{digest(folder / name)}  {name}\n" for name in self.names).encode()
