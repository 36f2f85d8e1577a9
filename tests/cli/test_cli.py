"""The command line, run as a user runs it."""

import errno
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers.shell import TINY, errors
from PIL import Image

from wgan_gp import Config, __version__
from wgan_gp.cli.main import main
from wgan_gp.runs.folder import RunFolder
from wgan_gp.support.alone import alone


def test_a_run_leaves_its_results(finished):
    run, _ = finished
    files = {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()}
    assert files == {
        ".lock",
        "checkpoints/iteration-000003/SHA256SUMS",
        "checkpoints/iteration-000003/model.keras",
        "checkpoints/iteration-000003/state.json",
        "config.json",
        "generator.keras",
        "grids/iteration-000001.png",
        "grids/iteration-000002.png",
        "grids/iteration-000003.png",
        "history.csv",
        "progress.png",
        "reals.png",
        "run.json",
        "samples.png",
        "training.gif",
    }
    config = Config.from_json((run / "config.json").read_text())
    assert (config.seed, config.iterations, config.critic_activation) == (7, 3, "linear")
    facts = json.loads((run / "run.json").read_text())
    assert (facts["preset"], facts["images"]) == ("quick", 20)
    assert facts["data"].endswith("my pictures0")
    assert keras.saving.load_model(run / "generator.keras").output_shape == (None, 32, 32, 3)


def test_a_run_says_what_it_does_and_nothing_else(finished):
    _, result = finished
    first, second, third, *progress, last = (x for x in result.stdout.splitlines() if x)
    assert first.startswith("Training on 20 images of 32x32 for 3 generator iterations on the ")
    assert first.endswith("results: run")
    assert third.startswith("The first iteration")
    assert second == (
        "Quality is not measured, and no best generator kept: there are 20 images to compare with, "
        "and 64 are needed."
    )
    assert "3/3" in progress[-1]
    assert last.startswith("Done.")
    assert errors(result) == ["1 of 21 images cannot be read and are left out: broken.jpg"]


def test_the_reals_are_pictures_of_the_folder(finished, pictures):
    tile = np.asarray(Image.open(finished[0] / "reals.png"))
    with Image.open(pictures / "00.png") as picture:
        first = np.asarray(picture.resize((32, 32), Image.Resampling.BICUBIC))
    np.testing.assert_array_equal(tile[:32, :32], first)


def test_training_without_options_is_quick_on_synthetic(wgan_gp, monkeypatch):
    monkeypatch.setattr("wgan_gp.data.images.SYNTHETIC_COUNT", 256)
    monkeypatch.setattr("wgan_gp.runs.run.train_in", lambda *arguments: None)
    first = wgan_gp("train").stdout
    said = r"Training on (\d+) images of 64x64 \((\d+) more are held out\) for 1,500 generator"
    assert sum(map(int, re.match(said, first).groups())) == 256
    run = wgan_gp.folder / "runs" / "0001-quick-synthetic"
    assert json.loads((run / "run.json").read_text())["preset"] == "quick"


def test_the_bare_command_shows_its_help(process):
    said = process().stdout
    assert "train        Train a WGAN-GP on images" in said
    assert said == process("--help").stdout


def test_where_nobody_reads_what_is_printed_nothing_fails(environment):
    buffered = {name: x for name, x in environment.items() if name != "PYTHONUNBUFFERED"}
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "wgan_gp", "--version"]
    with os.fdopen(writing, "w") as pipe:
        result = subprocess.run(
            command, env=buffered, stdout=pipe, stderr=subprocess.PIPE, text=True, check=True
        )
    assert result.stderr == ""


