"""What several test files share."""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the command line has it: the same bits
# Two processes share the cores: threads of NumPy's that wait for each other would take them away.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import dataclasses
import gc
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers.shell import TINY, InProcess, Shell
from helpers.stock import Models
from hypothesis import HealthCheck, settings
from PIL import Image

from wgan_gp.config import Config

# The same examples in every run, and no verdict that hangs on how busy the machine is.
settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tutorial first: it takes longest, and at the end one process would wait for the other."""
    items.sort(key=lambda item: item.path.name != "test_notebook.py")


@pytest.fixture
def tiny_config() -> Config:
    """Settings so small that a training step takes milliseconds."""
    return dataclasses.replace(
        Config.preset("paper"),
        image_size=32,
        latent_dim=6,
        base_filters=2,
        batch_size=4,
        n_critic=3,
        iterations=5,
        monitor_every=2,
    )


@pytest.fixture
def tiny_images() -> np.ndarray:
    """50 images of noise, 32x32."""
    return np.random.default_rng(0).integers(0, 256, (50, 32, 32, 3), dtype=np.uint8)


@pytest.fixture
def flower_photographs() -> Path:
    """A folder of real photographs, where there is one beside the project."""
    folder = Path(__file__).parents[2] / "shared" / "flowers"
    if not folder.is_dir():
        pytest.skip("no folder of flower photographs beside the project")
    return folder


@pytest.fixture(scope="module", autouse=True)
def garbage() -> Iterator[None]:
    """What a file's tests leave in memory is frozen: each later collection would go through it."""
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def environment(tmp_path_factory) -> dict[str, str]:
    """What a process is started with: as a user has it, with an image cache of its own.

    And with one thread of NumPy's, as here: SWD's last digits are those of a number of threads.
    """
    kept = {k: v for k, v in os.environ.items() if k not in ("TF_CPP_MIN_LOG_LEVEL",)}
    return {**kept, "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")), "COLUMNS": "80"}


@pytest.fixture(scope="session")
def models() -> Models:
    return Models()


@pytest.fixture
def stock(request, monkeypatch, models) -> Iterator[None]:
    """Let `build_model` in the test's file take its models from the stock."""
    if hasattr(request.module, "build_model"):
        monkeypatch.setattr(request.module, "build_model", models.take)
    yield
    models.take_back()


@pytest.fixture
def wgan_gp(tmp_path, environment, monkeypatch, models) -> Iterator[InProcess]:
    """The program, to be run in an empty folder; its runs take their models from the stock."""
    monkeypatch.setattr("wgan_gp.runs.training.build_model", models.take)
    monkeypatch.chdir(tmp_path)
    for name in ("XDG_CACHE_HOME", "COLUMNS"):
        monkeypatch.setenv(name, environment[name])
    yield InProcess(tmp_path, environment)
    models.take_back()


@pytest.fixture
def process(tmp_path, environment) -> Shell:
    """The program in a process of its own, to be run in the same folder as `wgan_gp`."""
    return Shell(tmp_path, environment)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """20 pictures, and a broken one."""
    folder = tmp_path_factory.mktemp("my pictures")
    rng = np.random.default_rng(0)
    for number in range(20):
        pixels = rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:02d}.png")
    (folder / "broken.jpg").write_text("not a picture")
    return folder


@pytest.fixture(scope="session")
def finished(tmp_path_factory, environment, pictures) -> tuple[Path, subprocess.CompletedProcess]:
    """The folder of a finished run, and what the command printed."""
    shell = Shell(tmp_path_factory.mktemp("finished"), environment)
    result = shell("train", "--data", pictures, "--run-dir", "run", "--seed", "7", *TINY)
    return shell.folder / "run", result
