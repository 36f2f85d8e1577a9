"""The command line: from words to a command, and from what goes wrong to one sentence.

wgan-gp train --preset paper --data FOLDER
wgan-gp train --run-dir runs/0001-paper-FOLDER --resume
wgan-gp generate --run-dir runs/0001-paper-FOLDER --count 25 --output flowers.png
wgan-gp evaluate --run-dir runs/0001-paper-FOLDER
wgan-gp interpolate --run-dir runs/0001-paper-FOLDER --output walk.gif
wgan-gp export --run-dir runs/0001-paper-FOLDER --format saved_model
"""

import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated, Any, NoReturn

import tyro
from tyro import conf

import wgan_gp
from wgan_gp.cli import commands
from wgan_gp.cli.options import Asked, Evaluate, Export, Generate, Interpolate, Train
from wgan_gp.runs.folder import RunFolder
from wgan_gp.runs.plan import Plan
from wgan_gp.support.errors import DivergedError, InputError, Interrupted
from wgan_gp.support.saying import answer, answering, be_able_to_say, say

_COMMANDS: dict[type, Callable[[Any], None]] = {
    Train: commands.train,
    Generate: commands.generate,
    Evaluate: commands.evaluate,
    Interpolate: commands.interpolate,
    Export: commands.export,
}
Command = Train | Generate | Evaluate | Interpolate | Export
_HELP = {"-h", "--help"}
_LEAST_COLUMNS = 40  # in fewer, the help would have a letter in each line, or never be laid out


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command in `arguments`, by default those of the process; exit if it fails."""
    be_able_to_say()
    os.environ["MPLBACKEND"] = "agg"  # no window is opened here, whatever this would name
    if shutil.get_terminal_size().columns < _LEAST_COLUMNS:
        os.environ["COLUMNS"] = str(_LEAST_COLUMNS)
    try:
        with answering():  # --help
            command = _command(list(sys.argv[1:] if arguments is None else arguments))
        _COMMANDS[type(command)](command)
    except InputError as error:
        _exit(_by_option(str(error)), status=2)
    except DivergedError as error:
        _exit(error, status=1)
    except Interrupted as error:
        _exit(error, status=128 + error.signal)
    except KeyboardInterrupt:
        _exit("stopped", status=130)
    except BrokenPipeError:  # whoever read the answer, such as `head`, has seen enough
        _exit("nobody reads the output any more", status=1)
    except OSError as error:
        if error.filename is None:  # nothing that the user could mend
            raise
        path = error.filename2 or error.filename  # the second of them is to be replaced
        _exit(f"'{path}' cannot be used: {error.strerror}", status=2)


def _command(arguments: list[str]) -> Command:
    """The command in `arguments`.

    What `train` does where no option says otherwise depends on options: on its preset, or on the
    run that it goes on with. So those are read first.
    """
    if arguments == ["--version"]:
        answer(f"wgan-gp {wgan_gp.__version__}")
        sys.exit()
    _check_no_empty_value(arguments)
    if not arguments or arguments[0] != "train":
        return _parse(arguments or ["--help"], Train())
    words = [word for word in arguments[1:] if word not in _HELP]
    asked, _ = tyro.cli(Asked, prog="wgan-gp train", args=words, return_unknown_args=True)
    is_help_alone = not asked.run_dir and _HELP.intersection(arguments)
    if not asked.resume or is_help_alone:
        return _parse(arguments, Train.with_preset(asked.preset))
    if not asked.run_dir:
        raise InputError("--resume needs --run-dir: the folder of the run to go on with")
    return _parse(arguments, Train.of_plan(Plan.of_run(RunFolder.find(asked.run_dir))))


def _check_no_empty_value(arguments: list[str]) -> None:
    """Raise an InputError for `--run-dir "$UNSET"`: an empty path would be the current folder."""
    for option, value in pairwise(["wgan-gp", *arguments]):
        if not value or re.fullmatch("--[a-z0-9_-]+=", value):
            name = value.rstrip("=") or option
            raise InputError(f"{name} is followed by an empty value: give it one, or leave it out")


def _parse(arguments: list[str], train: Train) -> Command:
    """The command in `arguments`, with `train` as the defaults of that command."""
    return tyro.cli(
        Annotated[Train, conf.subcommand("train", default=train)]
        | Annotated[Generate, conf.subcommand("generate")]
        | Annotated[Evaluate, conf.subcommand("evaluate")]
        | Annotated[Interpolate, conf.subcommand("interpolate")]
        | Annotated[Export, conf.subcommand("export")],
        prog="wgan-gp",
        description="Train a Wasserstein GAN with gradient penalty on images, and use it. "
        "(--version tells which release this is.)",
        args=arguments,
        config=(conf.OmitArgPrefixes,),
    )


def _by_option(message: str) -> str:
    """`message`, which may begin with what Python calls an option: --batch-size must be ..."""
    return re.sub("^[a-z0-9_]+(?= must )", lambda name: f"--{name[0].replace('_', '-')}", message)


def _exit(message: object, status: int) -> NoReturn:
    say(f"wgan-gp: {message}", sys.stderr)
    sys.exit(status)
