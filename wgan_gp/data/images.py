"""Training images from any source, as one array."""

import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import platformdirs

from wgan_gp.data import synthetic
from wgan_gp.data.cache import ABOUT, ImageSet, find_entry, note_use, read_entry, write_entry
from wgan_gp.data.folder import open_folder
from wgan_gp.data.housekeeping import remove_leftovers, remove_oldest
from wgan_gp.data.source import Pictures, Source
from wgan_gp.data.tf_flowers import check_data_dir, open_tf_flowers
from wgan_gp.support.errors import FULL, InputError
from wgan_gp.support.files import plain_path
from wgan_gp.support.progress_bar import progress_bar
from wgan_gp.support.whole_numbers import check_whole

SYNTHETIC_COUNT = 4096

_CACHE_FORMAT = 3  # raised whenever the same source would be decoded to other pixels
_NAMES_SHOWN = 5
_MOST_SIZE = 4096  # pixels: an image is held in memory as it is decoded

_log = logging.getLogger(__name__)


def load_images(
    source: str | Path,
    image_size: int,
    *,
    data_dir: str | Path | None = None,
    cache_dir: str | Path | None = None,
) -> np.ndarray:
    """The images of `source`: uint8 `(count, image_size, image_size, 3)`, memory-mapped.

    They are decoded once and then kept on disk; when that cache is full, the sets not used for
    longest go. Unreadable files are left out and named in a log line.

    Args:
        source: 'synthetic' (drawn flowers), 'tf_flowers', or a folder of pictures.
        image_size: height and width in pixels, up to 4096; the aspect ratio is not kept.
        data_dir: for tf_flowers, where TensorFlow Datasets keeps prepared sets.
        cache_dir: where decoded images are kept; by default the user's cache folder.

    Raises:
        InputError: there is no such source or size, it takes no `data_dir`, it has no readable
            image, a file is there but the system does not let it be read, or the cache cannot be
            written.
    """
    return load_image_set(source, image_size, data_dir=data_dir, cache_dir=cache_dir).images


def load_image_set(
    source: str | Path,
    image_size: int,
    *,
    data_dir: str | Path | None = None,
    cache_dir: str | Path | None = None,
    may_prepare: bool = True,
) -> ImageSet:
    """What `load_images` gives, with the images' checksum and the names of the unreadable ones.

    Args:
        may_prepare: whether tf_flowers may be downloaded to `data_dir`.
    """
    check_whole("image_size", image_size, most=_MOST_SIZE)
    opened = _open(source, data_dir, may_prepare)
    cache = _cache_folder(cache_dir)
    remove_leftovers(cache)
    state = _key(opened.fingerprint, image_size)
    entry = find_entry(cache, state) or cache / _key(_content(opened), image_size)
    cached = _read(entry)
    if cached is None:
        _decode(opened, image_size, entry, reopen=lambda: _open(source, data_dir, may_prepare))
        cached = _read(entry)
    if cached is None:
        raise InputError(
            f"none of the images in '{opened.name}' can be read ({opened.count} tried)"
        )
    note_use(entry, state)
    remove_oldest(cache, entry)
    _tell_what_is_left_out(opened, cached, entry)
    return cached


def count_pictures(source: str | Path, data_dir: str | Path | None = None) -> int | None:
    """How many pictures there are; none is read, so some may prove unreadable.

    None for tf_flowers, which may have to be downloaded first.

    Raises:
        InputError: there is no such source, or no picture in it, as `load_images` says.
    """
    if source == "tf_flowers":
        check_data_dir(_plain(data_dir))
        return None
    return _open(source, data_dir, may_prepare=False).count


def _tell_what_is_left_out(source: Source, images: ImageSet, entry: Path) -> None:
    others, unreadable = source.left_out, images.unreadable
    why = "pictures are of formats that are not read, or links that lead nowhere,"
    _tell(others, source.count + len(others), why)
    _tell(unreadable, source.count, "images cannot be read", f" (all: '{entry / ABOUT}')")


