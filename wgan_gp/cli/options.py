"""The commands and their options, as the command line states them in its help."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

from tyro import conf

from wgan_gp.config import PRESETS, Config, PresetName
from wgan_gp.export.formats import ENDINGS, Format
from wgan_gp.runs.folder import RunFolder
from wgan_gp.runs.plan import Plan, Strategy
from wgan_gp.runs.pretrained import Pretrained, pretrained_run
from wgan_gp.support.errors import InputError
from wgan_gp.support.files import plain_path

# A word, not a choice: a run that was started from Python is of none of the presets.
_Preset = Annotated[str, conf.arg(metavar=f"{{{','.join(PRESETS)}}}")]
_Flag = Annotated[bool, conf.FlagCreatePairsOff]  # no --no-resume beside --resume


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
    # devices: every GPU of this machine ('auto'), even one alone as a replica ('mirrored'), one
    # device ('none'), or several machines, which TF_CONFIG names ('multi-worker')
    strategy: Strategy = "auto"
    dry_run: _Flag = False  # print settings, layers and the estimated cost, and stop


@dataclasses.dataclass(frozen=True)
class Settings(Config):
    """Single settings, in place of the preset's."""

    def __post_init__(self) -> None:
        """Leave the check to `Train.plan`: an error in here would read as one of the parser."""


@dataclasses.dataclass(frozen=True)
class Train:
    """Train a WGAN-GP on images and leave pictures, history and generator in a run folder."""

    preset: _Preset = "quick"  # settings to start from; those below override single ones
    data: DataOptions = DataOptions()
    output: OutputOptions = OutputOptions()
    settings: Settings = Settings()

    @classmethod
    def with_preset(cls, preset: str) -> "Train":
        config = Config.preset(cast(PresetName, preset))  # which checks that it is one
        return cls(preset, settings=Settings(**dataclasses.asdict(config)))

    @classmethod
    def of_plan(cls, plan: Plan) -> "Train":
        """The command that would start a run with this plan."""
        return cls(
            plan.preset,
            DataOptions(**_shared(plan, DataOptions)),
            OutputOptions(**_shared(plan, OutputOptions)),
            Settings(**dataclasses.asdict(plan.config)),
        )

    def plan(self) -> Plan:
        """The plan of the run; raises an InputError if a value is out of its range."""
        config = Config(**dataclasses.asdict(self.settings))
        return Plan(config, self.preset, **_shared(self.data, Plan), **_shared(self.output, Plan))


@dataclasses.dataclass(frozen=True)
class Asked:
    """Those options of `Train` that decide what its others are by default."""

    preset: _Preset = Train.preset
    run_dir: Path | None = None
    resume: _Flag = False


@dataclasses.dataclass(frozen=True)
class OfGenerator:
    """Which trained generator: that of a run, or one that comes with the package."""

    run_dir: Path | None = None  # folder of a run
    pretrained: Pretrained | None = None  # in place of a run: a generator of the package's own
    # take best.keras, the generator with the lowest val_swd of the run, finished or not
    best: _Flag = False

    def folder(self) -> RunFolder:
        """The run; raises an InputError if there is none, or not one alone is named."""
        if self.best and self.pretrained:
            raise InputError("--best goes with --run-dir DIR, not with --pretrained")
        if (self.run_dir is None) == (self.pretrained is None):
            raise InputError(
                "name one generator: --run-dir DIR, the folder of a run, or --pretrained "
                + "|".join(get_args(Pretrained))
            )
        return RunFolder.find(self.run_dir) if self.run_dir else pretrained_run(self.pretrained)


@dataclasses.dataclass(frozen=True)
class Generate(OfGenerator):
    """Make new images with a trained generator."""

    count: int = 25  # images to make
    seed: int = 0  # decides the images: the same seed gives the same ones
    output: Path = Path("generated.png")  # FILE.png for one tiled picture, or a folder for many
    overwrite: _Flag = False  # replace an output that exists


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Measure how good the images of a run's generator are, against images held out of training."""

    run_dir: Path  # folder of a run
    count: int = 2048  # images to generate, and real ones to compare with
    # separated by commas: swd, diversity, checkerboard, memorization, modes; and of features: kid,
    # fid, precision, recall, memorization_features. By default all that the run allows but the last
    metrics: str | None = None
    # network behind the metrics of features, which adds these: 'inception', 'efficientnet-lite0',
    # or a file .h5 of InceptionV3's weights, .keras or .onnx
    features: str | None = None
    data: str | None = None  # where the images are now, or others; by default the run's own
    data_dir: Path | None = None  # for tf_flowers: folder that TensorFlow Datasets prepared it in
    cache_dir: Path | None = None  # folder for decoded images; by default the user's cache
    best: _Flag = False  # measure best.keras, the generator with the lowest val_swd of the run
    seed: int = 0  # decides the generated images and which real ones they are compared with


@dataclasses.dataclass(frozen=True)
class Interpolate(OfGenerator):
    """Make a film that walks from image to image with a trained generator, and repeats."""

    output: Path = Path("walk.gif")  # FILE.gif, or FILE.mp4 (needs the extra 'video')
    tiles: int = 9  # walks side by side
    stations: int = 6  # images that each walk passes
    frames: int = 20  # pictures from one to the next; there are 20 a second
    seed: int = 0  # decides the images: the same seed gives the same ones
    overwrite: _Flag = False  # replace an output that exists


@dataclasses.dataclass(frozen=True)
class Export(OfGenerator):
    """Write a trained generator in a format that others can load, with a model card."""

    format: Format = "saved_model"  # of the export; 'onnx' and 'litert' need the extra of that name
    # file, or folder of a SavedModel; by default in RUN_DIR/export, or here for a pretrained one
    output: Path | None = None
    float16: _Flag = False  # litert: keep the weights in half the space
    overwrite: _Flag = False  # replace an output that exists

    def path(self) -> Path:
        """Where the export goes; raises an InputError if its name does not suit the format."""
        ending = ENDINGS[self.format]
        suffix = f"{'-float16' if self.float16 else ''}{ending}"
        if self.run_dir:
            name = "best" if self.best else "generator"
            path = self.output or plain_path(self.run_dir) / "export" / f"{name}{suffix}"
        else:
            path = self.output or Path(f"{self.pretrained}{suffix}")
        path = plain_path(path)
        if path.name in ("", ".."):
            raise InputError(f"--output must be a new name, not '{path}'")
        found = path.suffix if path.suffix in ENDINGS.values() else ""
        if found != ending:
            named = f"end in {ending}" if ending else f"not end in {path.suffix}"
            raise InputError(f"--output of --format {self.format} must {named}: '{path}'")
        return path


def _shared(source: object, kind: type) -> dict[str, Any]:
    """The values in `source` of those fields of the dataclass `kind` that it has, too."""
    names = (field.name for field in dataclasses.fields(kind))
    return {name: getattr(source, name) for name in names if hasattr(source, name)}
