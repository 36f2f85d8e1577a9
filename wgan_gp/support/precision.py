"""The precision that layers compute in: Keras's global dtype policy decides when they are made."""

import contextlib
from collections.abc import Iterator

import keras


@contextlib.contextmanager
def in_precision(policy: str | keras.DTypePolicy) -> Iterator[None]:
    """Layers made inside have this dtype policy; the one before it comes back at the end."""
    former = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(former)
