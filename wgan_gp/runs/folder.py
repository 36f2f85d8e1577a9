"""The folder that holds all that a run makes."""

import contextlib
import json
import logging
import math
import operator
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock

from wgan_gp.callbacks.checkpoint_folder import CheckpointFolder
from wgan_gp.callbacks.history_rows import read_rows
from wgan_gp.config import Config
from wgan_gp.metrics.report import Report
from wgan_gp.runs.generator_file import load_generator
from wgan_gp.support.errors import MALFORMED, InputError
from wgan_gp.support.files import digest, entries, numbered, plain_path, reading
from wgan_gp.support.whole_files import write_whole

if TYPE_CHECKING:
    import keras


# Of what kind the facts of a run are: those that it knows from its start, and the others.
_NEEDED = {
    "preset": str,
    "data": str,
    "data_dir": str | None,
    "checkpoint_every": int | str | None,
    "keep_checkpoints": int,
    "tensorboard": bool,
    "images": int,
    "images_crc32": int,
}
_OPTIONAL = {
    "images_held_out": int,
    "generator_iteration": int,
    "generator_sha256": str | None,  # of the file of that iteration; None until it is there
    "how_made": str,  # of a generator that comes with the package
}

_log = logging.getLogger(__name__)


class RunFolder:
    """The files of a run, by what they are."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config_file = path / "config.json"
        self.facts_file = path / "run.json"  # which preset, and what it was trained on
        self.checkpoints = path / "checkpoints"
        self.history = path / "history.csv"
        self.grids = path / "grids"
        self.reals = path / "reals.png"
        self.progress = path / "progress.png"
        self.film = path / "training.gif"
        self.samples = path / "samples.png"
        self.generator = path / "generator.keras"
        self.best = path / "best.keras"  # the generator with the lowest val_swd
        self.best_facts = path / "best.json"  # its iteration
        self.tensorboard = path / "tensorboard"
        self.lock = path / ".lock"

    def generator_file(self, best: bool = False) -> Path:
        return self.best if best else self.generator

    def report_files(self, best: bool = False) -> tuple[Path, Path]:
        """The files of what `evaluate` measured, and of generated images with those nearest."""
        whose = "best-" if best else ""
        return self.path / f"{whose}quality.json", self.path / f"{whose}nearest.png"

    def own_files(self) -> set[Path]:
        """The names, folders among them, that a run's files have, whether they are there or not."""
        named = set(vars(self).values()) - {self.path}
        return {*named, *self.report_files(), *self.report_files(best=True)}

    def check_apart(self, *files: Path) -> None:
        """Raise an InputError if one of the files is the run's own, or in a folder of its own."""
        own = {file.resolve() for file in self.own_files()}
        for file in files:
            try:
                place = file.resolve()
            except RuntimeError as error:
                raise InputError(f"'{file}' is behind a link to itself") from error
            if not own.isdisjoint((place, *place.parents)):
                raise InputError(
                    f"'{file}' would be a file of the run itself: choose another place"
                )

    @classmethod
    def create(cls, path: Path) -> "RunFolder":
        """A new, empty run folder at `path`.

        Raises:
            InputError: something is there already, or the folder cannot be made.
        """
        folder = cls(plain_path(path))
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            folder.check_free()
        except OSError as error:
            raise InputError(
                f"no run folder can be made at '{folder.path}': {error.strerror}"
            ) from error
        return folder

    def check_free(self) -> None:
        """Raise an InputError if a new run cannot be made here, since files are there already."""
        # A run that was stopped while its model was built leaves these.
        begun = {self.lock, self.facts_file, self.config_file}
        if not entries(self.path) <= begun:
            raise InputError(
                f"'{self.path}' already holds files: choose another run_dir, or resume the run in "
                f"it"
            )

    @classmethod
    def find(cls, path: Path) -> "RunFolder":
        """The folder of the run at `path`.

        Raises:
            InputError: there is none, or something in it is no file, or a link that leads out of
                it, as no run makes any: what is written would end up elsewhere.
        """
        path = plain_path(path)
        try:
            if not path.is_dir():
                raise InputError(f"there is no run folder '{path}'")
            is_run = any(map(os.path.lexists, cls(path).own_files()))
            strange = next(_strange_entries(path), None) if is_run else None
        except (OSError, RuntimeError) as error:  # the latter at a link to itself
            reason = getattr(error, "strerror", None) or error
            raise InputError(f"the run folder '{path}' cannot be read: {reason}") from error
        if strange:
            raise InputError(
                f"'{strange}' is a link out of the run folder, or no file: put a copy there"
            )
        return cls(path)

    @classmethod
    def create_numbered(cls, root: Path, label: str) -> "RunFolder":
        """A new folder below `root` called `0001-label`, one number after the highest there."""
        try:
            root.mkdir(parents=True, exist_ok=True)
            while True:
                number = max(numbered(root, r"(\d+).*"), default=0) + 1
                path = root / f"{number:04d}-{label}"
                with contextlib.suppress(FileExistsError):  # another run took it just now
                    path.mkdir()
                    return cls(path)
        except OSError as error:
            raise InputError(f"no run folder can be made in '{root}': {error.strerror}") from error

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out. However this one ends, the lock ends with it.

        Raises:
            InputError: another process is in.
            OSError: the folder cannot be written to.
        """
        try:
            with filelock.FileLock(self.lock, timeout=0):
                yield
        except filelock.Timeout as error:
            raise InputError(f"another process is training in '{self.path}'") from error

    def write_settings(self, config: Config) -> None:
        write_whole(self.config_file, config.to_json())

    def update_facts(self, facts: dict[str, Any]) -> None:
        """Note `facts`, beside those noted before."""
        self.write_facts({**json.loads(self.facts_file.read_text(encoding="utf-8")), **facts})

    def write_facts(self, facts: dict[str, Any]) -> None:
        # NumPy's whole numbers become Python's; nothing else is rounded to one.
        write_whole(self.facts_file, json.dumps(facts, indent=2, default=operator.index) + "\n")

    def read(self) -> tuple[Config, dict[str, Any]]:
        """The run's settings and facts.

        Raises:
            InputError: they are missing or damaged.
        """
        if not self.facts_file.is_file():
            raise InputError(f"'{self.path}' holds no run: there is no run.json in it")
        if not self.config_file.is_file():  # which is written next
            raise InputError(
                f"'{self.path}' holds no run that has begun, as there is no config.json in it: "
                f"start it again"
            )
        return _parsed(self.config_file, Config.from_json), _parsed(self.facts_file, _facts_in)

    def newest_checkpoint(self) -> int:
        """The iteration of the newest checkpoint, sound or not; 0 if there is none."""
        return CheckpointFolder(self.checkpoints, ()).newest()

    def note_generator(self, iteration: int) -> None:
        """Note that `generator.keras`, as it is now, is of that iteration."""
        noted = {"generator_iteration": iteration, "generator_sha256": self.generator_digest()}
        self.update_facts(noted)

    def generator_iteration(self) -> int | None:
        """The iteration of `generator.keras`; None if the file is another than the one noted.

        A kill has come between the two, or somebody has put another file in its place.
        """
        (config, facts), digest_now = self.read(), self.generator_digest()
        # Version 0.1.0 noted no digest.
        if facts.get("generator_sha256", digest_now) != digest_now:
            return None
        return facts.get("generator_iteration", config.iterations)

    def best_iteration(self) -> int | None:
        """The iteration of `best.keras`; None where it was not kept."""
        try:
            best = json.loads(self.best_facts.read_text(encoding="utf-8"))
            return int(best["iteration"])
        except (OSError, *MALFORMED):
            return None

    def metrics_at(self, iteration: int) -> dict[str, str]:
        """The row of the history whose epoch `iteration` is in, where it holds finite numbers.

        Raises:
            InputError: the history cannot be read.
        """
        with reading(self.history):
            rows = [row for row in read_rows(self.history) if int(row["iteration"]) >= iteration]
        row = min(rows, key=lambda row: int(row["iteration"]), default={})
        return {name: x for name, x in row.items() if _is_number(x)}

    def load_generator(self, best: bool = False) -> "keras.Model":
        """The trained generator, or the best that `val_swd` has found.

        It is loaded in Keras's safe mode: no code in the file is run.

        Raises:
            InputError: it is missing, unreadable, damaged, of parts that Keras does not know, or a
                network of another kind.
        """
        file = self.generator_file(best)
        if not file.is_file():
            why = "was its quality measured?" if best else "has its training finished?"
            is_best_there = not best and self.generator_file(best=True).is_file()
            instead = " (the best one so far is there: ask for the best)" if is_best_there else ""
            raise InputError(f"'{self.path}' holds no {file.name}{instead}: {why}")
        if not best:
            self._tell_if_outdated()
        return load_generator(file)

    def _tell_if_outdated(self) -> None:
        """Log where a finished run was lengthened, and its new end has not come."""
        try:
            made_at = self.generator_iteration()
            newest = self.newest_checkpoint()
        except (InputError, OSError):
            return
        if made_at is not None and newest > made_at:
            instead = ", or ask for the best" if self.best.is_file() else ""
            _log.warning(
                "'%s' is of iteration %d, and the run is at %d: finish it%s",
                *(self.generator, made_at, newest, instead),
            )

    def generator_digest(self, best: bool = False) -> str | None:
        """The SHA-256 of its file; None where `load_generator` says that it cannot be read."""
        try:
            return digest(self.generator_file(best))
        except OSError:
            return None

    def read_quality(self, best: bool = False) -> Report | None:
        """The report of `evaluate` on the generator that is there now, if there is one.

        Raises:
            InputError: the file is damaged, or cannot be read.
        """
        file, _ = self.report_files(best)
        if not file.is_file():
            return None
        with reading(file):
            content = file.read_bytes()
        try:
            quality = json.loads(content)
            report = Report.from_dict(quality)
            is_current = quality["sha256"] == self.generator_digest(best)
        except MALFORMED as error:
            raise InputError(f"'{file}' is damaged: measure the run once more") from error
        if is_current:
            return report
        _log.warning("'%s' is of an earlier generator: measure the run once more", file)
        return None

    def has_results(self) -> bool:
        """Whether training has left anything that a new beginning would replace."""
        return self.generator.exists() or self.history.exists() or bool(self.tiles())

    def tiles(self) -> dict[int, Path]:
        """The monitor's tiles by iteration, in order."""
        return numbered(self.grids, r"iteration-(\d{6,})\.png")

    def remove_tiles_after(self, iteration: int) -> None:
        """Take the monitor's tiles back to where they were after `iteration`."""
        for number, path in self.tiles().items():
            if number > iteration:
                path.unlink()


