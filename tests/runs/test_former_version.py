"""What version 0.1.0 has written can still be used."""

import csv
import dataclasses
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers.former_version import RUN, readable

import wgan_gp as package
from wgan_gp.runs.folder import RunFolder
from wgan_gp.runs.plan import Plan

pytestmark = readable


@pytest.fixture
def begun(wgan_gp) -> Path:
    """A copy of the run that was stopped after 3 of its 5 iterations."""
    return Path(shutil.copytree(RUN / "begun", wgan_gp.folder / "begun"))


def weights(file: Path) -> list[np.ndarray]:
    model = keras.saving.load_model(file)
    optimizers = (model.critic_optimizer, model.generator_optimizer)
    return [*model.get_weights(), *(v.numpy() for o in optimizers for v in o.variables)]


def test_a_model_loads_with_its_optimizers_and_trains_on():
    file = RUN / "begun" / "checkpoints" / "iteration-000003" / "model.keras"
    model = keras.saving.load_model(file)
    assert (int(model.iteration), int(model.seed)) == (3, 3)
    assert int(model.critic_optimizer.iterations) == 3 * 2
    model.fit(np.zeros((4, 2, 32, 32, 3), np.float32), shuffle=False, verbose=0)
    assert int(model.iteration) == 4


# To the bit where the processor is the one that made them; others round in other places.
CLOSE = {"rtol": 1e-3, "atol": 1e-5}


def test_its_checkpoints_do_not_go_on_with_a_setting_that_it_did_not_know(begun):
    config = dataclasses.replace(Plan.of_run(RunFolder.find(begun)).config, penalty_every=4)
    with pytest.raises(package.InputError, match="penalty_every is 1 there, not 4;"):
        package.Checkpoint(begun / "checkpoints").restore(package.build_model(config))


def test_a_run_goes_on_to_where_that_version_ended(begun):
    package.resume(begun, iterations=5, data=RUN / "pictures")
    found = weights(begun / "checkpoints" / "iteration-000005" / "model.keras")
    for expected, array in zip(weights(RUN / "finished.keras"), found, strict=True):
        np.testing.assert_allclose(array, expected, **CLOSE)
    with (begun / "history.csv").open() as rows, (RUN / "finished.csv").open() as others:
        for row, other in zip(csv.DictReader(rows), csv.DictReader(others), strict=True):
            for name in set(other) - {"seconds"}:
                assert float(row[name]) == pytest.approx(float(other[name]), rel=1e-4), name
