"""What every source of training images offers."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wgan_gp.support.files import digest
from wgan_gp.support.progress_bar import progress_bar

# Pictures in order, each with the name a message would give it; None where it cannot be read.
Pictures = Iterator[tuple[str, np.ndarray | None]]


@dataclass(frozen=True)
class Source:
    """Somewhere that training images come from."""

    name: str  # "synthetic", "tf_flowers" or the folder's path
    count: int  # pictures to read, before any proves unreadable
    fingerprint: str  # another one whenever the pictures could be others
    read: Callable[[int], Pictures]  # image size -> pictures, uint8 (size, size, 3)
    # What the pictures are, whenever and wherever they were written. None: the fingerprint says it.
    content: Callable[[], str] | None = None
    left_out: tuple[str, ...] = ()  # pictures of other formats, and links that lead nowhere


def file_fingerprint(files: Iterable[Path], root: Path) -> str:
    """A digest of which files there are below `root`, and of the state of each.

    Size and times stand for the content, so that a set too large to be read in a moment is still
    recognised in one: whoever writes a file changes its times. When they have changed, only
    `file_contents` knows whether the pictures have.
    """
    states = []
    for file in files:
        stat = file.stat()
        name = str(file.relative_to(root))
        states.append((name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    return hashlib.sha256(json.dumps(sorted(states)).encode()).hexdigest()


def file_contents(files: Iterable[Path], root: Path) -> str:
    """A digest of which files there are below `root`, and of what is in each."""
    # Silent where it takes a moment only.
    shown = progress_bar(files, desc="Looking for changed pictures", unit=" files", delay=2)
    contents = sorted((str(file.relative_to(root)), digest(file)) for file in shown)
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()
