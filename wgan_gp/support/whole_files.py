"""Files and folders that are there whole or not at all, however the program or the machine ends."""

import contextlib
import errno
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

UNFINISHED = ".writing-"  # how the name of what is being written begins
_MOST_OF_A_NAME = 200  # bytes; a whole name has at most 255
# Windows writes a folder's list of names by itself and does not let it be opened.
_FOLDERS_SYNC = os.name != "nt"
# What some shared folders answer: they cannot, which is no failure.
_CANNOT_SYNC = {errno.EINVAL, errno.EBADF, errno.ENOTSUP}
# Seconds. On Windows a file cannot be replaced while another program reads it, such as a virus
# scanner or whoever looks at a picture.
_WAITS = (0.1, 0.4, 1.5, 6) if os.name == "nt" else ()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A place beside `path` to write a file or a folder to, which then becomes `path`."""
    unfinished = _unfinished(path)
    _remove(unfinished)
    recover(path)
    try:
        yield unfinished
        sync(unfinished)
        _put_in_place(unfinished, path)
    except BaseException:
        with contextlib.suppress(OSError):
            _remove(unfinished)
        raise
    sync_names(path.parent)


@contextlib.contextmanager
def replacing_in(folder: Path) -> Iterator[Path]:
    """A place in `folder` to write files to, which then take their places in it without a pause."""
    unfinished = folder / f"{UNFINISHED}files"
    _remove(unfinished)
    unfinished.mkdir()
    try:
        yield unfinished
        sync(unfinished)
        for file in sorted(unfinished.iterdir()):
            _rename(file, folder / file.name)
    finally:
        with contextlib.suppress(OSError):
            _remove(unfinished)
    sync_names(folder)


def write_whole(path: Path, content: str | bytes) -> None:
    """Write `content`, a text as UTF-8, to `path`, whole or not at all."""
    with replacing(path) as unfinished:
        unfinished.write_bytes(content.encode() if isinstance(content, str) else content)


def _shortened(name: str) -> str:
    """`name`, or the end of one that would be too long with something before it."""
    encoded = os.fsencode(name)
    is_short = len(encoded) <= _MOST_OF_A_NAME
    return name if is_short else encoded[-_MOST_OF_A_NAME:].decode(errors="ignore")


def _unfinished(path: Path) -> Path:
    return path.with_name(UNFINISHED + _shortened(path.name))


def recover(path: Path) -> None:
    """Finish, or undo, the replacement of the folder at `path` where a kill has cut it short.

    (`replacing` does so itself.)
    """
    unfinished = _unfinished(path)
    former = _former(unfinished)
    if not os.path.lexists(former):
        return
    if not os.path.lexists(path):
        _rename(former, path)
        return
    # Under the other name first: what a kill leaves of it there is never put back.
    _remove(unfinished)
    _rename(former, unfinished)
    _remove(unfinished)


def _former(unfinished: Path) -> Path:
    """Where a folder is for the moment in which another takes its place."""
    return unfinished.with_name(f"{unfinished.name}-former")


def _put_in_place(unfinished: Path, path: Path) -> None:
    """Let `unfinished` become `path`, which, if that fails, is what it was."""
    if not (unfinished.is_dir() and os.path.lexists(path)):
        _rename(unfinished, path)
        return
    # A folder, unlike a file, cannot take the place of another.
    try:
        _rename(path, _former(unfinished))
        _rename(unfinished, path)
    finally:
        recover(path)


def _rename(old: Path, new: Path) -> None:
    for wait in _WAITS:
        try:
            old.replace(new)
            return
        except PermissionError:
            time.sleep(wait)
    old.replace(new)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Wait until a file, or a folder with all that is in it, is on the disk itself."""
    if not path.is_dir():
        _sync(path, os.O_RDWR)  # Windows asks for the right to write
        return
    for inner in path.iterdir():
        sync(inner)
    sync_names(path)


def sync_names(folder: Path) -> None:
    """Wait until the list of names in `folder` is on the disk itself."""
    if not _FOLDERS_SYNC:
        return
    try:
        _sync(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
