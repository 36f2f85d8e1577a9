"""What a run is told: its settings, its images, and what it leaves. Its folder keeps them."""

import dataclasses
from pathlib import Path
from typing import Any, Literal

from wgan_gp.callbacks.every import check_every
from wgan_gp.config import Config, check_config, checked
from wgan_gp.runs.folder import RunFolder
from wgan_gp.support.errors import InputError
from wgan_gp.support.whole_numbers import check_whole

Strategy = Literal["auto", "none", "mirrored", "multi-worker"]

_EMBEDDED = ("synthetic", "tf_flowers")  # data that are not a folder
# From one session of a run to the next.
_MAY_CHANGE = {"iterations", "monitor_every", "quality_every"}
# In a file of its own, or asked for each time.
_NO_FACTS = {"config", "cache_dir", "strategy"}


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that `resume` needs to go on with a run, and `train` to start the same again.

    Raises:
        InputError: a value is out of its range.
    """

    config: Config
    preset: str = "custom"  # the name of the settings that `config` began as
    data: str | Path = "synthetic"  # 'synthetic', 'tf_flowers', or a folder of images
    data_dir: str | Path | None = None  # for tf_flowers: where TensorFlow Datasets keeps it
    cache_dir: str | Path | None = None  # where decoded images are kept
    checkpoint_every: int | Literal["epoch"] | None = None  # see `Checkpoint`
    keep_checkpoints: int = 3  # how many of the newest stay
    tensorboard: bool = False  # also log for TensorBoard
    strategy: Strategy = "auto"  # see `strategy_of`

    def __post_init__(self) -> None:
        check_config(self.config)
        check_every("checkpoint_every", self.checkpoint_every)
        check_whole("keep_checkpoints", self.keep_checkpoints)
        checked("strategy", Strategy, self.strategy)
        checked("tensorboard", bool, self.tensorboard)

    @classmethod
    def of_run(cls, folder: RunFolder) -> "Plan":
        """The plan of the run in `folder`; raises an InputError if there is none.

        Where to keep decoded images is asked for each time: a run folder may come from a stranger,
        and nothing in it decides where this program writes. So is the strategy, for which this
        machine has the devices or not.
        """
        config, facts = folder.read()
        names = {field.name for field in dataclasses.fields(cls)} - _NO_FACTS
        known = {name: facts[name] for name in names}
        known["data_dir"] = known["data_dir"] and Path(known["data_dir"])
        return cls(config, **known)

    def facts(self) -> dict[str, Any]:
        """What `of_run` needs beside the settings, as JSON can hold it.

        Paths become absolute, so that the run can be resumed from anywhere.
        """
        return {
            **{k: v for k, v in vars(self).items() if k not in _NO_FACTS},
            "data": self.data if self.data in _EMBEDDED else _absolute(self.data),
            "data_dir": self.data_dir and _absolute(self.data_dir),
        }

    def check_continues(self, run: "Plan", folder: RunFolder) -> None:
        """Raise an InputError unless this plan can go on with the `run` in `folder`.

        It cannot with other settings, nor if it ends before that one is now.
        """
        there = {"preset": run.preset, **dataclasses.asdict(run.config)}
        asked = {"preset": self.preset, **dataclasses.asdict(self.config)}
        # Rates that fall to the end of a run belong to its length.
        is_decaying = run.config.final_learning_rate < 1
        may_change = _MAY_CHANGE - {"iterations"} if is_decaying else _MAY_CHANGE
        changed = [
            f"{name} is {there[name]} there, not {asked[name]}"
            for name in there
            if asked[name] != there[name] and name not in may_change
        ]
        if changed:
            raise InputError(
                f"'{folder.path}' goes on with its own settings only: {', '.join(changed)}; leave "
                f"that out, or start a new run"
            )
        if (done := folder.newest_checkpoint()) > self.config.iterations:
            raise InputError(
                f"'{folder.path}' is at iteration {done} already: iterations must be at least that"
            )


def _absolute(path: str | Path) -> str:
    return str(Path(path).expanduser().absolute())
