"""Whatever file operation of a run fails: one sentence, and a run that goes on to the bit.

The run makes two checkpoints. Its model is built and compiled once and then taken back to its first
weights for each run, so that a run takes half a second.
"""

import errno
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers.faults import Faults
from helpers.outcome import outcome
from helpers.shell import TINY, InProcess, errors
from PIL import Image

ERRORS = (errno.ENOSPC, errno.EIO, errno.EMFILE, errno.EACCES)
RUN = [*TINY, "--n-critic=1", "--iterations=4", "--monitor-every=4", "--checkpoint-every=2"]
TRAIN = ["train", "--run-dir", "run", "--data", "pictures", "--cache-dir", "cache", *RUN]
RESUME = ["train", "--run-dir", "run", "--resume", "--cache-dir", "cache"]


@pytest.fixture
def quick(wgan_gp, monkeypatch, models) -> InProcess:
    """The program, in a folder with four pictures."""
    monkeypatch.setattr("wgan_gp.runs.training.build_model", models.take_the_only)
    monkeypatch.setattr("wgan_gp.callbacks.monitor.figure_png", lambda *arguments: b"a figure")
    (wgan_gp.folder / "pictures").mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        picture = Image.fromarray(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8))
        picture.save(wgan_gp.folder / "pictures" / f"{number}.png")
    return wgan_gp


@pytest.fixture
def expected(quick) -> dict:
    """What comes of the run without a fault."""
    quick(*TRAIN)
    return outcome(quick.folder / "run")


def operations(quick: InProcess) -> int:
    """How many file operations a run makes that begins with nothing."""
    start_anew(quick.folder)
    with Faults(quick.folder) as faults:
        quick(*TRAIN)
    return faults.count


def start_anew(folder: Path) -> None:
    for name in ("run", "cache"):
        shutil.rmtree(folder / name, ignore_errors=True)


def flaws(quick: InProcess, expected: dict, points: list[tuple[int, int]]) -> list[str]:
    """What is wrong after the failure of each operation, given by its number and the error."""
    found = [_flaw(quick, expected, number, error) for number, error in points]
    return [flaw for flaw in found if flaw]


def _flaw(quick: InProcess, expected: dict, number: int, error: int) -> str:
    start_anew(quick.folder)
    with Faults(quick.folder, number, error) as faults:
        try:
            result = quick.attempt(*TRAIN)
        except Exception as raised:
            return f"{errno.errorcode[error]} at {number}, {faults.failed}: {raised!r}"
    where = f"{errno.errorcode[error]} at {number}, {faults.failed}: "
    said = [line for line in errors(result) if line.startswith("wgan-gp: ")]
    if result.returncode:
        if result.returncode != 2 or len(errors(result)) != 1 or not said:
            return f"{where}{result.returncode} {result.stderr}"
        begun = (quick.folder / "run" / "config.json").exists()
        again = quick.attempt(*(RESUME if begun else TRAIN))
        if again.returncode or errors(again):
            return f"{where}{said[0]} - then {again.returncode} {again.stderr}"
    found = outcome(quick.folder / "run")
    others = [name for name in expected if found[name] != expected[name]]
    return f"{where}other {others}" if others else ""


def test_a_run_goes_on_after_a_sample_of_its_file_operations_has_failed(quick, expected):
    last = operations(quick)
    assert last > 100
    points = [(number, ERRORS[i % 4]) for i, number in enumerate(range(5, last + 1, last // 16))]
    assert flaws(quick, expected, points) == []


@pytest.mark.slow
@pytest.mark.parametrize("error", ERRORS, ids=errno.errorcode.get)
def test_a_run_goes_on_after_any_file_operation_has_failed(quick, expected, error):
    points = [(number, error) for number in range(1, operations(quick) + 1)]
    found = flaws(quick, expected, points)
    print(f"{len(points)} points tried, {len(points) - len(found)} held")
    assert found == []
