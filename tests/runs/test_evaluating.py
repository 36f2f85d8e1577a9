"""`wgan-gp evaluate`: the report of a run."""

import errno
import io
import json
import os
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers.drawn import draw_flowers
from helpers.shell import TINY, InProcess
from PIL import Image

from wgan_gp import InputError
from wgan_gp.data.images import load_images
from wgan_gp.metrics.evaluation import evaluate
from wgan_gp.metrics.feature_network import FeatureNetwork
from wgan_gp.metrics.report import Report
from wgan_gp.runs import evaluating
from wgan_gp.runs.evaluating import evaluate_run
from wgan_gp.runs.folder import RunFolder
from wgan_gp.sampling import generate_images
from wgan_gp.support.alone import alone

HOLDOUT = ["--holdout=0.4", "--quality-every=2"]


@pytest.fixture(scope="module")
def flowers(tmp_path_factory) -> Path:
    """200 drawn flowers as files."""
    folder = tmp_path_factory.mktemp("flowers")
    for number, picture in enumerate(draw_flowers(200, 32)):
        Image.fromarray(picture).save(folder / f"{number:03d}.png")
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory, environment, flowers) -> Path:
    """A finished run that held images out."""
    folder = tmp_path_factory.mktemp("evaluated")
    places = ("--data", flowers, "--run-dir", folder / "run", "--cache-dir", folder / "cache")
    InProcess(folder, environment)("train", *places, *TINY, *HOLDOUT)
    return folder / "run"


@pytest.fixture
def run(finished, wgan_gp) -> Path:
    """A copy of it, to be measured."""
    return Path(shutil.copytree(finished, wgan_gp.folder / "run"))


def test_a_run_measures_itself_and_keeps_its_best(run):
    facts = json.loads((run / "run.json").read_text())
    assert facts["images"] == 200
    assert 64 <= facts["images_held_out"] <= 120
    header, *rows = (run / "history.csv").read_text().splitlines()
    assert "val_swd" in header
    assert float(rows[-1].split(",")[header.split(",").index("val_swd")]) > 0
    assert keras.saving.load_model(run / "best.keras").output_shape == (None, 32, 32, 3)


def test_two_reports_are_written_one_after_the_other(wgan_gp, run, monkeypatch):
    monkeypatch.setattr(evaluating, "_WAIT", 0.1)
    with alone(run / "quality.json"):
        result = wgan_gp.attempt("evaluate", "--run-dir", "run", "--count", "64")
    assert "another process is writing 'run/quality.json'" in str(result.returncode) + result.stderr
    assert "not all of what was measured could be kept" in result.stderr
    assert not (run / "quality.json").exists()


def test_a_kill_leaves_no_pictures_of_another_generator(run, monkeypatch):
    def be_killed(*_) -> None:
        raise KeyboardInterrupt

    (run / "nearest.png").write_text("of a former one")
    monkeypatch.setattr(evaluating, "write_whole", be_killed)
    with pytest.raises(KeyboardInterrupt):
        evaluate_run(RunFolder(run), ["diversity"])
    assert not (run / "nearest.png").exists()


def test_evaluate_prints_a_table_and_keeps_the_report(wgan_gp, run):
    said = wgan_gp("evaluate", "--run-dir", "run").stdout
    report = json.loads((run / "quality.json").read_text())
    held_out = json.loads((run / "run.json").read_text())["images_held_out"]
    assert report["count"] == min(held_out, 200 - held_out)
    assert report["reference"] == "held-out images"
    assert set(report["scores"]) == {
        "swd", "swd_32", "swd_16", "diversity", "checkerboard", "memorization",
    }  # fmt: skip
    assert f"{report['count']} generated images against {report['count']} held-out images" in said
    for name, score in report["scores"].items():
        assert f"{score['generated']:.3g}" in next(x for x in said.splitlines() if name in x)
    with Image.open(run / "nearest.png") as pairs:
        assert pairs.size == (4 * 64, 4 * 32)


