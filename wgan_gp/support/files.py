"""Files and folders as a user names them, and what is in them."""

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from wgan_gp.support.errors import InputError
from wgan_gp.support.whole_files import UNFINISHED

LITTER = {".DS_Store", "desktop.ini", "Thumbs.db"}  # what file managers leave in a folder
_CHUNK = 1 << 24  # bytes


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system says of the file at `path` into an InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror or error}") from error


def plain_path(path: Path) -> Path:
    """`path` without a leading `~` or `~user`; raises an InputError if nobody is called so.

    `new/../a` becomes `a`: until there is a folder `new`, the system would not find it.
    """
    try:
        path = path.expanduser()
        return path.resolve() if ".." in path.parts and not os.path.lexists(path) else path
    except (RuntimeError, ValueError) as error:  # no such user; a character that no name has
        raise InputError(f"{str(path)!r} cannot be found: {error}") from error


def entries(folder: Path) -> set[Path]:
    """The entries of `folder`, if there is one, without litter and what was never finished."""
    inside = folder.iterdir() if folder.is_dir() else ()
    return {
        path for path in inside if path.name not in LITTER and not path.name.startswith(UNFINISHED)
    }


def numbered(folder: Path, pattern: str) -> dict[int, Path]:
    """The entries of `folder`, if there is one, with names like `pattern`, by the number in it."""
    inside = folder.iterdir() if folder.is_dir() else ()
    names = ((re.fullmatch(pattern, path.name), path) for path in inside)
    return dict(sorted((int(name[1]), path) for name, path in names if name))


def digest(path: Path) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits."""
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
    return sha256.hexdigest()
