"""The TensorFlow team's Flowers photographs (`tf_flowers`), read through TensorFlow Datasets."""

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import absl.logging
from PIL import Image

from wgan_gp.data.decoding import to_square
from wgan_gp.data.source import Pictures, Source, file_contents, file_fingerprint
from wgan_gp.support.errors import InputError
from wgan_gp.support.files import entries
from wgan_gp.support.reachable import is_reachable

_URL = "http://download.tensorflow.org/example_images/flower_photos.tgz"


def open_tf_flowers(data_dir: Path | None, may_prepare: bool) -> Source:
    """The 3,670 photographs, downloaded (218 MB) and prepared at the first use.

    Args:
        data_dir: where TensorFlow Datasets keeps prepared sets; None for its own choice.
        may_prepare: whether they may be written there if they are not there yet.

    Raises:
        InputError: they are not prepared there and cannot, or may not, be downloaded, or they are
            damaged.
    """
    check_data_dir(data_dir)
    builder, is_prepared = _find(data_dir)
    if not is_prepared and not may_prepare:
        raise InputError(
            f"tf_flowers is not prepared in '{data_dir}', and nothing is downloaded to where a run "
            f"says: choose a data_dir yourself"
        )
    if not is_prepared:
        _download(builder)
    folder = Path(builder.data_path)
    if "train" not in builder.info.splits:
        raise _damaged(folder)
    files = [path for path in entries(folder) if path.is_file()]
    return Source(
        name="tf_flowers",
        count=builder.info.splits["train"].num_examples,
        fingerprint=file_fingerprint(files, folder),
        read=partial(_read, builder),
        content=partial(file_contents, files, folder),
    )


def check_data_dir(data_dir: Path | None) -> None:
    """Raise an InputError if it is given and is not there."""
    if data_dir is not None and not data_dir.is_dir():
        raise InputError(f"there is no folder '{data_dir}': data_dir must be an existing one")


def _find(data_dir: Path | None):
    """What TensorFlow Datasets calls the set's builder, and whether it is prepared."""
    import tensorflow_datasets as tfds  # slow to import, and no other source needs it

    try:
        with _quiet_absl():
            builder = tfds.builder("tf_flowers", data_dir=data_dir)
            return builder, builder.is_prepared()
    except Exception as error:  # whatever a damaged description makes of it
        raise _damaged(data_dir or "the folder of TensorFlow Datasets") from error


@contextlib.contextmanager
def _quiet_absl() -> Iterator[None]:
    """Without the warnings of TensorFlow Datasets about a set that is not there yet."""
    verbosity = absl.logging.get_verbosity()
    absl.logging.set_verbosity(absl.logging.ERROR)
    try:
        yield
    finally:
        absl.logging.set_verbosity(verbosity)


def _download(builder) -> None:
    # Asked first, because TensorFlow Datasets retries for minutes before it gives up.
    if not is_reachable(_URL):
        raise InputError(
            f"tf_flowers is not prepared in '{builder.data_dir_root}' and its download is out of "
            f"reach: use 'synthetic', a folder of images, or a data_dir with a prepared copy"
        )
    try:
        builder.download_and_prepare()
    except Exception as error:  # whatever a server, a network or a disk can do
        raise InputError(f"tf_flowers could not be prepared: {error}") from error


def _read(builder, image_size: int) -> Pictures:
    import tensorflow as tf
    import tensorflow_datasets as tfds

    examples = tfds.as_numpy(builder.as_dataset(split="train", shuffle_files=False))
    try:
        for number, example in enumerate(examples):
            yield f"example {number}", to_square(Image.fromarray(example["image"]), image_size)
    except tf.errors.OpError as error:
        raise _damaged(builder.data_path) from error


def _damaged(folder: Path | str) -> InputError:
    return InputError(
        f"tf_flowers in '{folder}' is damaged: take that folder away, and it will be prepared anew"
    )
