"""One process at a time for what is being written."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import filelock

from wgan_gp.support.errors import InputError
from wgan_gp.support.whole_files import UNFINISHED


@contextlib.contextmanager
def alone(path: Path, wait: float = 0) -> Iterator[None]:
    """Keep other processes from writing `path` meanwhile, in a folder that is made if need be.

    Raises an InputError if another one does, for longer than `wait` seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]  # of a name that may be long
    lock = path.with_name(f"{UNFINISHED}{name}.lock")
    try:
        with filelock.FileLock(lock, timeout=wait):
            try:
                yield
            finally:
                with contextlib.suppress(OSError):  # Windows removes it afterwards
                    lock.unlink()
    except filelock.Timeout as error:
        raise InputError(f"another process is writing '{path}'") from error