def test_no_character_and_no_closed_stream_stops_the_program(finished, environment, tmp_path):
    command = [sys.executable, "-m", "wgan_gp", "generate", "--run-dir", finished[0], "--output"]
    narrow = {**environment, "PYTHONIOENCODING": "latin-1"}
    result = subprocess.run(
        [*command, "\u82b1.png"], cwd=tmp_path, env=narrow, capture_output=True, check=True
    )
    assert result.stdout == b"25 images: \\u82b1.png\n"
    closed = [*map(shlex.quote, map(str, command)), "a.png", "2>&-"]
    subprocess.run(" ".join(closed), shell=True, cwd=tmp_path, env=environment, check=True)
    assert {path.name for path in tmp_path.iterdir()} == {"\u82b1.png", "a.png"}


def test_a_keras_json_of_the_user_s_does_not_change_a_run(environment, tmp_path):
    (tmp_path / "keras.json").write_text(
        '{"image_data_format": "channels_first", "floatx": "float64", "epsilon": 0.001}'
    )
    command = [sys.executable, "-m", "wgan_gp", "train", "--dry-run", "--base-filters=2"]
    told = [
        subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
        for env in (environment, {**environment, "KERAS_HOME": str(tmp_path)})
    ]
    as_it_is, changed = (text[: text.index("Cost: ")] for text in told)
    assert as_it_is == changed


def test_the_version_is_told(wgan_gp):
    assert wgan_gp("--version").stdout == f"wgan-gp {__version__}\n"


