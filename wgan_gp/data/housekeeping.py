"""What keeps the cache of decoded images small. Only what the cache has written is removed."""

import contextlib
import re
import shutil
import time
from pathlib import Path

import filelock

from wgan_gp.data.cache import ABOUT, LOCK, PIXELS
from wgan_gp.support.whole_files import UNFINISHED

MOST_BYTES = 5_000_000_000  # of all entries together; one that is larger stays alone
_STARTING = 10.0  # seconds in which a process that begins an entry has locked it


def remove_leftovers(cache: Path) -> None:
    """Remove unfinished entries whose process is gone: it would hold their lock."""
    for unfinished in cache.glob(f"{UNFINISHED}*"):
        with contextlib.suppress(OSError, filelock.Timeout):
            age = time.time() - unfinished.stat().st_mtime
            if abs(age) < _STARTING:  # a file server's clock may be ahead
                continue
            with filelock.FileLock(unfinished / LOCK, timeout=0):
                shutil.rmtree(unfinished)


def remove_oldest(cache: Path, used: Path) -> None:
    """Remove the entries not used for longest, until the rest and `used` are within the limit."""
    left = MOST_BYTES - _size(used)
    others = [
        path
        for path in cache.glob("*")  # where there is no such folder any more: nothing
        if re.fullmatch(r"[0-9a-f]{32}", path.name) and path != used
    ]
    for entry in sorted(others, key=_last_used, reverse=True):
        left -= _size(entry)
        if left < 0:
            _remove(entry)


def _size(entry: Path) -> int:
    with contextlib.suppress(OSError):
        return (entry / PIXELS).stat().st_size
    return 0


def _last_used(entry: Path) -> float:
    with contextlib.suppress(OSError):
        return (entry / ABOUT).stat().st_mtime
    return 0.0


def _remove(entry: Path) -> None:
    with contextlib.suppress(OSError):  # Windows keeps what a run still reads
        (entry / PIXELS).unlink(missing_ok=True)
        (entry / ABOUT).unlink(missing_ok=True)
        entry.rmdir()
