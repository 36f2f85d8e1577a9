"""`wgan_gp.train` and `wgan_gp.resume`: what the command does, in Python."""

import dataclasses
import errno
import json
import logging
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from helpers.outcome import outcome
from helpers.shell import TINY
from PIL import Image

import wgan_gp as package
from wgan_gp import Config, InputError
from wgan_gp.data.stream import training_indices
from wgan_gp.runs.folder import RunFolder
from wgan_gp.runs.plan import Plan
from wgan_gp.runs.run import RunImages, start_run
from wgan_gp.runs.training import _monitor, _prepare, _quality
from wgan_gp.support.layer_defaults import layer_defaults
from wgan_gp.support.memory import enough_memory

SETTINGS = dataclasses.replace(
    Config.preset("quick"),
    final_learning_rate=1.0,
    image_size=32,
    base_filters=2,
    batch_size=4,
    n_critic=2,
    iterations=3,
    monitor_every=2,
    holdout=0.0,
)


@pytest.fixture
def begun(wgan_gp, pictures, capsys, caplog):
    caplog.set_level(logging.CRITICAL)
    package.train(SETTINGS, pictures, "python", checkpoint_every=2)
    return wgan_gp.folder / "python"


def test_train_makes_the_run_of_the_command(wgan_gp, pictures, begun):
    wgan_gp("train", "--data", pictures, "--run-dir", "command", "--checkpoint-every=2", *TINY)
    assert outcome(begun) == outcome(wgan_gp.folder / "command")
    facts = json.loads((begun / "run.json").read_text())
    command = json.loads((wgan_gp.folder / "command" / "run.json").read_text())
    assert (facts.pop("preset"), command.pop("preset")) == ("custom", "quick")
    for known in (facts, command):  # a .keras file has the time in which it was made
        assert len(known.pop("generator_sha256")) == 64
    assert facts == command


def test_resume_goes_on_and_returns_the_model(wgan_gp, pictures, begun):
    package.train(dataclasses.replace(SETTINGS, iterations=5), pictures, "whole")
    model = package.resume(begun, iterations=5)
    assert int(model.iteration) == 5
    resumed, whole = (outcome(wgan_gp.folder / name) for name in ("python", "whole"))
    assert resumed["models"] == whole["models"]
    assert resumed["history"] == whole["history"]
    with Image.open(begun / "samples.png") as samples:
        np.testing.assert_array_equal(samples, package.image_grid(model.generate(25)))


def test_the_settings_decide_the_precision_of_a_run_and_not_keras(wgan_gp, pictures, begun):
    with layer_defaults("mixed_bfloat16"):
        package.train(SETTINGS, pictures, "other", checkpoint_every=2)
    assert outcome(wgan_gp.folder / "other") == outcome(begun)


def test_the_command_resumes_what_python_began(wgan_gp, begun):
    wgan_gp("train", "--run-dir", "python", "--resume", "--iterations=4")
    assert json.loads((begun / "run.json").read_text())["generator_iteration"] == 4


def test_resume_refuses_other_settings_and_images(begun, tmp_path):
    with pytest.raises(InputError, match="base_filters is 2 there, not 4"):
        package.resume(begun, base_filters=4)
    with pytest.raises(InputError, match=r"in 'synthetic' are not .*\(4,096, not 20\): make them"):
        package.resume(begun, data="synthetic")
    with pytest.raises(InputError, match="there is no run folder"):
        package.resume(tmp_path / "nowhere")
    for name in ("speed", "config"):
        with pytest.raises(TypeError, match=rf"resume\(\) got an unexpected .* '{name}'"):
            package.resume(begun, **{name: 2})


def test_what_cannot_be_trained_leaves_no_folder(wgan_gp, monkeypatch):
    with pytest.raises(InputError, match=r"must be a Config, such as .*, not 'quick'"):
        package.train("quick")
    with pytest.raises(InputError, match="not a ndarray: give images in memory to make_dataset"):
        package.train(SETTINGS, np.zeros((8, 32, 32, 3), np.uint8), "run")
    monkeypatch.setattr("keras.backend.backend", lambda: "torch")
    with pytest.raises(InputError, match=r"computes with torch.*set KERAS_BACKEND=tensorflow"):
        package.train(SETTINGS, run_dir="run")
    assert list(wgan_gp.folder.iterdir()) == []


