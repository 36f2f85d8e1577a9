"""A run that is stopped in any way and resumed ends as one that never was."""

import ctypes
import dataclasses
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import killed as killed_script
from helpers.drawn import draw_flowers
from helpers.outcome import outcome
from helpers.shell import TINY, Shell, errors
from PIL import Image

from wgan_gp import Config
from wgan_gp.cli.main import main
from wgan_gp.runs.folder import RunFolder
from wgan_gp.runs.plan import Plan

KILLED = killed_script.__file__

# 23 iterations, so the second epoch (of 20) is cut short; a checkpoint every 3.
RUN = [*TINY, "--iterations=23", "--monitor-every=4", "--checkpoint-every=3"]
RESUME = ["train", "--run-dir", "run", "--resume"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, pictures) -> Path:
    """20 pictures, none of them broken."""
    folder = tmp_path_factory.mktemp("sound")
    for path in pictures.glob("*.png"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def shell(tmp_path_factory, environment) -> Shell:
    return Shell(tmp_path_factory.mktemp("uninterrupted"), environment)


@pytest.fixture(scope="module")
def uninterrupted(shell, pictures) -> dict:
    shell("train", "--run-dir", "run", "--data", pictures, *RUN)
    return outcome(shell.folder / "run")


@pytest.fixture
def train(pictures) -> list[str]:
    return ["train", "--run-dir", "run", "--data", str(pictures), *RUN]


def killed(shell: Shell, text: str, number: int, seconds: float, *arguments: str) -> None:
    """Run the command until it kills itself, as killed.py says."""
    result = subprocess.run(
        [sys.executable, KILLED, text, str(number), str(seconds), *arguments],
        cwd=shell.folder,
        env=shell.environment,
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == -signal.SIGKILL, result.stderr.decode()


def check_goes_on(shell: Shell, uninterrupted: dict, *options: str) -> None:
    shell(*RESUME, *options)
    resumed = outcome(shell.folder / "run")
    assert resumed.keys() == uninterrupted.keys()
    for name, expected in uninterrupted.items():
        assert resumed[name] == expected, name


# Each moment: text and number of the file operation, seconds after it. See killed.py.
MOMENTS = {
    "while the model is built": ("config.json", 4, 0.1),
    "before the first checkpoint": ("iteration-000001.png", 1, 0.0),
    "in a checkpoint write": ("checkpoints/.writing", 20, 0.0),  # the second checkpoint
    "between two epochs": ("history.csv", 5, 0.0),
    # What 12 supersedes is removed; steps 13 to 15 follow, and no file is touched.
    "in a step": ("checkpoints/iteration-000003", 2, 0.013),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_goes_on_to_the_bit(wgan_gp, process, uninterrupted, train, moment):
    killed(process, *MOMENTS[moment], *train)
    check_goes_on(wgan_gp, uninterrupted)


def test_a_run_killed_twice_in_a_row_goes_on_to_the_bit(wgan_gp, process, uninterrupted, train):
    killed(process, "checkpoints/iteration-000009", 2, 0.02, *train)
    killed(process, "checkpoints/.writing", 9, 0.0, *RESUME)
    check_goes_on(wgan_gp, uninterrupted)


def test_a_killed_run_keeps_its_measurements_and_its_best_generator(wgan_gp, process):
    (wgan_gp.folder / "flowers").mkdir()
    for number, picture in enumerate(draw_flowers(70, 32)):
        Image.fromarray(picture).save(wgan_gp.folder / "flowers" / f"{number}.png")
    # Checkpoints every 3 iterations, measurements every 5: one kill lies between, at iteration 12.
    train = ["train", "--data", "flowers", *RUN, "--quality-every=5", "--run-dir"]
    wgan_gp(*train, "whole")
    killed(process, "iteration-000012", 1, 0.0, *train, "run")
    whole = outcome(wgan_gp.folder / "whole")
    assert "best.keras" in whole["files"]
    assert float(whole["history"][-1]["val_swd"]) > 0
    check_goes_on(wgan_gp, whole)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(20))
def test_20_random_kills(wgan_gp, process, uninterrupted, train, number):
    draw = random.Random(number)
    text = draw.choice([".writing", "run/grids", "history.csv", "run/checkpoints", "run/"])
    most = {"history.csv": 6, "run/grids": 15}.get(text, 60)
    seconds = draw.choice([0.0, draw.uniform(0, 0.3)])
    killed(process, text, draw.randint(2, most), seconds, *train)
    if number % 4 == 3:
        killed(process, ".writing", draw.randint(1, 8), seconds / 10, *RESUME)
    check_goes_on(wgan_gp, uninterrupted)


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_signal_ends_a_run_in_order(wgan_gp, process, uninterrupted, pictures, number, status):
    # Long enough to be stopped on its way, and then resumed to the 23 iterations of the others.
    train = ["train", "--run-dir", "run", "--data", pictures, *RUN, "--iterations=100000"]
    running = process.start(*train)
    try:
        wait_for_iteration(running, process.folder / "run")
        running.send_signal(number)
        _, said = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == status
    last = said.splitlines()[-1]
    assert last.startswith("wgan-gp: stopped after iteration ")
    assert last.endswith("; go on with: wgan-gp train --run-dir run --resume")
    done = int(last.split("iteration ")[1].split(";")[0])
    newest = max(path.name for path in (process.folder / "run" / "checkpoints").iterdir())
    assert newest == f"iteration-{done:06d}"
    assert "Traceback" not in said
    if number == signal.SIGTERM:
        check_goes_on(wgan_gp, uninterrupted, "--iterations=23")


def wait_for_iteration(running: subprocess.Popen, run: Path) -> None:
    """Until the first picture is drawn."""
    while running.poll() is None and not list(run.glob("grids/iteration-*.png")):
        time.sleep(0.01)
    assert running.poll() is None


def test_only_one_process_at_a_time_trains_in_a_folder(wgan_gp, process, train):
    first = process.start(*train, "--iterations=100000")
    try:
        wait_for_iteration(first, wgan_gp.folder / "run")
        assert "another process is training in 'run'" in wgan_gp.mistake(*RESUME)
        assert first.poll() is None
    finally:
        first.kill()
        first.communicate()


# What the system refuses


def limit_file_size(size: int) -> Callable[[], None]:
    """Writing beyond `size` bytes fails, as it does on a full disk."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_is_one_sentence_and_no_loss(wgan_gp, process, uninterrupted, train):
    said = process.mistake(*train, preexec=limit_file_size(150_000))
    assert said.startswith("wgan-gp: 'run' cannot be used (File too large): ")
    assert said.endswith("when that is mended, go on with: wgan-gp train --run-dir run --resume")
    check_goes_on(wgan_gp, uninterrupted)


@pytest.mark.slow
def test_a_full_file_system_is_one_sentence_and_no_loss(wgan_gp, uninterrupted, train):
    mounted = wgan_gp.folder / "run"
    mounted.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1200k", "tmpfs", str(mounted)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a small file system")
    try:
        said = wgan_gp.mistake(*train)
        assert "cannot be used (No space left on device)" in said
        assert list((mounted / "checkpoints").glob("iteration-*"))
        subprocess.run(["mount", "-o", "remount,size=20m", str(mounted)], check=True)
        check_goes_on(wgan_gp, uninterrupted)
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


def obey_permissions() -> None:
    """Take from a superuser the right to write anywhere."""
    drop, override_permissions = 24, 1  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
    if os.geteuid() == 0:
        assert ctypes.CDLL(None).prctl(drop, override_permissions, 0, 0, 0) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the rights of a superuser are Linux's")
def test_a_folder_that_cannot_be_written_is_one_sentence(process, uninterrupted, train, shell):
    run = shell.folder / "run"
    run.chmod(0o555)
    try:
        resume = ["train", "--run-dir", run, "--resume", "--iterations=30"]
        said = process.mistake(*resume, preexec=obey_permissions)
    finally:
        run.chmod(0o755)
    assert f"'{run}" in said
    assert "cannot be used (Permission denied)" in said
    assert outcome(run) == uninterrupted


# Settings and images


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--seed=4", "--preset=paper"],
            "preset is quick there, not paper, seed is 0 there, not 4",
        ),
        (["--deterministic"], "deterministic is False there, not True"),
        (
            ["--iterations=22", "--keep-checkpoints=1"],
            "at iteration 23 already: iterations must be at least that",
        ),
        (["--data=other"], "'other' are not those that 'run' was trained on (4, not 20): make"),
    ],
)
def test_a_run_keeps_its_settings_and_images(
    shell, wgan_gp, monkeypatch, uninterrupted, pictures, options, said
):
    monkeypatch.chdir(shell.folder)
    other = shell.folder / "other"
    other.mkdir(exist_ok=True)
    for name in ("00.png", "01.png", "02.png", "03.png"):
        shutil.copy(pictures / name, other)
    facts = (shell.folder / "run" / "run.json").read_text()
    assert said in wgan_gp.mistake(*RESUME, *options)
    assert outcome(shell.folder / "run") == uninterrupted
    assert (shell.folder / "run" / "run.json").read_text() == facts


def test_more_iterations_and_other_pictures_may_be_asked_for(wgan_gp, shell, train, uninterrupted):
    wgan_gp(*train, "--iterations=10")
    moved = wgan_gp.folder / "run"
    wgan_gp(*RESUME, "--iterations=23")
    resumed = outcome(moved)
    # The first part ended with a picture of its own and a checkpoint, at iteration 10.
    for name in ("history", "models", "states"):
        assert resumed[name] == uninterrupted[name], name
    changes = ["--monitor-every=1", "--quality-every=7"]
    changes += ["--checkpoint-every=1", "--keep-checkpoints=2"]
    wgan_gp(*RESUME, *changes, "--iterations=25")
    tiles = {path.stem[-2:] for path in (moved / "grids").iterdir()}
    assert {"24", "25"} <= tiles
    assert {path.name[-2:] for path in (moved / "checkpoints").iterdir()} == {"24", "25"}
    config = json.loads((moved / "config.json").read_text())
    assert (config["monitor_every"], config["quality_every"]) == (1, 7)


def test_images_that_have_moved_are_named_anew(wgan_gp, pictures, train, uninterrupted):
    here = wgan_gp.folder / "here"
    here.mkdir()
    for path in pictures.iterdir():
        shutil.copy(path, here)
    wgan_gp("train", "--run-dir", "run", "--data", "here", *RUN, "--iterations=5")
    here.rename(wgan_gp.folder / "there")
    assert "there is no folder" in wgan_gp.mistake(*RESUME)
    wgan_gp(*RESUME, "--data", "there", "--iterations=23")
    assert outcome(wgan_gp.folder / "run")["models"] == uninterrupted["models"]


@pytest.mark.parametrize("option", ["--run-dir", "--run_dir", "--run-dir=", "--run_dir="])
def test_every_spelling_of_the_run_folder_goes_on_with_the_run_s_own_settings(
    wgan_gp, option, monkeypatch
):
    plan = Plan(dataclasses.replace(Config.preset("paper"), iterations=9000, seed=5), "paper")
    folder = RunFolder.create(wgan_gp.folder / "run")
    folder.write_settings(plan.config)
    folder.write_facts({**plan.facts(), "images": 20, "images_crc32": 0})
    asked = []
    monkeypatch.setattr("wgan_gp.runs.run.resume_run", lambda run_dir, plan: asked.append(plan))
    words = [f"{option}run"] if option.endswith("=") else [option, "run"]
    with pytest.raises(AttributeError):  # there is no run to train
        main(["train", *words, "--resume"])
    assert asked == [plan]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--resume"], "--resume needs --run-dir"),
        (["--resume", "--run-dir=nowhere"], "there is no run folder 'nowhere'"),
        (["--resume", "--run-dir=empty"], "'empty' holds no run: there is no run.json in it"),
        (["--resume", "--run-dir=begun"], "no run that has begun, as there is no config.json"),
        (["--resume", "--run-dir=damaged"], "'damaged/run.json' is damaged: Expecting property"),
        (["--resume", "--run-dir=partial"], "partial/run.json' is damaged"),
        (
            ["--checkpoint-every=0"],
            "--checkpoint-every must be at least 1 iteration, or 'epoch', not 0",
        ),
        (["--keep-checkpoints=0"], "--keep-checkpoints must be a whole number, at least 1, not 0"),
    ],
)
def test_what_cannot_be_resumed_is_explained(wgan_gp, arguments, said):
    for name, facts in (("empty", None), ("damaged", "{"), ("partial", "{}")):
        folder = wgan_gp.folder / name
        folder.mkdir()
        if facts:
            (folder / "config.json").write_text("{}")
            (folder / "run.json").write_text(facts)
    (wgan_gp.folder / "begun").mkdir()
    (wgan_gp.folder / "begun" / "run.json").write_text("{}")
    assert said in wgan_gp.mistake("train", *arguments)


def test_a_damaged_newest_checkpoint_costs_one_line(wgan_gp, train, uninterrupted):
    wgan_gp(*train, "--iterations=21")
    newest = max((wgan_gp.folder / "run" / "checkpoints").iterdir())
    (newest / "model.keras").write_bytes((newest / "model.keras").read_bytes()[:-1])
    said = errors(wgan_gp(*RESUME, "--iterations=23"))
    assert said == [f"the checkpoint '{newest.relative_to(wgan_gp.folder)}' is damaged: left aside"]
    resumed = outcome(wgan_gp.folder / "run")
    for name in ("files", "history", "models", "states"):
        assert resumed[name] == uninterrupted[name], name


def test_a_run_without_a_sound_checkpoint_says_so(wgan_gp, train):
    wgan_gp(*train, "--iterations=3")
    (checkpoint,) = (wgan_gp.folder / "run" / "checkpoints").iterdir()
    (checkpoint / "state.json").write_text("{}")
    said = errors(wgan_gp(*RESUME, "--iterations=23", status=2))
    assert said[-1].startswith("wgan-gp: every checkpoint in 'run/checkpoints' is damaged")


def test_results_are_kept_where_the_checkpoints_are_gone(wgan_gp, train):
    wgan_gp(*train, "--iterations=3")
    run = wgan_gp.folder / "run"
    shutil.rmtree(run / "checkpoints")

    def everything() -> dict[Path, bytes]:
        return {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}

    before = everything()
    said = wgan_gp(*RESUME, "--iterations=5", status=2).stderr.splitlines()[-1]
    assert said == (
        "wgan-gp: 'run' holds results, and no checkpoint to go on from: bring back its "
        "'checkpoints', or start a new run"
    )
    assert everything() == before
    (run / "checkpoints").mkdir()  # as where a disk is not mounted
    assert "no checkpoint to go on from" in wgan_gp(*RESUME, status=2).stderr
    (run / "generator.keras").unlink()  # nor is it begun anew where it was not finished
    assert "no checkpoint to go on from" in wgan_gp(*RESUME, status=2).stderr
    (run / "checkpoints" / ".none-yet").touch()  # as if stopped before its first checkpoint
    wgan_gp(*RESUME)
    assert not (run / "checkpoints" / ".none-yet").exists()
