"""Run folders of strangers: one sentence, and nothing is written outside."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from wgan_gp import InputError, resume
from wgan_gp.callbacks.checkpoint_folder import CheckpointFolder

HUGE = 10**400
COMMANDS = (
    ["train", "--resume", "--iterations=4"],
    ["export", "--format=keras"],
    ["generate"],
)


@pytest.fixture
def other(wgan_gp, finished) -> Path:
    """A copy of a finished run, which anybody may have changed."""
    return Path(shutil.copytree(finished[0], wgan_gp.folder / "other"))


def change(file: Path, **values) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def everything_outside(folder: Path) -> dict[Path, bytes | None]:
    """Files and folders, but for those of the run."""
    paths = (path for path in folder.rglob("*") if "other" not in path.parts)
    return {path: path.read_bytes() if path.is_file() else None for path in paths}


@pytest.mark.parametrize(
    ("file", "values"),
    [
        ("config.json", {"image_size": HUGE}),
        ("config.json", {"base_filters": HUGE}),
        ("config.json", {"generator_width": HUGE}),
        ("config.json", {"latent_dim": 2**31}),
        ("config.json", {"gradient_penalty_weight": HUGE}),
        ("config.json", {"critic_learning_rate": float("inf")}),
        ("config.json", {"batch_size": "../../x"}),
        ("config.json", {"seed": [1]}),
        ("config.json", {"__class__": "os.system"}),
        ("run.json", {"data": 7}),
        ("run.json", {"data": "/nowhere/../../etc"}),
        ("run.json", {"data": "a\0b"}),
        ("run.json", {"data_dir": {"a": 1}}),
        ("run.json", {"keep_checkpoints": "many"}),
        ("run.json", {"keep_checkpoints": -HUGE}),
        ("run.json", {"checkpoint_every": "week"}),
        ("run.json", {"checkpoint_every": 1.5}),
        ("run.json", {"tensorboard": "yes"}),
        ("run.json", {"images_crc32": None}),
        ("run.json", {"preset": None}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_other_values_of_a_run_are_one_sentence(wgan_gp, other, file, values):
    change(other / file, **values)
    before = everything_outside(wgan_gp.folder)
    wgan_gp.mistake("train", "--run-dir", "other", "--resume", "--iterations=4")
    assert everything_outside(wgan_gp.folder) == before


@pytest.mark.parametrize("name", ["preset", "data", "data_dir", "images", "images_crc32"])
@pytest.mark.parametrize("command", [*COMMANDS[:2], ["evaluate"]], ids=lambda command: command[0])
def test_a_fact_that_is_not_there_is_one_sentence(wgan_gp, other, name, command):
    facts = json.loads((other / "run.json").read_text())
    (other / "run.json").write_text(json.dumps({k: v for k, v in facts.items() if k != name}))
    said = wgan_gp.mistake(command[0], "--run-dir", "other", *command[1:])
    assert f"run.json' is damaged: there is no {name} in it" in said


@pytest.mark.parametrize(
    "text", ["[]", "7", "{", "[" * 100_000, '{"seed": 1e999}'], ids=lambda text: text[:9]
)
@pytest.mark.parametrize("file", ["config.json", "run.json"])
def test_no_settings_at_all_are_one_sentence(wgan_gp, other, file, text):
    (other / file).write_text(text)
    assert len(wgan_gp.mistake("train", "--run-dir", "other", "--resume")) < 300


@pytest.mark.parametrize("name", ["checkpoints", "grids", ".lock", "history.csv", "export"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_link_out_of_the_run_is_not_followed(wgan_gp, other, name, command):
    elsewhere = wgan_gp.folder / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "iteration-000009.png").write_text("of the user")
    (other / "kept").mkdir()
    if (other / name).exists():
        (other / name).rename(other / "kept" / name)
    (other / name).symlink_to(elsewhere)
    before = everything_outside(wgan_gp.folder)
    assert f"'other/{name}' is a link out of the run folder" in wgan_gp.mistake(
        *command, "--run-dir", "other"
    )
    assert everything_outside(wgan_gp.folder) == before


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
@pytest.mark.parametrize("name", ["best.json", "checkpoints/SHA256SUMS"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_a_pipe_that_would_wait_for_ever_is_refused(wgan_gp, other, name, command):
    (other / name).unlink(missing_ok=True)
    os.mkfifo(other / name)
    said = wgan_gp.mistake(*command, "--run-dir", "other")
    assert f"'other/{name}' is a link out of the run folder, or no file" in said


@pytest.mark.parametrize("fact", ["data", "preset"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_text_that_no_file_could_hold_is_one_sentence(wgan_gp, other, fact, command):
    change(other / "run.json", **{fact: "\ud800"})
    assert "'other/run.json' is damaged" in wgan_gp.mistake(*command, "--run-dir", "other")


@pytest.mark.parametrize("data", ["/x/../\0", "~\0", "/x\0"])
def test_images_of_a_name_that_none_can_have_are_one_sentence(wgan_gp, other, data):
    change(other / "run.json", data=data)
    assert len(wgan_gp.mistake("train", "--run-dir", "other", "--resume", "--iterations=4")) < 300


@pytest.mark.parametrize("data", ["/" + "x" * 5000, "PHOTOS"])
def test_images_that_cannot_be_listed_do_not_keep_a_picture_from_being_made(
    wgan_gp, other, monkeypatch, data
):
    photos = wgan_gp.folder / "PHOTOS"
    (photos / "in").mkdir(parents=True)
    change(other / "run.json", data=data.replace("PHOTOS", str(photos)))

    def refuse(folder, onerror, **options):
        onerror(PermissionError(13, "Permission denied", str(folder)))

    monkeypatch.setattr(os, "walk", refuse)
    monkeypatch.setattr("wgan_gp.runs.folder._strange_entries", lambda folder: iter(()))
    wgan_gp("generate", "--run-dir=other", "--output=new.png")
    assert (wgan_gp.folder / "new.png").is_file()


@pytest.mark.parametrize("seconds", ["abc", [1], "NaN"])
def test_a_time_that_is_none_is_one_sentence(wgan_gp, other, seconds):
    checkpoint = max(other.glob("checkpoints/iteration-*"))
    state = json.loads((checkpoint / "state.json").read_text())
    state["callbacks"]["IterationCount"]["seconds"] = seconds
    (checkpoint / "state.json").write_text(json.dumps(state))
    sums = checkpoint / "SHA256SUMS"
    lines = [line for line in sums.read_text().splitlines() if "state.json" not in line]
    lines.append(
        f"{hashlib.sha256((checkpoint / 'state.json').read_bytes()).hexdigest()}  state.json"
    )
    sums.write_text("\n".join(lines) + "\n")
    result = wgan_gp("train", "--run-dir=other", "--resume", "--iterations=4", status=2)
    assert "is not one of this program" in result.stderr


def test_a_link_to_itself_is_one_sentence(wgan_gp, other):
    (other / "loop").symlink_to("loop")
    said = wgan_gp.mistake("generate", "--run-dir", "other")
    assert "loop" in said


def test_a_cache_named_by_the_run_is_not_written_to(wgan_gp, other):
    change(other / "run.json", cache_dir=str(wgan_gp.folder / "elsewhere"))
    wgan_gp("train", "--run-dir", "other", "--resume")
    assert not (wgan_gp.folder / "elsewhere").exists()


@pytest.mark.parametrize("command", [["train", "--resume", "--iterations=4"], ["evaluate"]])
def test_nothing_is_downloaded_to_where_a_run_says(wgan_gp, other, monkeypatch, command):
    elsewhere = wgan_gp.folder / "elsewhere"
    elsewhere.mkdir()
    change(other / "run.json", data="tf_flowers", data_dir=str(elsewhere))
    asked = []
    monkeypatch.setattr("wgan_gp.data.tf_flowers._download", asked.append)
    before = everything_outside(wgan_gp.folder)
    said = wgan_gp.mistake(*command, "--run-dir", "other")
    assert "nothing is downloaded to where a run says: choose a data_dir yourself" in said
    for data_dir in (elsewhere, str(elsewhere)):
        with pytest.raises(InputError, match="nothing is downloaded to where a run says"):
            resume("other", data_dir=data_dir)
    assert everything_outside(wgan_gp.folder) == before
    assert not asked


def test_a_network_of_another_kind_is_one_sentence(wgan_gp, other):
    inputs = [keras.Input((3,)), keras.Input((4,))]
    network = keras.Model(inputs, keras.layers.Concatenate()(inputs))
    network.save(other / "generator.keras")
    for command in ("generate", "export"):
        assert "is not a generator of images" in wgan_gp.mistake(command, "--run-dir", "other")


def test_a_generator_that_cannot_make_an_image_is_one_sentence(wgan_gp, other):
    indices = keras.layers.Embedding(3, 12)  # of which 2e9 is none
    layers = [keras.Input((4,)), keras.layers.Rescaling(1.0, 2e9), indices]
    reshaped = keras.layers.Reshape((4, 4, 3))
    keras.Sequential([*layers, reshaped]).save(other / "generator.keras")
    for command in ("generate", "export"):
        said = wgan_gp.mistake(command, "--run-dir", "other")
        assert "generator.keras' fails to make an image: " in said


def test_a_generator_of_numbers_that_are_not_finite_is_one_sentence(wgan_gp, other):
    generator = keras.saving.load_model(other / "generator.keras")
    generator.set_weights([np.full_like(weight, np.nan) for weight in generator.get_weights()])
    generator.save(other / "generator.keras")
    for command in ("generate", "evaluate"):
        said = wgan_gp.mistake(command, "--run-dir", "other")
        assert "generator.keras' makes images of numbers that are not finite" in said


@pytest.mark.parametrize("text", [b"not a ZIP file", b"PK\5\6" + bytes(18)])
def test_a_checkpoint_that_only_looks_sound_is_one_sentence(wgan_gp, other, text):
    (checkpoint,) = (other / "checkpoints").iterdir()
    (checkpoint / "model.keras").write_bytes(text)
    CheckpointFolder(checkpoint.parent, ("model.keras", "state.json"))._write_sums(checkpoint)
    said = wgan_gp("train", "--run-dir", "other", "--resume", "--iterations=4", status=2).stderr
    assert "model.keras' is of another model: " in said.splitlines()[-1]


def test_infinite_numbers_of_what_was_measured_are_one_sentence(wgan_gp, other):
    shutil.copy(other / "generator.keras", other / "best.keras")
    (other / "best.json").write_text('{"iteration": 1e999}')
    options = ("--run-dir", "other", "--format", "keras", "--best")
    wgan_gp("export", *options)
    facts = json.loads((other / "export" / "best.keras.json").read_text())
    assert facts["iteration"] == "not kept"
    (other / "best-quality.json").write_text('{"count": Infinity, "scores": {}}')
    said = wgan_gp.mistake("export", *options, "--overwrite")
    assert "best-quality.json' is damaged: measure the run once more" in said


def test_a_history_and_tiles_of_another_kind_do_no_harm(wgan_gp, other):
    (other / "history.csv").write_bytes(b"iteration,critic_loss\n3,x\n\xff,\0\n3," + b"9" * 200_000)
    (other / "grids" / "iteration-abc.png").write_text("not a number")
    with (other / "history.csv").open("a") as file:
        file.write("\n" + "9" * 5_000 + ",1\n")
    wgan_gp("export", "--run-dir", "other", "--format", "keras", "--output", "a.keras")
    assert "not kept" in (wgan_gp.folder / "a.keras.md").read_text()
    wgan_gp("train", "--run-dir", "other", "--resume", "--iterations=4")
    assert (other / "grids" / "iteration-abc.png").is_file()
