"""A file system that fails once: the n-th operation on files below a folder, with a chosen error.

with Faults(folder, number=17, error=errno.ENOSPC) as faults:
    ...
print(faults.count)  # operations there were

Operations are opening, writing, syncing, renaming and removing files, and making and removing
folders, wherever in Python they are called from. A write that fails has written its first half.
"""

import builtins
import io
import os
from pathlib import Path
from typing import Any

_ON_PATHS = ("open", "rename", "replace", "unlink", "remove", "mkdir", "rmdir")


class Faults:
    def __init__(self, folder: Path, number: int = 0, error: int = 0) -> None:
        self.folder = folder.resolve()
        self.number, self.error = number, error
        self.count = 0
        self.failed = ""  # the operation that did
        self._descriptors: dict[int, str] = {}

    def __enter__(self) -> "Faults":
        self._kept = {(os, name): getattr(os, name) for name in (*_ON_PATHS, "fsync", "close")}
        self._kept |= {(builtins, "open"): builtins.open, (io, "open"): io.open}
        for name in _ON_PATHS:
            setattr(os, name, self._on_path(name, getattr(os, name)))
        os.fsync = self._fsync
        os.close = self._close
        builtins.open = io.open = self._open_file
        return self

    def __exit__(self, *exception: object) -> None:
        for (module, name), function in self._kept.items():
            setattr(module, name, function)

    def happen(self, operation: str, path: str) -> bool:
        """Count an operation; tell whether it is the one to fail."""
        self.count += 1
        if self.count != self.number:
            return False
        self.failed = f"{operation} {os.path.relpath(path, self.folder)}"
        return True

    def failure(self, path: str) -> OSError:
        return OSError(self.error, os.strerror(self.error), path)

    def _path(self, path: Any, directory: int | None = None) -> str | None:
        """Where `path` is, if it is below the folder."""
        if isinstance(path, int):
            return None
        base = self._descriptors.get(directory, "")
        place = Path(base, os.fsdecode(path)).absolute()
        return str(place) if self.folder in place.parents else None

    def _on_path(self, name: str, function):
        def call(path, *arguments, **options):
            place = self._path(path, options.get("dir_fd"))
            if place and self.happen(name, place):
                raise self.failure(place)
            result = function(path, *arguments, **options)
            if name == "open" and place:
                self._descriptors[result] = place
            return result

        return call

    def _fsync(self, descriptor: int) -> None:
        place = self._descriptors.get(descriptor)
        if place and self.happen("fsync", place):
            raise self.failure(place)
        self._kept[os, "fsync"](descriptor)

    def _close(self, descriptor: int) -> None:
        self._descriptors.pop(descriptor, None)
        self._kept[os, "close"](descriptor)

    def _open_file(self, path, mode="r", *arguments, **options):
        place = self._path(path)
        if place and self.happen("open", place):
            raise self.failure(place)
        file = self._kept[io, "open"](path, mode, *arguments, **options)
        return _Written(file, place, self) if place and set(mode) & set("wax+") else file


class _Written:
    """A file that is written to through Python alone, and can fail."""

    def __init__(self, file, place: str, faults: Faults) -> None:
        self._file, self._place, self._faults = file, place, faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_Written":
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def __iter__(self):
        return iter(self._file)

    def fileno(self) -> int:
        raise io.UnsupportedOperation("it would be written past the faults")

    def write(self, data) -> int:
        if self._faults.happen("write", self._place):
            self._file.write(data[: len(data) // 2])
            self._file.flush()
            raise self._faults.failure(self._place)
        return self._file.write(data)
