"""The command line.

wgan-gp train --preset paper --data FOLDER
wgan-gp train --run-dir runs/0001-paper-FOLDER --resume
wgan-gp generate --run-dir runs/0001-paper-FOLDER --count 25 --output flowers.png
wgan-gp interpolate --run-dir runs/0001-paper-FOLDER --output walk.gif
wgan-gp export --run-dir runs/0001-paper-FOLDER --format saved_model
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn, get_args

import tyro
from tyro import conf

from wgan_gp import commands
from wgan_gp.config import PresetName
from wgan_gp.errors import DivergedError, InputError, Interrupted
from wgan_gp.options import Export, Generate, Interpolate, Train
from wgan_gp.run_folder import RunFolder


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command in `arguments`, by default those of the process, and exit."""
    try:
        command = _parse(sys.argv[1:] if arguments is None else arguments)
        getattr(commands, type(command).__name__.lower())(command)
    except InputError as error:
        _exit(error, status=2)
    except DivergedError as error:
        _exit(error, status=1)
    except Interrupted as error:
        _exit(error, status=128 + error.signal)
    except KeyboardInterrupt:
        _exit("stopped", status=130)


def _parse(arguments: Sequence[str]) -> Train | Generate | Interpolate | Export:
    """The command in `arguments`; without any, `train` with its defaults."""
    arguments = list(arguments) or ["train"]
    return tyro.cli(
        Annotated[Train, conf.subcommand("train", default=_defaults(arguments))]
        | Annotated[Generate, conf.subcommand("generate")]
        | Annotated[Interpolate, conf.subcommand("interpolate")]
        | Annotated[Export, conf.subcommand("export")],
        prog="wgan-gp",
        description="Train a Wasserstein GAN with gradient penalty on images, and use it.",
        args=arguments,
        config=(conf.OmitArgPrefixes,),
    )


def _defaults(arguments: list[str]) -> Train:
    """What `train` does where no option says otherwise: as its preset, or as the run resumed."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--preset", choices=get_args(PresetName), default="quick")
    parser.add_argument("--run-dir", type=Path)
    parser.add_argument("--resume", action="store_true")
    try:
        found = parser.parse_known_args(arguments)[0]
    except argparse.ArgumentError:  # no such preset, for one: the real parser says so, and better
        return Train()
    if found.resume and found.run_dir:
        return Train.of_run(RunFolder.find(found.run_dir))
    return Train.with_preset(found.preset)


def _exit(message: object, status: int) -> NoReturn:
    print(f"wgan-gp: {message}", file=sys.stderr)
    sys.exit(status)