def test_a_report_that_says_more_is_kept_beside_a_new_one(wgan_gp, run):
    wgan_gp("evaluate", "--run-dir", "run", "--metrics", "swd,memorization", "--count", "20")
    first, pairs = ((run / name).read_bytes() for name in ("quality.json", "nearest.png"))
    wgan_gp("evaluate", "--run-dir", "run", "--metrics", "swd,memorization,diversity")
    assert not (run / "quality-1.json").exists()  # all of it was measured once more
    first, pairs = ((run / name).read_bytes() for name in ("quality.json", "nearest.png"))
    fewer = ("--metrics", "swd,memorization,diversity", "--count", "20")
    for number, options in ((1, fewer), (2, ("--metrics", "swd", "--count", "20"))):
        said = wgan_gp("evaluate", "--run-dir", "run", *options).stderr
        assert f"is kept as 'run/quality-{number}.json'" in said
    kept = {f"quality-{n}.json" for n in (1, 2)} | {f"nearest-{n}.png" for n in (1, 2)}
    kept.add("quality.json")
    assert {path.name for path in run.iterdir() if path.name.startswith(("q", "near"))} == kept
    assert (run / "quality-1.json").read_bytes() == first
    assert (run / "nearest-1.png").read_bytes() == pairs


def test_a_full_disk_takes_no_report_away(wgan_gp, run, monkeypatch):
    wgan_gp("evaluate", "--run-dir", "run", "--metrics", "swd,diversity")
    before = (run / "quality.json").read_bytes()
    write = evaluating.write_whole

    def write_but_no_report(path: Path, content: str | bytes) -> None:
        if path.name == "quality.json":
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, content)

    monkeypatch.setattr(evaluating, "write_whole", write_but_no_report)
    told = wgan_gp("evaluate", "--run-dir", "run", "--metrics", "checkerboard", status=2)
    assert "No space left on device" in told.stderr
    assert "\ncheckerboard  " in told.stderr  # what was measured is not lost
    assert (run / "quality.json").read_bytes() == before


def test_a_report_of_an_earlier_generator_is_replaced(wgan_gp, run):
    wgan_gp("evaluate", "--run-dir", "run", "--metrics", "swd,diversity")
    generator = keras.saving.load_model(run / "generator.keras")
    generator.set_weights([1.1 * weight for weight in generator.get_weights()])
    generator.save(run / "generator.keras")
    wgan_gp("evaluate", "--run-dir", "run", "--metrics", "swd")
    assert not (run / "quality-1.json").exists()


def test_its_numbers_are_those_of_the_images_that_were_held_out(wgan_gp, run, flowers, caplog):
    report = evaluate_run(RunFolder(run), ["swd"], count=20, seed=3)
    images = load_images(flowers, 32)
    from wgan_gp import Config
    from wgan_gp.data.holdout import is_held_out

    side = is_held_out(images, Config.from_json((run / "config.json").read_text()).holdout)
    generator = keras.saving.load_model(run / "generator.keras")
    again = evaluate(generator, images[side], images[~side], metrics=["swd"], count=20, seed=3)
    assert report.scores == again.scores


def test_the_model_card_tells_what_was_measured(wgan_gp, run):
    wgan_gp("evaluate", "--run-dir", "run", "--metrics", "swd")
    wgan_gp("export", "--run-dir", "run", "--format", "keras", "--output", "a.keras")
    card = (wgan_gp.folder / "a.keras.md").read_text()
    score = json.loads((run / "quality.json").read_text())["scores"]["swd"]
    assert f"| swd | {score['generated']:.3g} | {score['real']:.3g} |" in card
    facts = json.loads((run / "run.json").read_text())
    held_out = facts["images_held_out"]
    assert f": {facts['images'] - held_out} images, {held_out} more held out |" in card
    # What was measured of another generator is not told of this one.
    best = keras.saving.load_model(run / "best.keras")
    best.set_weights([1.1 * weight for weight in best.get_weights()])
    best.save(run / "best.keras")
    said = wgan_gp("evaluate", "--run-dir", "run", "--metrics", "swd", "--best").stdout
    assert "Kept in run/best-quality.json" in said
    other = json.loads((run / "best-quality.json").read_text())["scores"]["swd"]
    assert other["generated"] != score["generated"]
    wgan_gp("export", "--run-dir", "run", "--format", "keras", "--output", "b.keras", "--overwrite")
    assert (wgan_gp.folder / "b.keras.md").read_text() == card


