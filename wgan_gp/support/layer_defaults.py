"""What layers take from Keras's global settings when they are made: precision and image format."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def layer_defaults(policy: str | keras.DTypePolicy) -> Iterator[None]:
    """Layers made inside have this dtype policy, and images whose channels are last.

    At the end both settings are what they were before.
    """
    former = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_last")
    try:
        with default_policy(policy):
            yield
    finally:
        keras.config.set_image_data_format(former)


@contextlib.contextmanager
def default_policy(policy: str | keras.DTypePolicy) -> Iterator[None]:
    """Layers made inside have this dtype policy; at the end it is what it was before."""
    former = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(former)
