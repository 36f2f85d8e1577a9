"""TensorFlow, set up for speed and without the notes that it prints while it starts."""

import contextlib
import logging
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from wgan_gp.support.errors import InputError


def load_tensorflow(find_devices: bool = True) -> None:
    """Import TensorFlow, as Keras's backend and with oneDNN, and find the devices, quietly.

    Keras's image format, float type and epsilon become its defaults, whatever its keras.json says.
    Whoever has set its log level below that of errors has asked to read the notes. A strategy for
    several machines has to be made before devices are found.

    Raises an InputError where no temporary file can be written, as on a full disk, or where
    TensorFlow cannot be loaded.
    """
    try:
        tempfile.gettempdir()  # which TensorFlow asks for
    except FileNotFoundError as error:
        raise InputError(
            "TensorFlow needs a folder for temporary files, and none can be written to: free some "
            "space, or let TMPDIR name one"
        ) from error
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # Off by default on CPUs without AVX-512, where these convolutions take half the time all the
    # same.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    is_quiet = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2") in ("2", "3")
    with silent_stderr() if is_quiet else contextlib.nullcontext(), _loading():
        import keras
        import tensorflow as tf

        # A run is decided by its own settings.
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")
        keras.config.set_epsilon(1e-7)
        if find_devices:
            tf.config.list_logical_devices()
    if is_quiet:
        tf.get_logger().setLevel(logging.WARNING)  # in a notebook it would be INFO


@contextlib.contextmanager
def _loading() -> Iterator[None]:
    """Turns what fails in an import into an InputError."""
    try:
        yield
    except (ImportError, MemoryError) as error:
        # TensorFlow puts the whole traceback of its libraries into the message.
        causes = re.findall(r"^\w+Error: (.+)", str(error), re.MULTILINE)
        causes = causes or [str(error) or repr(error)]
        raise InputError(
            f"TensorFlow cannot be loaded: {causes[-1]} (is there enough memory for it, and is it "
            f"installed as a whole?)"
        ) from error


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Discards what native code writes to the process's standard error."""
    stderr = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
