"""Files and folders that are there whole or not at all, however the program or the machine ends."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place beside `path` to write a file or a folder to, which then becomes `path`."""
    unfinished = path.with_name(f".writing-{path.name}")
    _remove(unfinished)
    try:
        yield unfinished
        sync(unfinished)
        if unfinished.is_dir():  # which, unlike a file, cannot take the place of another
            _remove(path)
        unfinished.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            _remove(unfinished)
        raise
    sync(path.parent)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until the file or the folder's list of names is on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
