"""The arrays in a PyTorch file of before 2020, read without PyTorch and without running its code.

Such a file is a row of pickles (magic number, version, system, the tensors, the storages' keys) and
then each storage: its length as an int64, and its numbers. A pickle may name any function of the
machine; the reader below knows only what tensors are made of, and refuses the rest.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from wgan_gp.support.errors import MALFORMED, InputError

_MAGIC = 0x1950A86A20F9469CFC6C
_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class _Storage(NamedTuple):
    key: str
    dtype: np.dtype


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in numbers

    def array(self, storages: dict[str, np.ndarray]) -> np.ndarray:
        numbers = storages[self.storage.key]
        size = numbers.itemsize
        return np.ndarray(  # refuses what would reach beyond the buffer
            self.shape,
            numbers.dtype,
            numbers,
            self.offset * size,
            tuple(stride * size for stride in self.strides),
        )


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda *parts: _Tensor(*parts[:4])  # after them what training needs
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, reference: tuple) -> _Storage:
        _, dtype, key, *_ = reference  # "storage", type, key, device, length, view
        return _Storage(key, dtype)


def read_torch_file(path: Path) -> dict[str, np.ndarray]:
    """The state dictionary at `path`: names and arrays, in the order they were saved in.

    Raises:
        InputError: it is no such file, or holds other things than arrays.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except (pickle.UnpicklingError, EOFError, *MALFORMED) as error:
        raise InputError(f"'{path}' is not a PyTorch file of plain weights: {error}") from error


def _read(file: BinaryIO) -> dict[str, np.ndarray]:
    if _Unpickler(file).load() != _MAGIC:
        raise ValueError("its beginning is another")
    for _ in ("version", "system"):
        _Unpickler(file).load()
    tensors = _Unpickler(file).load()
    types = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
    storages = {}
    for key in _Unpickler(file).load():
        length = int.from_bytes(file.read(8), "little")
        storages[key] = np.frombuffer(file.read(length * types[key].itemsize), types[key])
    return {name: tensor.array(storages) for name, tensor in tensors.items()}