def test_a_folder_that_is_taken_is_refused_before_the_images_are_read(begun, monkeypatch):
    monkeypatch.setattr("wgan_gp.runs.run._load_images", None)
    with pytest.raises(InputError, match="already holds files: choose another run_dir"):
        package.train(SETTINGS, run_dir=begun)


def test_a_folder_that_another_run_has_taken_meanwhile_is_left_to_it(tmp_path, monkeypatch):
    images = RunImages(np.zeros((4, 32, 32, 3), np.uint8), crc32=5, training=np.arange(4))
    monkeypatch.setattr("wgan_gp.runs.run._load_images", lambda plan: images)
    late = start_run(Plan(dataclasses.replace(SETTINGS, batch_size=2)), tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    folder.write_settings(SETTINGS)
    folder.write_facts({**Plan(SETTINGS).facts(), "images": 4, "images_crc32": 5})
    folder.history.write_text("what the other has done")
    with pytest.raises(InputError, match="already holds files: choose another run_dir"):
        late.train()
    assert folder.read()[0] == SETTINGS


def test_drawn_flowers_that_come_out_otherwise_on_this_machine_are_said_to(tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path / "run")
    plan = Plan(SETTINGS)
    folder.write_settings(plan.config)
    folder.write_facts({**plan.facts(), "images": 4, "images_crc32": 5})
    drawn = RunImages(np.zeros((4, 32, 32, 3), np.uint8), crc32=6, training=np.arange(4))
    monkeypatch.setattr("wgan_gp.runs.run._load_images", lambda plan, may_prepare: drawn)
    with pytest.raises(InputError, match="this machine draws them otherwise: go on where it"):
        package.resume(folder.path)


def test_a_run_without_a_name_gets_a_numbered_folder(wgan_gp, pictures, caplog, capsys):
    caplog.set_level(logging.CRITICAL)
    package.train(SETTINGS, pictures)
    (run,) = (wgan_gp.folder / "runs").iterdir()
    assert run.name == "0001-custom-my-pictures0"
    assert f"results: runs/{run.name}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "name"),
    [("x" * 250, "x" * 100), ("\u82b1" * 84, "\u82b1" * 33), ("---", "images")],
    ids=["long", "long in bytes", "none"],
)
def test_images_whose_name_is_too_long_or_none_have_a_folder_all_the_same(
    tmp_path, monkeypatch, data, name
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wgan_gp.runs.run._load_images", lambda plan: None)
    assert start_run(Plan(SETTINGS, data=data)).folder.path.name == f"0001-custom-{name}"


def test_a_run_finds_its_images_from_wherever_it_is_resumed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    facts = Plan(SETTINGS, data="here", data_dir="~/prepared").facts()
    assert facts["data"] == str(Path.cwd() / "here")
    assert facts["data_dir"] == str(Path.home() / "prepared")


def test_too_little_memory_on_the_device_is_one_sentence(wgan_gp, pictures):
    # More than any system promises: 5 * 10^16 bytes.
    settings = ["--image-size=32", "--batch-size=4", "--latent-dim=2000000000"]
    settings += ["--base-filters=100000"]
    said = wgan_gp("train", "--data", pictures, "--run-dir", "run", *settings, status=2).stderr
    assert said.splitlines()[-1] == (
        "wgan-gp: there is not enough memory for this: try a new run with a smaller "
        "batch_size (here 4), base_filters (100000) or image_size (32)"
    )
    assert wgan_gp.mistake("train", *settings, "--dry-run") == said.splitlines()[-1]


@pytest.mark.parametrize("reason", ["No space left on device", "Too many open files"])
def test_a_file_that_cannot_be_written_is_not_taken_for_too_little_memory(reason):
    error = tf.errors.ResourceExhaustedError(None, None, f"run/a; {reason}\nmore")
    with pytest.raises(OSError, match=rf"^run/a; {reason}$"), enough_memory("x"):
        raise error


def test_a_run_whose_rates_fall_to_its_end_keeps_its_length(wgan_gp, pictures, caplog):
    caplog.set_level(logging.CRITICAL)
    falling = dataclasses.replace(SETTINGS, iterations=1, final_learning_rate=0.5)
    package.train(falling, pictures, "falling")
    with pytest.raises(InputError, match="iterations is 1 there, not 2"):
        package.resume("falling", iterations=2)


def test_a_finished_run_whose_tiles_were_taken_away_keeps_its_film(wgan_gp, pictures):
    settings = [*TINY, "--data", pictures, "--run-dir", "run"]
    wgan_gp("train", *settings)
    film = (wgan_gp.folder / "run" / "training.gif").read_bytes()
    shutil.rmtree(wgan_gp.folder / "run" / "grids")
    wgan_gp("train", "--run-dir", "run", "--resume")
    assert (wgan_gp.folder / "run" / "training.gif").read_bytes() == film


def test_facts_that_a_start_left_unfinished_are_written_anew(wgan_gp, pictures):
    (wgan_gp.folder / "run").mkdir()
    (wgan_gp.folder / "run" / "run.json").write_text("")
    wgan_gp("train", *TINY, "--data", pictures, "--run-dir", "run")
    assert json.loads((wgan_gp.folder / "run" / "run.json").read_text())["images"] == 20


def test_a_start_that_failed_at_its_checkpoints_is_a_run_to_go_on_with(
    wgan_gp, pictures, monkeypatch
):
    def refuse(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "run/checkpoints")

    with monkeypatch.context() as full:
        full.setattr("wgan_gp.callbacks.checkpoint_folder.CheckpointFolder.begin", refuse)
        train = ("train", "--data", pictures, "--run-dir", "run", *TINY)
        said = wgan_gp(*train, status=2).stderr.splitlines()[-1]
    assert said.endswith("go on with: wgan-gp train --run-dir run --resume")
    wgan_gp("train", "--run-dir", "run", "--resume")
    assert (wgan_gp.folder / "run" / "generator.keras").is_file()


def test_a_run_measures_images_that_it_does_not_train_on(tiny_config, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (300, 32, 32, 3), dtype=np.uint8)
    config = dataclasses.replace(tiny_config, holdout=0.4)
    training = training_indices(images, config)
    (quality,) = _quality(config, RunFolder(tmp_path), images, training)
    assert len(quality.images) == 300 - len(training)
    trained_on = {image.tobytes() for image in images[training]}
    assert not any(image.tobytes() in trained_on for image in quality.images)


def test_a_run_measures_and_draws_as_its_settings_say(tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr("wgan_gp.callbacks.quality.SlicedWasserstein", lambda images: None)
    images = np.random.default_rng(0).integers(0, 256, (300, 32, 32, 3), dtype=np.uint8)
    folder, measured = RunFolder(tmp_path), []
    for seed in (0, 1):
        config = dataclasses.replace(tiny_config, holdout=0.0, seed=seed)
        (quality,) = _quality(config, folder, images, np.arange(300))
        monitor = _monitor(config, folder, False, quality)
        assert quality.last_iteration == monitor.last_iteration == config.iterations
        assert monitor.seed == seed
        assert monitor.quality is quality
        measured.append(quality.images)
    assert not np.array_equal(*measured)


def test_tiles_of_iterations_that_are_done_once_more_are_taken_away(tmp_path):
    folder = RunFolder(tmp_path)
    folder.grids.mkdir()
    for iteration in (2, 99):
        (folder.grids / f"iteration-{iteration:06d}.png").touch()
    folder.write_facts({})
    _prepare(folder, Plan(SETTINGS), np.zeros((1, 32, 32, 3), np.uint8), done=3)
    assert list(folder.tiles()) == [2]


def test_a_run_that_could_not_be_resumed_is_not_begun(tmp_path):
    with pytest.raises(InputError, match="tensorboard must be true or false, not 'logs'"):
        package.train(SETTINGS, "synthetic", tmp_path / "run", tensorboard="logs")
    assert not (tmp_path / "run").exists()
