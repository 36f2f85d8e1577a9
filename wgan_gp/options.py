"""The commands and their options, as the command line states them in its help."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro import conf

from wgan_gp.config import PRESETS, Config, PresetName
from wgan_gp.errors import InputError
from wgan_gp.run_folder import RunFolder

Format = Literal["saved_model", "onnx", "litert", "keras"]
_ENDINGS = {"saved_model": "", "onnx": ".onnx", "litert": ".tflite", "keras": ".keras"}

_Flag = Annotated[bool, conf.FlagCreatePairsOff]  # no --no-resume beside --resume

_EMBEDDED = ("synthetic", "tf_flowers")  # data that are not a folder
_MAY_CHANGE = {"iterations", "monitor_every"}  # from one session of a run to the next


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """Where the images come from."""

    data: str = "synthetic"  # 'synthetic' (drawn flowers), 'tf_flowers', or a folder of images
    data_dir: Path | None = None  # for tf_flowers: folder that TensorFlow Datasets prepared it in
    cache_dir: Path | None = None  # folder for decoded images; by default the user's cache


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """What the run leaves, and where."""

    run_dir: Path | None = None  # new folder for the results; by default runs/0001-PRESET-DATA
    resume: _Flag = False  # go on with the run in RUN_DIR, with its images and its settings
    # iterations between two checkpoints, or 'epoch' for one every 20; by default one in 2 minutes
    checkpoint_every: int | Literal["epoch"] | None = None
    keep_checkpoints: int = 3  # how many checkpoints to keep, the newest
    tensorboard: bool = False  # also log for TensorBoard, in RUN_DIR/tensorboard
    dry_run: _Flag = False  # print settings, layers and the estimated cost, and stop


@dataclasses.dataclass(frozen=True)
class Settings(Config):
    """Single settings, in place of the preset's."""

    def __post_init__(self) -> None:
        """Leave the check to `Train.config`: an error in here would read as one of the parser."""


@dataclasses.dataclass(frozen=True)
class Train:
    """Train a WGAN-GP on images and leave pictures, history and generator in a run folder."""

    preset: PresetName = "quick"  # settings to start from; those below override single ones
    data: DataOptions = DataOptions()
    output: OutputOptions = OutputOptions()
    settings: Settings = Settings()

    def config(self) -> Config:
        """The settings of the run; raises an InputError if one is out of its range."""
        return Config(**dataclasses.asdict(self.settings))

    @classmethod
    def with_preset(cls, preset: PresetName) -> "Train":
        return cls(preset, settings=Settings(**PRESETS[preset]))

    @classmethod
    def of_run(cls, folder: RunFolder) -> "Train":
        """The command that started the run in `folder`; raises an InputError if there is none."""
        config, facts = folder.read()
        try:
            paths = {name: facts[name] and Path(facts[name]) for name in ("data_dir", "cache_dir")}
            names = ("checkpoint_every", "keep_checkpoints", "tensorboard")
            return cls(
                facts["preset"],
                DataOptions(facts["data"], **paths),
                OutputOptions(**{name: facts[name] for name in names}),
                Settings(**dataclasses.asdict(config)),
            )
        except (KeyError, TypeError) as error:
            raise InputError(f"'{folder.facts}' is damaged: {error!r}") from error

    def facts(self) -> dict[str, Any]:
        """What `of_run` needs beside the settings, as JSON can hold it."""
        data, output = self.data, self.output
        return {
            "preset": self.preset,
            "data": data.data if data.data in _EMBEDDED else _absolute(data.data),
            "data_dir": data.data_dir and _absolute(data.data_dir),
            "cache_dir": data.cache_dir and _absolute(data.cache_dir),
            "checkpoint_every": output.checkpoint_every,
            "keep_checkpoints": output.keep_checkpoints,
            "tensorboard": output.tensorboard,
        }

    def check_resumes(self, folder: RunFolder) -> None:
        """Raise an InputError if this command asks for other settings than the run has."""
        run = Train.of_run(folder)
        there = {"preset": run.preset, **dataclasses.asdict(run.settings)}
        asked = {"preset": self.preset, **dataclasses.asdict(self.settings)}
        changed = [
            f"{name} is {there[name]} there, not {asked[name]}"
            for name in there
            if asked[name] != there[name] and name not in _MAY_CHANGE
        ]
        if changed:
            raise InputError(
                f"'{folder.path}' goes on with its own settings only: {', '.join(changed)}; leave "
                f"that out, or start a new run"
            )


@dataclasses.dataclass(frozen=True)
class Generate:
    """Make new images with the generator of a run."""

    run_dir: Path  # folder of a finished run
    count: int = 25  # images to make
    seed: int = 0  # decides the images: the same seed gives the same ones
    output: Path = Path("generated.png")  # FILE.png for one tiled picture, or a folder for many
    overwrite: _Flag = False  # replace an output that exists


@dataclasses.dataclass(frozen=True)
class Interpolate:
    """Make a film that walks from image to image with the generator of a run, and repeats."""

    run_dir: Path  # folder of a finished run
    output: Path = Path("walk.gif")  # FILE.gif, or FILE.mp4 (needs the extra 'video')
    tiles: int = 9  # walks side by side
    stations: int = 6  # images that each walk passes
    frames: int = 20  # pictures from one to the next; there are 20 a second
    seed: int = 0  # decides the images: the same seed gives the same ones
    overwrite: _Flag = False  # replace an output that exists


@dataclasses.dataclass(frozen=True)
class Export:
    """Write the generator of a run in a format that others can load, with a model card."""

    run_dir: Path  # folder of a finished run
    format: Format = "saved_model"
    output: Path | None = None  # file, or folder of a SavedModel; by default in RUN_DIR/export
    float16: _Flag = False  # litert: keep the weights in half the space
    overwrite: _Flag = False  # replace an output that exists

    def path(self) -> Path:
        """Where the export goes; raises an InputError if its name does not suit the format."""
        ending = _ENDINGS[self.format]
        name = f"generator{'-float16' if self.float16 else ''}{ending}"
        path = self.output or self.run_dir / "export" / name
        if not path.name.endswith(ending):
            raise InputError(f"--output of {self.format} must end in {ending}, not '{path}'")
        return path


def _absolute(path: str | Path) -> str:
    return str(Path(path).expanduser().absolute())