def _parsed(file: Path, parse: Callable[[str], Any]) -> Any:
    with reading(file):
        content = file.read_bytes()
    try:
        return parse(content.decode())
    except InputError as error:
        raise InputError(f"'{file}' cannot be used: {error}") from error
    except MALFORMED as error:
        raise InputError(f"'{file}' is damaged: {error}") from error


def _facts_in(text: str) -> dict[str, Any]:
    """The facts of a run; raises one of `MALFORMED` if they are none."""
    facts = json.loads(text)
    # A ValueError for what no file could hold; a folder's name need not be UTF-8.
    json.dumps(facts, ensure_ascii=False).encode(errors="surrogateescape")
    if not isinstance(facts, dict):
        raise ValueError("it is no JSON object")
    if missing := sorted(_NEEDED.keys() - facts.keys()):
        raise ValueError(f"there is no {missing[0]} in it")
    for name, kind in (_NEEDED | _OPTIONAL).items():
        if name in facts and not isinstance(facts[name], kind):
            raise ValueError(f"{name} is {str(facts[name])[:50]!r}")
    return facts


def _strange_entries(folder: Path) -> Iterator[Path]:
    """Links in `folder` that lead elsewhere, and pipes and the like, which would wait for ever."""
    root = folder.resolve()
    for directory, subdirectories, files in os.walk(folder):
        for inner in (Path(directory, name) for name in (*subdirectories, *files)):
            leads_out = inner.is_symlink() and not inner.resolve().is_relative_to(root)
            # What a run removes meanwhile is neither.
            if leads_out or (not (inner.is_file() or inner.is_dir()) and inner.exists()):
                yield inner


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