def test_the_best_generator_can_be_used_as_the_last_one_can(wgan_gp, run):
    (run / "generator.keras").unlink()  # as of a run that was stopped, or broke down
    best = keras.saving.load_model(run / "best.keras")
    wgan_gp("generate", "--run-dir", "run", "--best", "--count=1", "--output=best.png")
    with Image.open("best.png") as picture:
        np.testing.assert_array_equal(picture, generate_images(best, 1)[0])
    wgan_gp("interpolate", "--run-dir=run", "--best", "--tiles=1", "--stations=2", "--frames=2")
    assert Path("walk.gif").is_file()

    wgan_gp("evaluate", "--run-dir", "run", "--metrics", "swd", "--best")
    wgan_gp("export", "--run-dir", "run", "--format", "keras", "--best")
    exported = keras.saving.load_model(run / "export" / "best.keras")
    for here, there in zip(best.get_weights(), exported.get_weights(), strict=True):
        np.testing.assert_array_equal(here, there)
    card = (run / "export" / "best.keras.md").read_text()
    iteration = json.loads((run / "best.json").read_text())["iteration"]
    assert f"| generator iterations | {iteration} |" in card
    score = json.loads((run / "best-quality.json").read_text())["scores"]["swd"]
    assert f"| swd | {score['generated']:.3g} | {score['real']:.3g} |" in card
    (run / "best.json").write_text('{"iteration": "many"}')
    wgan_gp("export", "--run-dir", "run", "--format", "keras", "--best", "--overwrite")
    card = (run / "export" / "best.keras.md").read_text()
    assert "| generator iterations | not kept |" in card
    assert "--best goes with --run-dir DIR" in wgan_gp.mistake(
        "generate", "--pretrained", "flowers", "--best"
    )


def test_metrics_are_those_of_the_epoch_that_an_iteration_is_in(run):
    (run / "history.csv").write_text("iteration,critic_loss\n20,1\n40,2\n,3\n60,nan\n")
    folder = RunFolder(run)
    assert folder.metrics_at(20) == {"iteration": "20", "critic_loss": "1"}
    assert folder.metrics_at(21) == {"iteration": "40", "critic_loss": "2"}
    assert folder.metrics_at(45) == {"iteration": "60"}
    assert folder.metrics_at(61) == {}


def test_a_generator_that_is_replaced_meanwhile_is_not_the_one_that_was_measured(run, monkeypatch):
    def while_training_goes_on(*arguments, **options):
        report = evaluate(*arguments, **options)
        generator = keras.saving.load_model(run / "generator.keras")
        generator.set_weights([1.1 * weight for weight in generator.get_weights()])
        generator.save(run / "generator.keras")
        return report

    monkeypatch.setattr("wgan_gp.runs.evaluating.evaluate", while_training_goes_on)
    evaluate_run(RunFolder(run), ["swd"])
    assert RunFolder(run).read_quality() is None


def test_pictures_of_an_earlier_report_do_not_stay(run):
    evaluate_run(RunFolder(run), ["memorization"])
    assert (run / "nearest.png").is_file()
    evaluate_run(RunFolder(run), ["swd"])
    assert not (run / "nearest.png").exists()


def test_a_run_that_held_nothing_out_is_compared_with_what_it_was_trained_on(wgan_gp, run, flowers):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "holdout": 0.0}))
    report = evaluate_run(RunFolder(run))
    assert (report.count, report.reference) == (100, "images that were trained on")
    assert "memorization" not in report.scores
    said = wgan_gp.mistake("evaluate", "--run-dir", "run", "--metrics", "memorization")
    assert "train with holdout, and measure against its own images" in said


def test_a_folder_that_has_grown_is_still_told_apart(wgan_gp, run, tmp_path, flowers):
    grown = tmp_path / "grown"
    shutil.copytree(flowers, grown)
    for number, picture in enumerate(draw_flowers(30, 32, seed=1)):
        Image.fromarray(picture).save(grown / f"new {number}.png")
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**facts, "data": str(grown)}))
    report = evaluate_run(RunFolder(run), ["memorization"])
    assert report.reference == "held-out images of a set that has changed since training"
    assert report.count >= min(facts["images_held_out"], 200 - facts["images_held_out"])


def test_what_was_measured_is_not_told_of_a_generator_trained_further(wgan_gp, run):
    wgan_gp("evaluate", "--run-dir", "run", "--metrics", "swd")
    assert RunFolder(run).read_quality() is not None
    wgan_gp("train", "--run-dir", "run", "--resume", "--iterations=4")
    assert RunFolder(run).read_quality() is None
    said = wgan_gp("export", "--run-dir", "run", "--format=keras").stderr
    assert "quality.json' is of an earlier generator: measure the run once more" in said


def test_a_finished_run_that_is_resumed_keeps_its_generator_and_what_was_measured(wgan_gp, run):
    wgan_gp("evaluate", "--run-dir", "run", "--metrics", "swd")
    for damage in (b"", b"not a generator"):
        before = (run / "generator.keras").read_bytes()
        if damage:
            (run / "generator.keras").write_bytes(damage)
        wgan_gp("train", "--run-dir", "run", "--resume")
        assert ((run / "generator.keras").read_bytes() == before) == (not damage)
        RunFolder(run).load_generator()
    assert RunFolder(run).read_quality() is None  # of another file