TENSORFLOW_IS_LOADED = """
import sys
import wgan_gp.cli.main
try:
    wgan_gp.cli.main.main(sys.argv[1:])
except SystemExit:
    print("tensorflow" in sys.modules)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["train", "--help"],
        ["train", "--base-filter=3"],
        ["train", "--image-size=48"],
        ["train", "--resume", "--run-dir=nowhere"],
    ],
)
def test_help_and_mistakes_are_answered_without_tensorflow(environment, tmp_path, arguments):
    result = subprocess.run(
        [sys.executable, "-c", TENSORFLOW_IS_LOADED, *arguments],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.endswith("False\n")


def test_help_on_resuming_needs_no_run(wgan_gp):
    assert wgan_gp("train", "--resume", "--help").stdout == wgan_gp("train", "--help").stdout


def test_a_dry_run_shows_settings_layers_and_cost_and_makes_nothing(wgan_gp):
    plan = wgan_gp("train", "--preset", "matlab", "--seed", "3", "--dry-run").stdout
    settings = json.loads(plan[: plan.index("}") + 1])
    assert settings == {**json.loads(Config().to_json()), "seed": 3}
    assert "4,316,545" in plan
    assert "5,133,443" in plan
    assert "Cost: 1.45 TFLOP an iteration" in plan
    assert list(wgan_gp.folder.iterdir()) == []


def test_a_dry_run_looks_whether_there_are_images(wgan_gp, pictures):
    assert "there is no folder 'gone'" in wgan_gp.mistake("train", "--data=gone", "--dry-run")
    prepared = ["--data=tf_flowers", "--data-dir=gone"]
    assert "there is no folder 'gone'" in wgan_gp.mistake("train", *prepared, "--dry-run")
    few = ["--dry-run", "--image-size=32", "--base-filters=2", "--batch-size=4"]
    for data in (pictures, "tf_flowers"):  # which may have to be downloaded, as no dry run does
        assert "Cost: " in wgan_gp("train", "--data", data, *few).stdout
    assert list(wgan_gp.folder.iterdir()) == []


def test_a_dry_run_looks_whether_there_are_enough_images(wgan_gp, pictures):
    few = ["--data", pictures, "--dry-run", "--image-size=32", "--base-filters=2"]
    said = wgan_gp.mistake("train", *few, "--batch-size=300")
    assert "21 images are fewer than one mini-batch of 300: add images, or lower" in said
    assert "Pictures found: 21." in wgan_gp("train", *few, "--batch-size=4").stdout


def test_a_dry_run_of_a_run_tells_what_is_left(wgan_gp, finished):
    again = ["train", "--run-dir", finished[0], "--resume", "--dry-run", "--iterations=9"]
    assert re.search(
        r"3 of 9 iterations are done already: 0:00:00 are left", wgan_gp(*again).stdout
    )


def test_resuming_a_finished_run_does_not_announce_a_first_iteration(wgan_gp, finished):
    run = shutil.copytree(finished[0], wgan_gp.folder / "copy")
    said = wgan_gp("train", "--run-dir", run, "--resume").stdout
    assert "All of them are done already" in said
    assert "The first iteration" not in said


@pytest.mark.parametrize("columns", ["1", "4", "30"])
def test_help_can_be_read_in_the_narrowest_terminal(wgan_gp, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    said = wgan_gp("train", "--help").stdout
    assert "--base-filters" in said
    assert len(said.splitlines()) < 1000  # not a letter in each


def test_a_folder_that_is_no_run_is_called_so_whatever_is_in_it(wgan_gp):
    (wgan_gp.folder / "photographs").mkdir()
    (wgan_gp.folder / "photographs" / "broken.jpg").symlink_to("/nowhere")
    said = wgan_gp.mistake("train", "--run-dir", "photographs", "--resume")
    assert said == "wgan-gp: 'photographs' holds no run: there is no run.json in it"


def test_a_dry_run_looks_whether_its_folder_is_free(wgan_gp):
    (wgan_gp.folder / "full").mkdir()
    (wgan_gp.folder / "full" / "notes.txt").touch()
    said = wgan_gp.mistake("train", "--run-dir=full", "--dry-run")
    assert said == (
        "wgan-gp: 'full' already holds files: choose another run_dir, or resume the run in it"
    )


@pytest.mark.parametrize(("preset", "rate"), [("matlab", "0.0002"), ("quick", "0.001")])
def test_help_states_the_presets_defaults(wgan_gp, preset, rate):
    text = " ".join(wgan_gp("train", "--preset", preset, "--help").stdout.replace("│", "").split())
    assert f"--critic-learning-rate FLOAT Adam's step size for the critic (default: {rate})" in text
    for name in json.loads(Config().to_json()):
        assert re.search(rf"--{name.replace('_', '-')}\b", text)


WITHOUT_THE_PACKAGE = """
import sys
sys.modules["wgan_gp"] = None  # every import of it fails
import keras
images = keras.saving.load_model(sys.argv[1])(keras.random.normal((2, 100))).numpy()
print(images.shape, -1 <= images.min() < images.max() <= 1)
"""


def test_the_generator_loads_with_keras_alone(finished, environment):
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_PACKAGE, finished[0] / "generator.keras"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout == "(2, 32, 32, 3) True\n"


def test_the_same_seed_and_another_in_whole_runs(wgan_gp, finished, pictures):
    for name, seed in (("same", "7"), ("other", "8")):
        wgan_gp("train", "--data", pictures, "--run-dir", name, "--seed", seed, *TINY)
    samples = [
        np.asarray(Image.open(folder / "samples.png"))
        for folder in (finished[0], wgan_gp.folder / "same", wgan_gp.folder / "other")
    ]
    assert np.array_equal(samples[0], samples[1])
    assert not np.array_equal(samples[0], samples[2])


def test_tensorboard_logs_scalars_and_tiles(wgan_gp, pictures):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    wgan_gp("train", "--data", pictures, "--run-dir", "run", "--tensorboard", *TINY)
    tags = set()
    for folder in {path.parent for path in (wgan_gp.folder / "run").rglob("events.*")}:
        log = EventAccumulator(str(folder)).Reload()
        tags |= set(log.Tags()["tensors"])
    assert {"epoch_critic_loss", "epoch_generator_loss", "grid"} <= tags


def test_what_is_in_the_way_of_tensorboard_is_named(wgan_gp, pictures):
    wgan_gp("train", "--data", pictures, "--run-dir", "run", *TINY)
    (wgan_gp.folder / "run" / "tensorboard").touch()
    resume = ["--run-dir", "run", "--resume", "--tensorboard", "--iterations=4"]
    said = errors(wgan_gp("train", *resume, status=2))[-1]
    assert said.startswith("wgan-gp: 'run/tensorboard' cannot be used (File exists): when that is")


def test_tensorboard_is_asked_for_by_name_where_it_is_missing(monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as exit_:
        main(["train", "--tensorboard"])
    assert exit_.value.code == 2
    assert (
        "the extra 'tensorboard' is not installed: pip install tensorboard"
        in capsys.readouterr().err
    )


def test_generate_makes_one_tiled_picture_or_fills_a_folder(wgan_gp, finished):
    wgan_gp("generate", "--run-dir", finished[0], "--count", "6", "--output", "new/six.png")
    with Image.open(wgan_gp.folder / "new" / "six.png") as picture:
        assert picture.size == (3 * 32, 2 * 32)
    (wgan_gp.folder / "v1.0").mkdir()
    wgan_gp("generate", "--run-dir", finished[0], "--count", "2", "--output", "v1.0")
    assert {path.name for path in (wgan_gp.folder / "v1.0").iterdir()} == {"00000.png", "00001.png"}


def test_generate_makes_single_pictures_and_the_seed_decides_them(wgan_gp, finished):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        wgan_gp(
            "generate", "--run-dir", finished[0], "--count", 3, "--seed", seed, "--output", name
        )
    read = {
        name: [np.asarray(Image.open(path)) for path in sorted((wgan_gp.folder / name).iterdir())]
        for name in "abc"
    }
    assert np.shape(read["a"]) == (3, 32, 32, 3)
    assert np.array_equal(read["a"], read["b"])
    assert not np.array_equal(read["a"], read["c"])


def test_no_image_is_added_to_those_that_the_run_trains_on(wgan_gp, pictures, tmp_path):
    photographs = tmp_path / "photographs"
    shutil.copytree(pictures, photographs)
    (photographs / "link").symlink_to(photographs)
    shutil.copytree(pictures, tmp_path / "roses")
    (photographs / "roses").symlink_to(tmp_path / "roses")
    run = photographs / "runs" / "mine"  # which is no part of them
    wgan_gp("train", "--data", photographs, "--run-dir", run, *TINY)
    before = sorted(photographs.iterdir())
    outputs = ("new.png", "new", "link/new.png", "runs/new.png", "roses/x/y.png", "../roses/y.png")
    for output in outputs:
        made = ["--run-dir", run, "--output", photographs / output]
        said = wgan_gp.mistake("generate", *made)
        assert "would be one of the images in" in said
        assert "that the run trains on: choose another --output" in said
    film = ["--run-dir", run, "--output", photographs / "walk.gif"]
    assert "would be one of the images in" in wgan_gp.mistake("interpolate", *film)
    own = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for output in ("grids/iteration-000009.png", "samples.png", "checkpoints/x/y", "training.gif"):
        command = "interpolate" if output.endswith("gif") else "generate"
        taken = ["--run-dir", run, "--output", run / output, "--overwrite"]
        assert "would be a file of the run itself" in wgan_gp.mistake(command, *taken)
    assert own == {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert sorted(photographs.iterdir()) == before
    wgan_gp("generate", "--run-dir", run, "--count=2", "--output", run / "new.png")
    wgan_gp("train", "--run-dir", run, "--resume", "--iterations=3")


def test_generate_overwrites_only_when_told(wgan_gp, finished):
    run = ["generate", "--run-dir", finished[0], "--output"]
    (wgan_gp.folder / "kept.png").write_text("mine")
    assert "'kept.png' exists already" in wgan_gp.mistake(*run, "kept.png")
    (wgan_gp.folder / "folder").mkdir()
    (wgan_gp.folder / "folder" / "mine.txt").write_text("mine")
    assert "'folder' exists already" in wgan_gp.mistake(*run, "folder")
    (wgan_gp.folder / "seen").mkdir()
    (wgan_gp.folder / "seen" / ".DS_Store").write_text("of a file manager")
    wgan_gp(*run, "seen")
    # A folder that is made on the way would make it the same file.
    assert "/kept.png' exists already" in wgan_gp.mistake(*run, "new/../kept.png")
    assert "/folder' exists already" in wgan_gp.mistake(*run, "new/../folder")
    (wgan_gp.folder / "kept.gif").write_text("mine")
    film = ["interpolate", *run[1:], "new/../kept.gif"]
    assert "/kept.gif' exists already" in wgan_gp.mistake(*film)
    assert (wgan_gp.folder / "kept.png").read_text() == "mine"
    wgan_gp(*run, "kept.png", "--overwrite")
    with Image.open(wgan_gp.folder / "kept.png") as picture:
        assert picture.size == (160, 160)


def test_generate_keeps_the_pictures_of_others(wgan_gp, finished):
    run = ["generate", "--run-dir", finished[0], "--overwrite", "--output", "folder", "--count"]
    (wgan_gp.folder / "folder").mkdir()
    for number in range(5):
        Image.new("RGB", (8, 8), "red").save(wgan_gp.folder / "folder" / f"0000{number}.png")
    before = {path: path.read_bytes() for path in (wgan_gp.folder / "folder").iterdir()}
    assert "'folder/00000.png' was not written by this program" in wgan_gp.mistake(*run, 1)
    assert {path: path.read_bytes() for path in before} == before
    (wgan_gp.folder / "folder" / "00000.png").unlink()
    for _ in range(2):
        wgan_gp(*run, 1)
    left = {path.name for path in (wgan_gp.folder / "folder").iterdir()}
    assert left == {f"0000{number}.png" for number in range(5)}
    for path in before:
        assert path.name == "00000.png" or path.read_bytes() == before[path]


@pytest.mark.parametrize(("command", "name"), [("generate", "a.png"), ("interpolate", "a.gif")])
def test_a_link_in_place_of_a_picture_is_not_overwritten_or_followed_for_ever(
    wgan_gp, finished, command, name
):
    link = wgan_gp.folder / name
    link.symlink_to("/nowhere/at/all")
    said = wgan_gp.mistake(command, "--run-dir", finished[0], "--output", name)
    assert f"'{name}' exists already" in said
    assert link.is_symlink()
    link.unlink()
    link.symlink_to(link)
    wgan_gp.mistake(command, "--run-dir", finished[0], "--output", name, "--overwrite")
    assert link.is_symlink()


def test_a_run_never_overwrites_another(wgan_gp, finished, pictures):
    before = (finished[0] / "history.csv").read_bytes()
    result = wgan_gp("train", "--data", pictures, "--run-dir", finished[0], *TINY, status=2)
    assert "already holds files: choose another run_dir" in errors(result)[-1]
    assert (finished[0] / "history.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--data", "nowhere"], "there is no folder 'nowhere': data must be 'synthetic'"),
        (["train", "--data", "empty"], "no image found in 'empty'"),
        (["train", "--data", "texts"], "none of the images in 'texts' can be read (1 tried)"),
        (["train", "--data", "few", "--batch-size", "4"], "3 images are fewer than one mini-batch"),
        (["train", "--image-size", "48"], "--image-size must be one of 32, 64, 128, 256, not 48"),
        (["train", "--seed=-1"], "wgan-gp: --seed must be from 0 to"),
        (["train", "--data", "tf_flowers", "--data-dir", "nowhere"], "no folder 'nowhere'"),
        (["train", "--data-dir", "empty"], "a data_dir goes with the data 'tf_flowers'"),
        (["generate", "--run-dir", "nowhere"], "there is no run folder 'nowhere'"),
        (["interpolate", "--run-dir", "nowhere"], "there is no run folder 'nowhere'"),
        (["generate", "--run-dir", "empty"], "holds no generator.keras: has its training"),
        (["generate", "--run-dir", "damaged"], "generator.keras' is damaged"),
        (["export", "--run-dir", "empty", "--output", "."], "must be a new name, not '.'"),
        (["generate", "--run-dir", "x" * 300], "cannot be read: File name too long"),
        (["train", "--resume", "--run-dir", "x" * 300], "cannot be read: File name too long"),
        (["train", "--data", ""], "--data is followed by an empty value: give it one, or leave"),
        (["train", "--resume", "--run-dir="], "--run-dir is followed by an empty value"),
        (["generate", "--run_dir="], "--run_dir is followed by an empty value"),
        (["generate", "--pretrained", "flowers", "--output", ""], "--output is followed by an em"),
        (
            ["generate", "--pretrained", "flowers", "--output", "x" * 300],
            "cannot be used: File name too long",
        ),
    ],
)  # fmt: skip
def test_a_mistake_gets_one_sentence_and_makes_nothing(wgan_gp, arguments, said):
    for name in ("empty", "texts", "few", "damaged"):
        (wgan_gp.folder / name).mkdir()
    (wgan_gp.folder / "texts" / "a.png").write_text("text")
    (wgan_gp.folder / "damaged" / "generator.keras").write_text("text")
    for name in "abc":
        Image.new("RGB", (8, 8)).save(wgan_gp.folder / "few" / f"{name}.png")
    assert said in wgan_gp.mistake(*arguments)
    assert not (wgan_gp.folder / "runs").exists()


@pytest.mark.parametrize("command", ["generate", "interpolate", "export"])
def test_nothing_is_written_to_a_current_folder_that_is_gone(wgan_gp, monkeypatch, command):
    (wgan_gp.folder / "gone").mkdir()
    monkeypatch.chdir(wgan_gp.folder / "gone")
    (wgan_gp.folder / "gone").rmdir()
    assert "cannot be written: No such file" in wgan_gp.mistake(command, "--pretrained", "flowers")


@pytest.mark.parametrize("is_left", [True, False])
def test_what_another_user_has_left_in_the_way_is_named(wgan_gp, monkeypatch, is_left):
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", ".writing-a.png")

    monkeypatch.setattr("wgan_gp.cli.commands.alone", refuse)
    if is_left:
        (wgan_gp.folder / ".writing-a.png").touch()
    said = wgan_gp.mistake("generate", "--pretrained", "flowers", "--output", "a.png")
    left = ", as '.writing-a.png' is in the way" if is_left else ""
    denied = f"'a.png' cannot be written: Permission denied{left}; choose another --output"
    assert said == f"wgan-gp: {denied}"


def test_without_a_folder_for_temporary_files_one_is_asked_for(wgan_gp, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", None)  # where one is kept that was found
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", list)
    said = wgan_gp.mistake("generate", "--pretrained", "flowers")
    assert said.endswith("free some space, or let TMPDIR name one")


def test_a_tensorflow_that_cannot_be_loaded_is_one_sentence(tmp_path, environment):
    message = (
        "Traceback (most recent call last):\\nImportError: libtensorflow.so: no memory\\n\\nSee"
    )
    (tmp_path / "tensorflow.py").write_text(f'raise ImportError("{message}")')
    command = [sys.executable, "-m", "wgan_gp", "generate", "--pretrained", "flowers"]
    packages = os.pathsep.join([str(tmp_path), str(Path(__file__).parents[2])])
    result = subprocess.run(
        command,
        env={**environment, "PYTHONPATH": packages},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "wgan-gp: TensorFlow cannot be loaded: libtensorflow.so: no memory (is there enough memory "
        "for it, and is it installed as a whole?)\n"
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
@pytest.mark.parametrize("arguments", [["--version"], ["generate", "--help"]])
def test_an_answer_that_is_lost_on_a_full_disk_is_said_to_be(monkeypatch, capsys, arguments):
    with Path("/dev/full").open("w") as full, monkeypatch.context() as redirected:
        redirected.setattr(sys, "stdout", full)
        with pytest.raises(SystemExit, match="2"):
            main(arguments)
    said = "wgan-gp: 'standard output' cannot be used: No space left on device\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("command", ["train", "generate", "interpolate", "export"])
def test_each_command_answers_a_mistake_in_a_process_of_its_own(process, command):
    option = "--data" if command == "train" else "--run-dir"
    assert "'nowhere'" in process.mistake(command, option, "nowhere")


@pytest.mark.parametrize(
    ("command", "output", "place"),
    [
        ("generate", "a.png", "a.png"),
        ("generate", "new/many", "new/many"),
        ("generate", "old", "old/00000.png"),
        ("interpolate", "a.gif", "a.gif"),
    ],
)
def test_two_commands_do_not_write_to_one_place(wgan_gp, finished, command, output, place):
    arguments = (command, "--run-dir", finished[0], "--output", output)
    (wgan_gp.folder / "old").mkdir()
    with alone(wgan_gp.folder / place):
        assert f"another process is writing '{place}'" in wgan_gp.mistake(*arguments)
    wgan_gp(*arguments)
    assert not list(wgan_gp.folder.rglob(".writing-*"))


@pytest.mark.parametrize(
    ("command", "function", "remedy"),
    [
        ("generate", "sampling.generate_images", "lower --count"),
        ("evaluate", "runs.evaluating.evaluate_run", "lower --count"),
        ("interpolate", "export.walk.walk", "lower --tiles, --stations or --frames"),
    ],
)
def test_too_little_memory_is_one_sentence(
    wgan_gp, finished, monkeypatch, command, function, remedy
):
    def refuse(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(f"wgan_gp.{function}", refuse)
    said = wgan_gp.mistake(command, "--run-dir", finished[0])
    assert said == f"wgan-gp: there is not enough memory for this: {remedy}"


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--count", "0", "--count must be a whole number from 1 to 2147483647, not 0"),
        ("--count", str(10**20), "--count must be a whole number from 1 to"),
        ("--seed", str(2**63), "--seed must be a whole number from 0 to"),
        ("--output", "flowers.jpg", "takes a FILE.png or a folder, not 'flowers.jpg'"),
        ("--output", "file", "takes a FILE.png or a folder, and 'file' is neither"),
        ("--output", "link", "takes a FILE.png or a folder, and 'link' is neither"),
        ("--output", "file/below.png", "'file/below.png' cannot be written: a file, or a link"),
        ("--output", "link/below.png", "'link/below.png' cannot be written: a file, or a link"),
    ],
)
def test_what_generate_cannot_do_is_explained(wgan_gp, finished, option, value, said):
    (wgan_gp.folder / "file").write_text("")
    (wgan_gp.folder / "link").symlink_to("nowhere")
    assert said in wgan_gp.mistake("generate", "--run-dir", finished[0], option, value)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "--preset", "fast"], "matlab"),
        (["train", "--iterations", "many"], "(default: 1500)"),
        (["train", "--preset", "flowers", "--iterations", "many"], "(default: 4000)"),
        (["train", "--base-filter", "3"], "--base-filters"),
        (["evalute"], "evaluate"),
    ],
)
def test_a_mistyped_option_is_answered_with_the_right_one(wgan_gp, arguments, said):
    assert said in wgan_gp(*arguments, status=2).stderr


def test_training_that_diverges_says_at_which_iteration(wgan_gp, pictures):
    options = ["--critic-learning-rate=1e30", "--iterations=30", "--checkpoint-every=30"]
    options += ["--monitor-every=1", "--run-dir=run"]
    result = wgan_gp("train", "--data", pictures, *TINY, *options, status=1)
    said = result.stderr.splitlines()[-1]
    broken = re.match(r"wgan-gp: training broke down at iteration (\d+): critic_loss", said)
    assert max(RunFolder(wgan_gp.folder / "run").tiles(), default=0) < int(broken[1])
    assert "Try a new run with a lower critic_learning_rate (here 1e+30)" in said
    assert "checkpoints" not in said  # there is none yet
