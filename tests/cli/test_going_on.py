"""What is said where training does not come to its end."""

import dataclasses
import errno
import os
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from wgan_gp.cli import going_on
from wgan_gp.cli.going_on import resumable
from wgan_gp.config import Config
from wgan_gp.runs.folder import RunFolder
from wgan_gp.runs.plan import Plan
from wgan_gp.support.errors import DivergedError, InputError, Interrupted
from wgan_gp.support.memory import enough_memory
from wgan_gp.support.whole_files import write_whole


def run(tmp_path: Path, is_chief: bool = True, **options) -> SimpleNamespace:
    folder = RunFolder(tmp_path / "my run")
    folder.path.mkdir()
    plan = Plan(Config(), **options)
    folder.write_facts({**plan.facts(), "images": 20, "images_crc32": 0})
    folder.write_settings(plan.config)
    return SimpleNamespace(folder=folder, plan=plan, is_chief=is_chief)


def said_of(error: BaseException, stopped: SimpleNamespace) -> BaseException:
    with pytest.raises(BaseException) as said, resumable(stopped):
        raise error
    return said.value


def test_what_a_folder_does_not_keep_is_part_of_how_to_go_on(tmp_path):
    stopped = run(tmp_path, cache_dir="/big disk", strategy="multi-worker")
    said = said_of(Interrupted(signal.SIGTERM, "stopped after iteration 3"), stopped)
    assert str(said) == (
        f"stopped after iteration 3; go on with: wgan-gp train --run-dir '{tmp_path}/my run' "
        f"--resume --cache-dir '/big disk' --strategy multi-worker"
    )
    assert said.signal == signal.SIGTERM


@pytest.mark.parametrize(
    "change", [{"config": Config(iterations=12_000)}, {"data": "moved here"}, {"tensorboard": True}]
)
def test_what_a_folder_has_not_been_told_yet_is_told_again(tmp_path, change):
    stopped = run(tmp_path)
    stopped.plan = dataclasses.replace(stopped.plan, **change)
    said = said_of(Interrupted(signal.SIGTERM, "stopped"), stopped)
    assert str(said) == "stopped; give the same command again"


def test_on_windows_it_is_quoted_as_its_command_line_has_it(tmp_path, monkeypatch):
    stopped = run(tmp_path, cache_dir="C:\\big disk")
    monkeypatch.setattr(going_on, "os", SimpleNamespace(name="nt", path=os.path))
    stopped.folder.path = r"runs\0001-quick"
    said = said_of(Interrupted(signal.SIGTERM, "stopped"), stopped)
    assert str(said) == (
        r"stopped; go on with: wgan-gp train --run-dir runs\0001-quick --resume "
        r'--cache-dir "C:\big disk"'
    )


def test_a_folder_that_begins_with_a_dash_is_no_option(tmp_path):
    stopped = run(tmp_path, cache_dir="-cache")
    stopped.folder.path = Path("-run")
    said = said_of(Interrupted(signal.SIGTERM, "stopped"), stopped)
    assert str(said) == (
        "stopped; go on with: wgan-gp train --run-dir=-run --resume --cache-dir=-cache"
    )


def test_a_stop_while_the_results_are_written_says_it_too(tmp_path):
    said = said_of(KeyboardInterrupt(), run(tmp_path))
    assert isinstance(said, Interrupted)
    assert said.signal == signal.SIGINT
    assert str(said).startswith("stopped; go on with: wgan-gp train --run-dir ")


def test_a_run_that_had_not_begun_is_not_to_be_resumed(tmp_path):
    stopped = run(tmp_path)
    stopped.folder.config_file.unlink()
    assert str(said_of(KeyboardInterrupt(), stopped)) == "stopped; start it again"


def test_a_folder_that_is_gone_is_to_be_brought_back(tmp_path):
    stopped = run(tmp_path)
    shutil.rmtree(stopped.folder.path)
    file = str(stopped.folder.history)
    said = said_of(FileNotFoundError(errno.ENOENT, "No such file or directory", file), stopped)
    assert str(said) == (
        f"'{tmp_path}/my run' cannot be used (No such file or directory): when that is mended, go "
        f"on with: wgan-gp train --run-dir '{tmp_path}/my run' --resume"
    )


def test_what_is_in_the_way_of_a_file_is_named(tmp_path):
    stopped = run(tmp_path)
    samples = stopped.folder.path / "samples.png"
    (samples / "mine").mkdir(parents=True)
    with pytest.raises(OSError) as caught:
        write_whole(samples, "")
    assert str(said_of(caught.value, stopped)).startswith(f"'{samples}' cannot be used (")


@pytest.mark.parametrize(
    "error", [Interrupted(signal.SIGINT, "stopped"), DivergedError("broke down"), OSError("full")]
)
def test_a_worker_does_not_name_a_folder_that_goes_with_it(tmp_path, error):
    if isinstance(error, OSError):
        error.filename = "elsewhere"
    assert str(tmp_path) not in str(said_of(error, run(tmp_path, is_chief=False)))


def test_good_checkpoints_are_named_where_there_are_some(tmp_path):
    diverged = run(tmp_path)
    folder = diverged.folder.checkpoints
    assert str(said_of(DivergedError("broke down"), diverged)) == "broke down"
    (folder / "iteration-000001").mkdir(parents=True)
    said = str(said_of(DivergedError("broke down"), diverged))
    assert said == f"broke down; the last good checkpoints: {folder}"


def test_memory_that_others_have_taken_meanwhile_does_not_end_a_run_for_good(tmp_path):
    stopped = run(tmp_path)

    def said() -> str:
        with pytest.raises(InputError) as error, resumable(stopped), enough_memory("lower it"):
            raise MemoryError
        return str(error.value)

    assert said() == "there is not enough memory for this: lower it"
    (stopped.folder.checkpoints / "iteration-000001").mkdir(parents=True)
    assert said().startswith("there is not enough memory for this: lower it; or go on with: wgan-")
