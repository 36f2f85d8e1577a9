"""Decoded images on disk: read back by memory-mapping, so that no set is too large.

An entry is a folder: `images.uint8` holds the pixels of one image after another, `about.json` says
how many there are, their checksum, and which files could not be read. It is named for the content
of the pictures. To read that takes a while, so `about.json` also says which states of the files
(sizes and times) were seen to have it.
"""

import contextlib
import json
import os
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import filelock
import numpy as np

from wgan_gp.data.source import Pictures
from wgan_gp.support.errors import MALFORMED
from wgan_gp.support.whole_files import UNFINISHED, write_whole

PIXELS = "images.uint8"
ABOUT = "about.json"
LOCK = "lock"  # in the folder of an unfinished entry; its process holds it
_MOST_STATES = 16  # that an entry remembers
_CHUNK = 1 << 24  # bytes


class ImageSet(NamedTuple):
    """The images of a source, and what is known of them."""

    images: np.ndarray  # uint8 (count, height, width, 3), memory-mapped
    crc32: int  # of all their pixels, one image after another
    unreadable: list[str]  # the names of the pictures that are left out


def read_entry(entry: Path) -> ImageSet | None:
    """The images of `entry`, whose checksum is verified; None if they are absent or damaged.

    Raises:
        OSError: they cannot be read, which says nothing of what they are.
    """
    try:
        about = json.loads((entry / ABOUT).read_text(encoding="utf-8"))
        with (entry / PIXELS).open("rb") as file:
            # Before it is read: another process may remove it, but not from here.
            pixels = np.memmap(file, np.uint8, mode="r")
            file.seek(0)
            checksum = _checksum(file)
        if checksum != about["crc32"]:
            return None
        return ImageSet(pixels.reshape(about["shape"]), checksum, list(about["unreadable"]))
    except (FileNotFoundError, NotADirectoryError, *MALFORMED):
        return None


def write_entry(entry: Path, pictures: Pictures) -> None:
    """Write the readable pictures to `entry`, which appears whole or, if none is, not at all."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=entry.parent) as temporary,
        filelock.FileLock(Path(temporary, LOCK)),
    ):
        unfinished = Path(temporary, "entry")
        unfinished.mkdir()
        with (unfinished / PIXELS).open("wb") as file:
            about = _write_pixels(file, pictures)
        if not about["shape"][0]:
            return
        (unfinished / ABOUT).write_text(json.dumps(about), encoding="utf-8")
        if read_entry(entry) is None:
            shutil.rmtree(entry, ignore_errors=True)  # a damaged one
        try:
            unfinished.replace(entry)
        except OSError:
            if read_entry(entry) is None:
                raise
            # Another process was faster; its images are the same.


def find_entry(cache: Path, state: str) -> Path | None:
    """The entry of the pictures whose files are in `state`, if they were seen so before."""
    for file in cache.glob(f"*/{ABOUT}"):
        with contextlib.suppress(OSError, *MALFORMED):
            if state in json.loads(file.read_text(encoding="utf-8"))["states"]:
                return file.parent
    return None


def note_use(entry: Path, state: str) -> None:
    """Remember that `entry` is in use, for files in `state`; nothing is lost if that fails."""
    with contextlib.suppress(OSError, *MALFORMED):
        about = json.loads((entry / ABOUT).read_text(encoding="utf-8"))
        states = about.get("states", [])
        if state in states:
            os.utime(entry / ABOUT)
            return
        about["states"] = [*states, state][-_MOST_STATES:]
        write_whole(entry / ABOUT, json.dumps(about))


def _write_pixels(file: BinaryIO, pictures: Pictures) -> dict[str, Any]:
    crc32, count, shape, unreadable = 0, 0, (), []
    for name, picture in pictures:
        if picture is None:
            unreadable.append(name)
            continue
        pixels = picture.tobytes()
        file.write(pixels)
        crc32 = zlib.crc32(pixels, crc32)
        count, shape = count + 1, picture.shape
    return {"shape": [count, *shape], "crc32": crc32, "unreadable": unreadable}


def _checksum(file: BinaryIO) -> int:
    crc32 = 0
    while chunk := file.read(_CHUNK):
        crc32 = zlib.crc32(chunk, crc32)
    return crc32
