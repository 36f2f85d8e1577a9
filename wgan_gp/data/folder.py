"""A folder of one's own pictures, at any depth."""

import os
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from wgan_gp.data.decoding import OTHER_SUFFIXES, SUFFIXES, decode_file
from wgan_gp.data.source import Pictures, Source, file_contents, file_fingerprint
from wgan_gp.support.errors import InputError

_THREADS = min(8, os.cpu_count() or 1)
_FILES_OF_A_RUN = {"config.json", "run.json"}
_AT_ONCE = 512  # files handed to the decoding threads; all of them would fill the memory


def open_folder(folder: Path) -> Source:
    """The pictures below `folder`: JPEG, PNG, BMP, GIF and WebP files, sorted by path.

    Raises:
        InputError: there is no such folder, or no file with such a suffix in it.
        OSError: one below it cannot be listed.
    """
    if not folder.is_dir():
        raise InputError(
            f"there is no folder '{folder}': data must be 'synthetic', 'tf_flowers' or a "
            f"folder of images (where those of a run have moved, say where they are now)"
        )
    found = _find_pictures(folder)
    files = [path for path in found if path.suffix.lower() in SUFFIXES and path.is_file()]
    others = [path for path in found if path.suffix.lower() in OTHER_SUFFIXES or _is_broken(path)]
    if not files:
        left_out = f"; such as '{others[0].name}' cannot be read: convert them" if others else ""
        raise InputError(
            f"no image found in '{folder}': looked for {' '.join(SUFFIXES)} files{left_out}"
        )
    return Source(
        name=str(folder),
        count=len(files),
        fingerprint=file_fingerprint(files, folder),
        read=partial(_read, folder, files),
        content=partial(file_contents, files, folder),
        left_out=tuple(str(path.relative_to(folder)) for path in others),
    )


def is_among(picture: Path, folder: Path) -> bool:
    """Whether a file at `picture` is, or would be, one of the pictures of `open_folder(folder)`."""
    try:
        return picture.suffix.lower() in SUFFIXES and _is_read_with(picture, folder)
    except (OSError, RecursionError):  # of such a folder `open_folder` reads nothing
        return False


def _is_read_with(picture: Path, folder: Path) -> bool:
    if not folder.is_dir():
        return False
    place = picture.parent.resolve()
    existing = next(parent for parent in (place, *place.parents) if parent.is_dir())
    to_be_made = place.relative_to(existing) / picture.name
    is_hidden = any(part.startswith(".") for part in to_be_made.parts)
    return not is_hidden and any(directory.resolve() == existing for directory, _ in _walk(folder))


def _find_pictures(folder: Path) -> list[Path]:
    """Every file below `folder` with a picture's suffix."""
    suffixes = (*SUFFIXES, *OTHER_SUFFIXES)
    paths = (directory / name for directory, names in _walk(folder) for name in names)
    found = [path for path in paths if path.suffix.lower() in suffixes]
    return sorted(found, key=lambda path: path.parts)  # the same on Windows, which ignores case


def _walk(folder: Path) -> Iterator[tuple[Path, list[str]]]:
    """Each folder from `folder` down, with the names of its files; links are followed.

    What is hidden is left out, and so is the folder of a run, which may lie among the photographs:
    it has pictures of its own.
    """
    visited = set()
    for directory, subdirectories, names in os.walk(folder, onerror=_refuse, followlinks=True):
        is_known = os.path.realpath(directory) in visited  # by a link, such as one back up
        if is_known or _FILES_OF_A_RUN.issubset(names):
            subdirectories.clear()
            continue
        visited.add(os.path.realpath(directory))
        subdirectories[:] = sorted(name for name in subdirectories if not name.startswith("."))
        yield Path(directory), [name for name in names if not name.startswith(".")]


def _is_broken(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


def _refuse(error: OSError) -> None:
    """Do not go on without a folder that cannot be listed, as `os.walk` would."""
    raise error


def _read(folder: Path, files: list[Path], image_size: int) -> Pictures:
    with warnings.catch_warnings(), ThreadPoolExecutor(_THREADS) as pool:
        # Such as of a damaged camera mark, or of a size that `decode_file` judges itself.
        warnings.simplefilter("ignore")
        try:
            for start in range(0, len(files), _AT_ONCE):
                some = files[start : start + _AT_ONCE]
                yield from zip(
                    (str(file.relative_to(folder)) for file in some),
                    pool.map(partial(decode_file, image_size=image_size), some),
                    strict=True,
                )
        finally:  # whoever stops reading early does not wait for the rest
            pool.shutdown(cancel_futures=True)
