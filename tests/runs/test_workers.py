"""Two workers on one machine, as several machines would be: one dies, and the run goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers.ports import free_ports
from PIL import Image

from wgan_gp.runs.folder import RunFolder
from wgan_gp.runs.run import _worker_folder

TWO = [
    "--strategy=multi-worker", "--image-size=32", "--base-filters=2", "--latent-dim=6",
    "--batch-size=8", "--iterations=30", "--monitor-every=10", "--checkpoint-every=10",
]  # fmt: skip


class Workers:
    """The processes of a run, each with its place in TF_CONFIG."""

    def __init__(self, folder: Path, environment: dict[str, str], *arguments: str) -> None:
        cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
        self.folder = folder
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "wgan_gp", "train", *TWO, *arguments],
                cwd=folder,
                env={
                    **environment,
                    "TF_CONFIG": json.dumps(
                        {"cluster": cluster, "task": {"type": "worker", "index": index}}
                    ),
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for index in range(2)
        ]

    def finish(self) -> list[tuple[int, str]]:
        """How each ended, and what it wrote to standard error."""
        errors = [process.communicate(timeout=300)[1] for process in self.processes]
        return [(p.returncode, text) for p, text in zip(self.processes, errors, strict=True)]

    def kill_after(self, worker: int, checkpoint: str) -> None:
        """Kill one as soon as the checkpoint is there."""
        while not (self.folder / "killed" / "checkpoints" / checkpoint).is_dir():
            assert all(process.poll() is None for process in self.processes)
            time.sleep(0.2)
        os.kill(self.processes[worker].pid, signal.SIGKILL)


def test_a_worker_goes_on_from_a_copy_of_what_it_needs(tmp_path):
    needed = ["config.json", "checkpoints/iteration-000010/model.keras"]
    others = [".lock", "grids/iteration-000010.png", "tensorboard/events", ".writing-best.keras"]
    for name in needed + others:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    copy = _worker_folder(RunFolder(tmp_path)).path
    found = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    assert found == set(needed)


@pytest.mark.slow
@pytest.mark.parametrize("dying", [0, 1])
def test_a_worker_that_dies_stops_the_other_and_the_run_goes_on(tmp_path, environment, dying):
    whole = Workers(tmp_path, environment, "--run-dir=whole").finish()
    assert [status for status, _ in whole] == [0, 0]
    workers = Workers(tmp_path, environment, "--run-dir=killed")
    workers.kill_after(dying, "iteration-000010")
    status, said = workers.finish()[1 - dying]
    assert status != 0
    if dying == 1:  # the first worker's end is answered by TensorFlow itself
        assert status == 2
        assert "wgan-gp: another worker has stopped, and none can go on alone" in said
        assert "Traceback" not in said

    resumed = Workers(tmp_path, environment, "--run-dir=killed", "--resume").finish()
    assert [status for status, _ in resumed] == [0, 0]
    generators = [
        keras.saving.load_model(tmp_path / run / "generator.keras") for run in ("whole", "killed")
    ]
    for a, b in zip(*(generator.get_weights() for generator in generators), strict=True):
        np.testing.assert_array_equal(a, b)
    pictures = [Image.open(tmp_path / run / "samples.png") for run in ("whole", "killed")]
    np.testing.assert_array_equal(*pictures)