def test_a_damaged_report_is_one_sentence(wgan_gp, run):
    (run / "quality.json").write_text('{"sha256": 3, "scores"')
    said = wgan_gp.mistake("export", "--run-dir", "run", "--format=keras", "--output=a.keras")
    assert "quality.json' is damaged: measure the run once more" in said


@pytest.mark.parametrize("name", ["history.csv", "best-quality.json"])
def test_a_table_that_cannot_be_read_is_named(wgan_gp, run, monkeypatch, name):
    (run / "best-quality.json").write_text("{}")
    shutil.copy(run / "generator.keras", run / "best.keras")
    (run / "best.json").write_text('{"iteration": 1}')
    opened = io.open

    def denied(file, *arguments, **options):
        if str(file).endswith(name):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(file))
        return opened(file, *arguments, **options)

    monkeypatch.setattr("io.open", denied)  # as which pathlib opens
    said = wgan_gp.mistake(
        "export", "--run-dir=run", "--best", "--format=keras", "--output=a.keras"
    )
    assert f"run/{name}' cannot be read: Permission denied" in said
    assert not (wgan_gp.folder / "a.keras").exists()


def test_other_images_may_be_named(wgan_gp, run, tmp_path, flowers):
    other = tmp_path / "other"
    other.mkdir()
    for number in range(50):
        shutil.copy(flowers / f"{number:03d}.png", other)
    RunFolder(run).update_facts({"data": "tf_flowers", "data_dir": str(tmp_path)})
    report = evaluate_run(RunFolder(run), ["swd"], data=other)
    assert (report.count, report.reference) == (25, "images of another set")


def test_photographs_in_place_of_drawn_flowers_have_no_modes(run, flowers, monkeypatch):
    folder = RunFolder(run)
    folder.update_facts({"data": "synthetic"})
    measured = []
    monkeypatch.setattr(
        "wgan_gp.runs.evaluating.evaluate",
        lambda *_, metrics, **options: measured.append(metrics) or Report({}, 20, "images"),
    )
    evaluate_run(folder, data=flowers)
    assert "modes" not in measured[0]
    evaluate_run(folder)
    assert "modes" in measured[1]


@pytest.mark.parametrize(
    ("through", "name", "flatters"),
    [
        ("none", "nonesuch.keras@12345678", False),
        ("none", "efficientnet-lite0", False),
        ("efficientnet-lite0", "efficientnet-lite0-mine.onnx@12345678", False),
        ("efficientnet-lite0", "efficientnet-lite0", True),
    ],
)
def test_only_the_network_that_the_critic_looks_through_flatters(
    run, monkeypatch, through, name, flatters
):
    settings = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**settings, "critic_features": through}))
    network = FeatureNetwork(name, np.asarray, None, (0, 1))
    monkeypatch.setattr(evaluating, "load_feature_network", lambda _: network)
    monkeypatch.setattr(evaluating, "check_feature_name", lambda _: None)
    report = evaluate_run(RunFolder(run), ["precision"], name, count=20)
    assert report.features.startswith(f"{name}, ")
    assert ("which flatters" in report.features) == flatters


def test_features_out_of_reach_are_one_sentence_and_the_others_still_run(
    wgan_gp, run, monkeypatch, caplog
):
    monkeypatch.setattr("wgan_gp.imagenet.inception._URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("KERAS_HOME", str(wgan_gp.folder))
    result = wgan_gp("evaluate", "--run-dir", "run", "--metrics", "swd, kid")
    (line,) = [x for x in result.stderr.splitlines() if "InceptionV3" in x]
    assert line.endswith("; the metrics of features are left out")
    assert [*json.loads((run / "quality.json").read_text())["scores"]] == [
        "swd", "swd_32", "swd_16",
    ]  # fmt: skip
    assert "out of reach" in wgan_gp.mistake("evaluate", "--run-dir", "run", "--metrics", "kid")


def test_a_file_of_features_adds_their_metrics(wgan_gp, run):
    layers = [keras.Input((32, 32, 3)), keras.layers.AveragePooling2D(8), keras.layers.Flatten()]
    keras.Sequential(layers).save("means.keras")
    said = wgan_gp("evaluate", "--run-dir=run", "--features=means.keras", "--count=20").stdout
    report = json.loads((run / "quality.json").read_text())
    assert report["count"] == 20
    assert {"swd", "kid", "fid", "precision", "recall"} <= set(report["scores"])
    assert report["features"].startswith("means.keras@")
    assert report["features"] in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--run-dir=nowhere"], "there is no run folder 'nowhere'"),
        (["--run-dir=run", "--metrics=swd, beauty"], "modes, not 'beauty'"),
        (["--run-dir=run", "--features=nets"], "there are no features 'nets'"),
        (["--run-dir=run", "--count=3"], "3 images are too few to compare: count must be 16 or"),
        (["--run-dir=run", "--seed=-1"], "seed must be a whole number from 0 to"),
        (["--run-dir=run", "--data=nowhere"], "there is no folder 'nowhere'"),
        (["--run-dir=run", "--data="], "--data is followed by an empty value"),
        (["--run-dir=run", "--metrics=,"], "modes, not ''"),
        (["--run-dir=run", "--metrics=modes"], "modes are those of drawn flowers, the data"),
    ],
)
def test_what_cannot_be_evaluated_is_explained(wgan_gp, run, options, said):
    assert said in wgan_gp.mistake("evaluate", *options)