def _tell(names: Sequence[str], count: int, why: str, where: str = "") -> None:
    """Log that these of `count` are left out: the first of them, and `where` to find the rest."""
    if not names:
        return
    shown = ", ".join(x if x.isprintable() else ascii(x) for x in names[:_NAMES_SHOWN])
    more = f", ...{where}" if len(names) > _NAMES_SHOWN else ""
    _log.warning("%d of %d %s and are left out: %s%s", len(names), count, why, shown, more)


def _open(source: str | Path, data_dir: str | Path | None, may_prepare: bool) -> Source:
    if not isinstance(source, str | os.PathLike):
        raise InputError(
            f"data is 'synthetic', 'tf_flowers' or a folder of images, not a "
            f"{type(source).__name__}: give images in memory to make_dataset"
        )
    if data_dir and source != "tf_flowers":
        raise InputError(f"a data_dir goes with the data 'tf_flowers', not with '{source}'")
    if source == "":  # which would be the folder one is in
        raise InputError("data is empty: name 'synthetic', 'tf_flowers' or a folder of images")
    if source == "synthetic":
        return _synthetic_source()
    try:
        if source == "tf_flowers":
            return open_tf_flowers(_plain(data_dir), may_prepare)
        return open_folder(plain_path(Path(source)))
    except (OSError, RecursionError) as error:  # an impossible name; folders too deep
        raise InputError(f"'{data_dir or source}' cannot be read: {error}") from error


def _plain(data_dir: str | Path | None) -> Path | None:
    return plain_path(Path(data_dir)) if data_dir else None


def _synthetic_source() -> Source:
    def read(image_size: int) -> Pictures:
        for number in range(SYNTHETIC_COUNT):
            yield f"flower {number}", synthetic.draw_picture(image_size, 0, number)

    drawing_code = Path(synthetic.__file__).read_bytes()
    fingerprint = f"{SYNTHETIC_COUNT} {hashlib.sha256(drawing_code).hexdigest()}"
    return Source("synthetic", SYNTHETIC_COUNT, fingerprint, read)


def _cache_folder(cache_dir: str | Path | None) -> Path:
    if cache_dir is not None:
        return plain_path(Path(cache_dir))
    try:
        return platformdirs.user_cache_path("wgan_gp")
    except RuntimeError as error:  # a user without a home
        raise InputError(f"the image cache needs a cache_dir given: {error}") from error


def _content(source: Source) -> str:
    try:
        return source.content() if source.content else source.fingerprint
    except OSError as error:
        raise InputError(
            f"'{error.filename or source.name}' cannot be read ({error.strerror}): start again "
            f"when that is mended, or take the file away"
        ) from error


def _key(pictures: str, image_size: int) -> str:
    """The name of what is made of pictures, given by a digest: of an entry, or of a state."""
    key = f"{_CACHE_FORMAT} {pictures} {image_size}"
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _read(entry: Path) -> ImageSet | None:
    try:
        return read_entry(entry)
    except OSError as error:
        raise InputError(
            f"the image cache '{entry.parent}' cannot be read ({error.strerror or error}): start "
            f"again when that is mended, or choose another place with cache_dir"
        ) from error


def _unchanged(source: Source, image_size: int, reopen: Callable[[], Source]) -> Pictures:
    """The pictures of `source`, if they stay the same until the last one is read."""
    yield from source.read(image_size)
    if reopen().fingerprint != source.fingerprint:
        raise InputError(f"files in '{source.name}' changed while they were read: start again")


def _decode(source: Source, image_size: int, entry: Path, reopen: Callable[[], Source]) -> None:
    """Decode the whole source into the cache, with progress."""
    progress = progress_bar(
        _unchanged(source, image_size, reopen),
        desc=f"Reading images ({source.name}, {image_size}x{image_size})",
        total=source.count,
        unit=" images",
    )
    try:
        with progress as pictures:
            write_entry(entry, pictures)
    except BrokenPipeError:  # nobody sees the progress any more
        raise
    except OSError as error:
        space = "free some space, or " if error.errno in FULL else ""
        raise InputError(
            f"the image cache '{entry.parent}' cannot be written ({error.strerror or error}): "
            f"{space}choose another place with cache_dir"
        ) from error
