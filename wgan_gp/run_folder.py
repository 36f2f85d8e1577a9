"""The folder that holds all that a run makes."""

import re
from pathlib import Path

from wgan_gp.errors import InputError


class RunFolder:
    """The files of a run, by what they are."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.json"
        self.facts = path / "run.json"  # which preset, and what it was trained on
        self.history = path / "history.csv"
        self.grids = path / "grids"
        self.reals = path / "reals.png"
        self.film = path / "training.gif"
        self.samples = path / "samples.png"
        self.generator = path / "generator.keras"
        self.tensorboard = path / "tensorboard"

    @classmethod
    def create(cls, path: Path) -> "RunFolder":
        """A new, empty run folder at `path`.

        Raises:
            InputError: something is there already, or the folder cannot be made.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            is_taken = any(path.iterdir())
        except OSError as error:
            raise InputError(f"no run folder can be made at '{path}': {error.strerror}") from error
        if is_taken:
            raise InputError(f"'{path}' already holds files: choose another --run-dir")
        return cls(path)

    @classmethod
    def create_numbered(cls, root: Path, label: str) -> "RunFolder":
        """A new folder below `root` called `0001-label`, one number after the highest there."""
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"no run folder can be made in '{root}': {error.strerror}") from error
        while True:
            numbers = (re.match(r"\d+", path.name) for path in root.iterdir())
            number = max((int(found[0]) for found in numbers if found), default=0) + 1
            try:
                (root / f"{number:04d}-{label}").mkdir()
            except FileExistsError:  # another run took the number just now
                continue
            except OSError as error:
                raise InputError(
                    f"no run folder can be made in '{root}': {error.strerror}"
                ) from error
            return cls(root / f"{number:04d}-{label}")