@pytest.mark.parametrize("option", ["--count=0", "--seed=-1", "--features=nets", "--metrics=nice"])
def test_a_mistake_costs_no_reading_of_images(wgan_gp, run, monkeypatch, option):
    monkeypatch.setattr("wgan_gp.runs.evaluating.load_image_set", None)
    assert option[2:].split("=")[1] in wgan_gp.mistake("evaluate", "--run-dir=run", option)
    assert not (run / "quality.json").exists()


def test_no_metrics_at_all_are_refused(run):
    with pytest.raises(InputError, match=r"metrics is a list of swd, .*, not \[\]"):
        evaluate_run(RunFolder(run), [])


def test_a_run_with_few_images_goes_without(wgan_gp, pictures):
    options = (*TINY, "--holdout=0.2")
    said = wgan_gp("train", "--data", pictures, "--run-dir", "small", *options).stdout
    assert "Quality is not measured, and no best generator kept: there are " in said
    assert "and 64 are needed; let holdout be larger, or 0 to compare with the images of" in said
    assert not (wgan_gp.folder / "small" / "best.keras").exists()
    assert "val_swd" not in (wgan_gp.folder / "small" / "history.csv").read_text()


def test_real_photographs_are_measured(wgan_gp, flower_photographs):
    wgan_gp("train", "--data", flower_photographs, "--run-dir", "run", *TINY, "--holdout=0.1")
    wgan_gp("evaluate", "--run-dir", "run", "--metrics", "swd,diversity")
    report = json.loads((wgan_gp.folder / "run" / "quality.json").read_text())
    assert 300 < report["count"] < 450
    swd = report["scores"]["swd"]
    assert swd["real"] < 20 < swd["generated"]
    assert np.isclose(report["scores"]["diversity"]["real"], 1, atol=0.1)


@pytest.mark.parametrize(
    ("holdout", "reference"),
    [
        (0.4, "held-out images of a set that has changed since training"),
        (0.0, "images of a set that has changed since training"),
    ],
)
def test_pictures_that_have_changed_since_training_are_told(
    run, tmp_path, flowers, caplog, holdout, reference
):
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "holdout": holdout}))
    edited = Path(shutil.copytree(flowers, tmp_path / "edited"))
    for path in sorted(edited.iterdir())[:150]:
        with Image.open(path) as picture:
            picture.rotate(180).save(path)
    facts = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**facts, "data": str(edited)}))
    assert evaluate_run(RunFolder(run), ["swd"]).reference == reference
    assert f"the images in '{edited}' have changed since training" in caplog.text


def test_a_disk_without_room_is_told_before_anything_is_measured(run, monkeypatch):
    monkeypatch.setattr("wgan_gp.runs.evaluating.evaluate", lambda *a, **b: pytest.fail("measured"))
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 19, limits[1]))  # a file's size, in bytes
    try:
        with pytest.raises(OSError, match="File too large"):
            evaluate_run(RunFolder(run), ["swd"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(
    wgan_gp, run, monkeypatch
):
    def refuse(*arguments, **options):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(run))

    monkeypatch.setattr("wgan_gp.runs.evaluating.tempfile.TemporaryFile", refuse)
    monkeypatch.setattr("wgan_gp.runs.evaluating.evaluate", lambda *a, **b: pytest.fail("measured"))
    said = wgan_gp.mistake("evaluate", "--run-dir", "run")
    denied = "'run' cannot be written: Permission denied"
    assert said == f"wgan-gp: {denied}; its report is kept there, so measure a copy of the folder"
