"""A generator in a `.keras` file, which may come from a stranger."""

import errno
import lzma
import zipfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from wgan_gp.support.errors import InputError, TooLittleMemoryError
from wgan_gp.support.files import reading

if TYPE_CHECKING:
    import keras

_MORE_MEMORY = "close other programs, or take a larger machine"


def load_generator(file: Path) -> "keras.Model":
    """The generator in `file`, loaded in Keras's safe mode: no code in it is run.

    Raises:
        InputError: it is unreadable, damaged, of parts that Keras does not know, a network of
            another kind, or one that fails to make an image.
    """
    generator = _load_model(file)
    if not _makes_images(generator):
        raise InputError(f"'{file}' is not a generator of images")
    _check_image(generator, file)
    return generator


def _load_model(file: Path) -> "keras.Model":
    # Here, since it takes seconds and much of what a run's folder knows needs none.
    import keras

    from wgan_gp.support.memory import enough_memory

    with reading(file):
        if not _is_sound_zip(file):
            raise InputError(f"'{file}' is damaged and cannot be loaded")
    try:
        with enough_memory(_MORE_MEMORY):
            return keras.saving.load_model(file, compile=False, safe_mode=True)
    except TooLittleMemoryError:
        raise
    except Exception as error:  # whatever a file of strangers makes Keras raise
        raise InputError(
            f"'{file}' is undamaged, but cannot be loaded: a class of one's own has to be "
            f"registered and imported first, and a Lambda layer is never run from a file "
            f"({_first_line(error)})"
        ) from error


def _makes_images(generator: "keras.Model") -> bool:
    """Whether it takes latents, and makes images with 1 or 3 channels of them."""
    # Keras is there by now, and has to be: see the imports of `wgan_gp.model`.
    from wgan_gp.support.shapes import are_latents, input_shape, output_shape

    if not are_latents(input_shape(generator)):
        return False
    match output_shape(generator):
        case (None, int(), int(), 1 | 3):
            return True
    return False


def _check_image(generator: "keras.Model", file: Path) -> None:
    """Raise an InputError unless it makes an image of finite numbers."""
    from keras import ops

    from wgan_gp.support.memory import enough_memory
    from wgan_gp.support.shapes import latent_dim

    try:
        with enough_memory(_MORE_MEMORY):
            image = generator(ops.zeros((1, latent_dim(generator))), training=False)
    except TooLittleMemoryError:
        raise
    except Exception as error:  # whatever layers of strangers raise
        raise InputError(f"'{file}' fails to make an image: {_first_line(error)}") from error
    if not ops.all(ops.isfinite(image)):
        raise InputError(f"'{file}' makes images of numbers that are not finite")


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def _is_sound_zip(path: Path) -> bool:
    """Whether every part of a ZIP file, such as a `.keras` file, has its checksum."""
    try:
        with zipfile.ZipFile(path) as parts:
            return parts.testzip() is None
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, ValueError):
        return False
    except OSError as error:
        if error.errno == errno.EINVAL:  # a part that would begin before the file does
            return False
        raise
