"""Exports: each format against the generator in memory, loaded without this package."""

import dataclasses
import errno
import hashlib
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from wgan_gp import (
    WGANGP,
    Config,
    InputError,
    __version__,
    build_critic,
    build_generator,
    build_model,
    export_litert,
    export_onnx,
    export_saved_model,
    generate_images,
)
from wgan_gp.cli.main import main
from wgan_gp.export.litert import load_litert
from wgan_gp.export.model_card import model_card
from wgan_gp.export.onnx import load_onnx
from wgan_gp.export.saved_model import load_saved_model
from wgan_gp.metrics.report import Report, Score
from wgan_gp.runs import exporting
from wgan_gp.runs.folder import RunFolder
from wgan_gp.support import whole_files
from wgan_gp.support.alone import alone
from wgan_gp.support.portable import portable

BATCHES = (1, 7, 64)

# What each format is loaded with: every other of the packages is made impossible to import.
LOADERS = {
    "saved_model": """
        import tensorflow as tf
        model = tf.saved_model.load(path)
        run = lambda x: model.signatures["serving_default"](latents=tf.constant(x))["images"]
    """,
    "onnx": """
        import onnxruntime
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        run = lambda x: session.run(["images"], {"latents": x})[0]
    """,
    "litert": """
        from ai_edge_litert.interpreter import Interpreter
        signature = Interpreter(path).get_signature_runner("serving_default")
        run = lambda x: signature(latents=x)["images"]
    """,
    "keras": """
        import keras
        model = keras.saving.load_model(path)
        run = lambda x: model(x)
    """,
}
MISSING = {
    "saved_model": ["wgan_gp", "keras"],
    "onnx": ["wgan_gp", "keras", "tensorflow"],
    "litert": ["wgan_gp", "keras", "tensorflow"],
    "keras": ["wgan_gp"],
}
SCRIPT = """
import sys
import numpy as np
for name in {missing}:
    sys.modules[name] = None  # every import of it fails
path, inputs, outputs = sys.argv[1:]
{loader}
latents = np.load(inputs)
np.savez(outputs, *(np.asarray(run(latents[name])) for name in latents.files))
"""


@pytest.fixture(scope="module")
def run(finished) -> Path:
    return finished[0]


@pytest.fixture(scope="module")
def generator(run) -> keras.Model:
    return keras.saving.load_model(run / "generator.keras")


def images_of(format_: str, path: Path, batches: list[np.ndarray], folder: Path, environment):
    """The images that a process without the package makes of each batch of latents."""
    np.savez(folder / "latents.npz", *batches)
    loader = "\n".join(line.strip() for line in LOADERS[format_].splitlines())
    script = SCRIPT.format(missing=MISSING[format_], loader=loader)
    files = [path, folder / "latents.npz", folder / "images.npz"]
    process = [sys.executable, "-c", script, *files]
    subprocess.run(process, env=environment, capture_output=True, check=True)
    with np.load(folder / "images.npz") as images:
        return [images[name] for name in images.files]


@pytest.mark.parametrize(
    ("format_", "name", "options", "tolerance"),
    [
        ("saved_model", "flowers", [], 1e-6),
        ("onnx", "flowers.onnx", [], 2e-5),
        ("litert", "flowers.tflite", [], 2e-5),
        ("litert", "flowers.tflite", ["--float16"], 1e-2),
        ("keras", "flowers.keras", [], 1e-6),
    ],
    ids=["saved_model", "onnx", "litert", "litert float16", "keras"],
)
def test_every_format_equals_the_generator(
    wgan_gp, run, generator, environment, format_, name, options, tolerance
):
    said = wgan_gp(
        "export", "--run-dir", run, "--format", format_, "--output", f"out/{name}", *options
    )
    assert said.stderr == ""
    rng = np.random.default_rng(3)
    batches = [rng.standard_normal((count, 100), "float32") for count in BATCHES]
    path = wgan_gp.folder / "out" / name
    found = images_of(format_, path, batches, wgan_gp.folder, environment)
    for latents, images in zip(batches, found, strict=True):
        expected = generator(latents).numpy()
        assert images.shape == expected.shape
        np.testing.assert_allclose(images, expected, rtol=0, atol=tolerance)
    facts = json.loads((path.parent / f"{name}.json").read_text())
    assert (facts["latent_dim"], facts["iteration"], facts["value_range"]) == (100, 3, "-1..1")
    left = {file.name for file in path.parent.iterdir()}
    assert left == {name, f"{name}.json", f"{name}.md"}


def test_half_the_precision_takes_half_the_space(wgan_gp, run):
    for name, options in (("whole.tflite", []), ("half.tflite", ["--float16"])):
        wgan_gp("export", "--run-dir", run, "--format", "litert", "--output", name, *options)
    whole, half = (wgan_gp.folder / name for name in ("whole.tflite", "half.tflite"))
    assert half.stat().st_size < 0.6 * whole.stat().st_size


def test_the_onnx_file_carries_its_facts_and_names(wgan_gp, run):
    import onnxruntime

    wgan_gp("export", "--run-dir", run, "--format", "onnx", "--output", "a.onnx")
    session = onnxruntime.InferenceSession(wgan_gp.folder / "a.onnx")
    facts = session.get_modelmeta().custom_metadata_map
    about = json.loads((wgan_gp.folder / "a.onnx.json").read_text())
    assert facts == {name: str(value) for name, value in about.items() if "sha256" not in name}
    assert (about["latent_dim"], about["image_size"]) == (100, 32)
    (latents,), (images,) = session.get_inputs(), session.get_outputs()
    assert (latents.name, latents.shape) == ("latents", ["n", 100])
    assert (images.name, images.shape) == ("images", ["n", 32, 32, 3])


# The SavedModel's other signatures


@pytest.fixture(scope="module")
def exported(generator, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "model"
    export_saved_model(generator, folder)
    return folder


@pytest.fixture(scope="module")
def saved_model(exported):
    return tf.saved_model.load(exported)


@pytest.fixture
def quick_exports(exported, monkeypatch) -> None:
    """For tests of the files around a SavedModel: copies of one, with a file that differs."""
    numbers = itertools.count()

    def write(generator: keras.Model, path: Path) -> None:
        shutil.copytree(exported, path)
        (path / "number").write_text(str(next(numbers)))

    monkeypatch.setattr(exporting, "export_saved_model", write)


def test_a_saved_model_that_cannot_be_written_is_an_os_error(generator, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OSError, match="not a directory") as raised:
        export_saved_model(generator, tmp_path / "file")
    assert not set("{[") & set(str(raised.value))  # of TensorFlow's own names
    assert (tmp_path / "file").read_text() == "mine"


USES = [export_saved_model, export_onnx, export_litert, lambda x, path: generate_images(x, 2)]


@pytest.mark.parametrize("use", USES)
def test_a_whole_wgan_gp_is_answered_with_its_generator(tiny_config, tmp_path, use):
    with pytest.raises(InputError, match="give its drawing_generator"):
        use(build_model(tiny_config), tmp_path / "model")


@pytest.mark.parametrize("use", USES)
def test_a_path_in_place_of_a_generator_is_answered_with_how_to_load_it(tmp_path, use):
    with pytest.raises(InputError, match=r"load_model gives, not 'generator\.keras'"):
        use("generator.keras", tmp_path / "model")


def test_a_path_that_tensorflow_takes_for_a_pattern_is_refused(generator, tmp_path):
    with pytest.raises(InputError, match="a path may not have"):
        export_saved_model(generator, tmp_path / "a[1]")
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_a_service_could_not_load_from_is_refused(generator, tmp_path, monkeypatch):
    (tmp_path / "a[1]").mkdir()
    monkeypatch.chdir(tmp_path / "a[1]")
    with pytest.raises(InputError, match="a path may not have"):
        export_saved_model(generator, "model")


@pytest.mark.parametrize("use", USES)
def test_what_makes_no_images_is_refused(tmp_path, use):
    stack = [keras.Input((5,)), keras.layers.Dense(8)]
    with pytest.raises(InputError, match=r"does not make images .* but \(None, 8\)"):
        use(keras.Sequential(stack, name="dense"), tmp_path / "model")


@pytest.mark.parametrize("export", [export_saved_model, export_onnx, export_litert])
def test_an_export_may_go_home(generator, tmp_path, monkeypatch, export):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    export(generator, "~/model")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("export", [export_onnx, export_litert])
def test_a_folder_that_is_not_there_is_made(generator, tmp_path, export):
    export(generator, tmp_path / "new" / "model")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model"]


def test_the_folder_one_is_in_is_not_written_over(generator, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path in ("", "."):
        with pytest.raises(InputError, match="a SavedModel is a folder of its own"):
            export_saved_model(generator, path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("export", [export_onnx, export_litert])
def test_who_reads_a_file_goes_on_with_it_when_another_takes_its_place(generator, tmp_path, export):
    path = tmp_path / "model"
    path.write_bytes(b"the former one")
    with path.open("rb") as former:
        export(generator, path)
        assert former.read() == b"the former one"
    assert path.stat().st_size > 1000


def test_an_export_of_an_earlier_version_is_overwritten_when_told(wgan_gp, run):
    export = ["export", "--run-dir", run, "--format", "keras", "--output", "a.keras", "--overwrite"]
    wgan_gp(*export)
    about = wgan_gp.folder / "a.keras.json"
    facts = json.loads(about.read_text())
    facts["sha256"][about.name] = facts.pop("sha256_of_facts")
    about.write_text(json.dumps(facts))
    wgan_gp(*export)
    assert "sha256_of_facts" in json.loads(about.read_text())
    about.write_text(about.read_text().replace('"latent_dim": ', '"latent_dim": 1'))
    assert "a.keras.json' is not as an export wrote it" in wgan_gp.mistake(*export)


@pytest.mark.usefixtures("quick_exports")
def test_the_digests_are_those_of_the_files(wgan_gp, run):
    wgan_gp("export", "--run-dir", run, "--output", "flowers")
    digests = json.loads((wgan_gp.folder / "flowers.json").read_text())["sha256"]
    files = {"flowers.md", "flowers/saved_model.pb", "flowers/fingerprint.pb"}
    assert digests.keys() > files
    for name, digest in digests.items():
        content = (wgan_gp.folder / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest, name


def generate(saved_model, count: int, seed: int) -> np.ndarray:
    function = saved_model.signatures["generate"]
    return function(count=tf.constant(count), seed=tf.constant(seed, tf.int64))["images"].numpy()


@pytest.mark.parametrize("count", [1, 7, 64, 65, 200])
def test_generate_is_wgangp_generate(saved_model, generator, count):
    critic = build_critic(Config(image_size=32, base_filters=2))
    expected = WGANGP(generator, critic).generate(count, seed=11)
    for _ in range(2):
        images = generate(saved_model, count, 11)
        assert images.dtype == np.uint8
        np.testing.assert_array_equal(images, expected)
    assert not np.array_equal(generate(saved_model, count, 12), expected)


def test_render_png_gives_a_file_an_image(saved_model, generator):
    latents = tf.random.stateless_normal((70, 100), (1, 2))
    files = saved_model.signatures["render_png"](latents=latents)["png_bytes"]
    assert files.shape == (70,)
    images = np.stack([tf.io.decode_png(file).numpy() for file in files])
    exact = (generator(latents).numpy() + 1) * 127.5
    assert np.abs(images - exact).max() <= 0.5 + 1e-3


def test_the_signatures_have_the_documented_names_types_and_shapes(saved_model):
    def described(specs: dict) -> dict:
        return {name: (spec.dtype.name, spec.shape.as_list()) for name, spec in specs.items()}

    found = {
        name: (described(f.structured_input_signature[1]), described(f.structured_outputs))
        for name, f in saved_model.signatures.items()
    }
    latents = {"latents": ("float32", [None, 100])}
    assert found == {
        "serving_default": (latents, {"images": ("float32", [None, 32, 32, 3])}),
        "generate": (
            {"count": ("int32", []), "seed": ("int64", [])},
            {"images": ("uint8", [None, 32, 32, 3])},
        ),
        "render_png": (latents, {"png_bytes": ("string", [None])}),
    }


def test_every_weight_is_in_the_saved_model_once(generator, exported):
    (data,) = (exported / "variables").glob("*.data-*")
    assert data.stat().st_size < 4 * generator.count_params() + 20_000  # bytes


def test_saved_model_cli_shows_and_runs_it(exported, tmp_path, environment):
    np.save(tmp_path / "latents.npy", np.zeros((2, 100), "float32"))
    command = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli"]
    model = ["--dir", exported, "--tag_set", "serve", "--signature_def"]
    options = {"env": environment, "capture_output": True, "text": True, "check": True}
    shown = subprocess.run([*command, "show", *model, "generate"], **options).stdout
    assert "inputs['count']" in shown
    assert "outputs['images'] tensor_info: dtype: DT_UINT8" in " ".join(shown.split())
    inputs = ["--inputs", f"latents={tmp_path / 'latents.npy'}", "--outdir", tmp_path]
    subprocess.run([*command, "run", *model, "serving_default", *inputs], **options)
    assert np.load(tmp_path / "images.npy").shape == (2, 32, 32, 3)


FUZZ = """
import sys
import numpy as np
import tensorflow as tf

signatures = tf.saved_model.load(sys.argv[1]).signatures
rng = np.random.default_rng(0)
latents = [
    np.zeros(shape, "float32")
    for shape in [(), (100,), (0, 100), (2, 99), (2, 101), (2, 3, 100), (1, 0), (0, 0), (1, 10**6)]
]
latents += [np.full((2, 100), value, "float32") for value in (np.nan, np.inf, -np.inf, 3e38)]
latents += [np.zeros((2, 100), dtype) for dtype in ("float64", "int32", "bool")]
requests = [(name, {"latents": x}) for name in ("serving_default", "render_png") for x in latents]
requests += [
    ("generate", {"count": np.asarray(count), "seed": np.asarray(seed)})
    for count in (0, -1, 10_000, -(2**31), 2**31 - 1, [1, 2], 1.5)
    for seed in (0, -1, 2**63 - 1)
]
answers = refusals = 0
for name, inputs in requests:
    try:
        inputs = {
            key: tf.constant(x, tf.int32 if key == "count" else tf.int64 if key == "seed" else None)
            for key, x in inputs.items()
        }
        (answer,) = signatures[name](**inputs).values()
        assert answer.shape[0] <= 4096
        answers += 1
    except (tf.errors.OpError, TypeError, ValueError):
        refusals += 1
print(answers, refusals)
"""


def test_no_input_brings_the_process_down(exported, environment):
    script = [sys.executable, "-c", FUZZ, exported]
    result = subprocess.run(script, env=environment, capture_output=True, text=True, check=True)
    answers, refusals = map(int, result.stdout.split())
    assert answers >= 8  # such as NaN, which is drawn as something
    assert refusals >= 35


@pytest.mark.parametrize("count", [0, -1, 10_000])
def test_a_count_out_of_range_is_explained(saved_model, count):
    bound = "at most 4096" if count > 0 else "at least 1"
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"count must be {bound}"):
        generate(saved_model, count, 0)


# The model card, and what is refused


def test_the_model_card_tells_the_run_s_own_facts(wgan_gp, run, pictures):
    wgan_gp("export", "--run-dir", run, "--format", "keras", "--output", "a.keras")
    card = (wgan_gp.folder / "a.keras.md").read_text()
    config = json.loads((run / "config.json").read_text())
    assert json.loads(card[card.index("{") : card.index("}") + 1]) == config
    for said in (
        "| input `latents` | float32 `(n, 100)`, standard normal |",
        "| output `images` | float32 `(n, 32, 32, 3)`, RGB, -1..1 |",
        f"| training data | images in a folder '{pictures.name}': 20 images |",
        "| generator iterations | 3 |",
        "| preset, seed | quick, 7 |",
        f"exported with wgan_gp {__version__}",  # which need not be what trained it
    ):
        assert said in card
    assert str(pictures.parent) not in card  # no path of the machine
    assert "not kept" not in card


def test_a_generator_that_training_replaces_meanwhile_gets_no_card_of_another(
    run, tmp_path, monkeypatch
):
    shutil.copytree(run, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    load = RunFolder.load_generator

    def while_training_goes_on(*arguments):
        generator = load(*arguments)
        generator.save(folder.generator)
        folder.note_generator(4)
        return generator

    monkeypatch.setattr(RunFolder, "load_generator", while_training_goes_on)
    with pytest.raises(InputError, match=r"training has replaced '.*' just now: export it once"):
        exporting.export_run(folder, "keras", tmp_path / "a.keras")
    assert not list(tmp_path.glob("a.keras*"))


@pytest.mark.parametrize("name", ["synthetic", "tf_flowers"])
def test_the_card_knows_the_licence_of_known_data(run, generator, name):
    config, facts = RunFolder(run).read()
    card = model_card(config, {**facts, "data": name}, {}, generator)
    assert {"synthetic": "Apache-2.0", "tf_flowers": "Creative Commons"}[name] in card
    assert "not kept" in card
    assert "It has not been measured." in card


def test_the_card_of_a_lazy_penalty_tells_no_number_that_no_update_gave(run, generator):
    config, facts = RunFolder(run).read()
    metrics = {"critic_loss": "0.0", "gradient_penalty": "0.0", "gradient_norm": "0.0"}
    card = model_card(config, facts, metrics, generator)
    assert "| 0, with 10 x none of penalty |" in card
    assert "| gradient norm, epoch's mean | none (1 is" in card


def test_the_card_tells_the_quality_that_was_measured(run, generator):
    report = Report({"swd": Score(20.0, 14.5, 120.0)}, 400, "held-out images")
    card = model_card(*RunFolder(run).read(), {}, generator, report)
    assert "400 generated images against 400 held-out images." in card
    assert "| swd | 20 | 14.5 | 120 | lower is better |" in card


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--run-dir=nowhere"], "there is no run folder 'nowhere'"),
        (["--run-dir=empty"], "holds no generator.keras: has its training finished?"),
        (["--run-dir=RUN", "--output=mine"], "'mine/photo.jpg' exists already"),
        (
            ["--run-dir=RUN", "--output=mine", "--overwrite"],
            "'mine/photo.jpg' is not as an export wrote it, and would be lost",
        ),
        (
            ["--run-dir=RUN", "--format=onnx", "--output=b.onnx", "--overwrite"],
            "'b.onnx.md' is not as an export wrote it",
        ),
        (["--run-dir=RUN", "--format=onnx", "--output=a.txt"], "onnx must end in .onnx: 'a.txt'"),
        (["--run-dir=RUN", "--format=onnx", "--output=a.onnx"], "'a.onnx' exists already"),
        (["--run-dir=RUN", "--format=onnx", "--output=b.onnx"], "'b.onnx.md' exists already"),
        (["--run-dir=RUN", "--output=c.onnx"], "saved_model must not end in .onnx: 'c.onnx'"),
        (["--run-dir=RUN", "--output=mine/.."], "--output must be a new name, not 'mine/..'"),
        (["--run-dir=RUN", "--output=link"], "'link' exists already"),
        (["--run-dir=RUN", "--output=linked"], "'linked/elsewhere' exists already"),
        (
            ["--run-dir=RUN", "--output=linked", "--overwrite"],
            "'linked/elsewhere' is not as an export wrote it",
        ),
        (["--run-dir=RUN", "--output=c [1]"], "/c [1]': a path may not have"),
        (["--run-dir=RUN", "--output=c\\1"], "/c\\1': a path may not have"),
        (["--run-dir=RUN", "--format=onnx", "--output=new/../a.onnx"], "/a.onnx' exists already"),
        (["--run-dir=RUN", "--output=caf\udce9"], "is not in UTF-8: choose another"),
        (["--run-dir=RUN", "--format=keras", "--float16"], "--float16 goes with --format litert"),
        (["--run-dir=RUN", "--output=a.onnx/below"], "'a.onnx/below' cannot be written"),
    ],
)
def test_what_cannot_be_exported_is_explained_and_nothing_changes(wgan_gp, run, options, said):
    for name in ("empty", "mine", "linked"):
        (wgan_gp.folder / name).mkdir()
    links = [wgan_gp.folder / name for name in ("link", "linked/elsewhere")]
    for link in links:
        link.symlink_to(wgan_gp.folder / "empty")
    files = [wgan_gp.folder / name for name in ("mine/photo.jpg", "a.onnx", "b.onnx.md")]
    for file in files:
        file.write_text("mine")
    options = [option.replace("RUN", str(run)) for option in options]
    assert said in wgan_gp.mistake("export", *options)
    assert [file.read_text() for file in files] == ["mine"] * 3
    assert all(link.is_symlink() for link in links)


def test_an_unknown_format_is_answered_with_the_known_ones(wgan_gp, run):
    said = wgan_gp("export", "--run-dir", run, "--format", "pt", status=2).stderr
    assert all(name in said for name in LOADERS)


def test_an_export_is_overwritten_when_told(wgan_gp, run):
    for _ in range(2):
        wgan_gp("export", "--run-dir", run, "--output", "flowers", "--overwrite")
        (wgan_gp.folder / "flowers" / ".DS_Store").write_text("of a file manager")
    assert tf.saved_model.load(wgan_gp.folder / "flowers").signatures.keys() == {
        "serving_default",
        "generate",
        "render_png",
    }
    assert " exists already" in wgan_gp.mistake("export", "--run-dir", run, "--output", "flowers")


@pytest.mark.parametrize(
    ("output", "format_", "own"),
    [
        ("export/../generator.keras", "keras", "generator.keras"),
        ("best.keras", "keras", "best.keras"),
        ("run.json", "saved_model", "run.json"),
        ("grids", "saved_model", "grids"),
        ("quality", "saved_model", "quality.json"),  # of its facts
        ("best", "saved_model", "best.json"),
    ],
)
def test_the_run_s_own_files_are_not_overwritten(wgan_gp, run, output, format_, own):
    before = {path: path.read_bytes() for path in run.glob("*.*")}
    options = ["--format", format_, "--output", run / output, "--overwrite"]
    said = wgan_gp.mistake("export", "--run-dir", run, *options)
    assert f"{own}' would be a file of the run itself: choose another place" in said
    assert {path: path.read_bytes() for path in run.glob("*.*")} == before


def _twice_enlarged() -> keras.Model:
    """With one layer that repeats pixels at two sizes, and one that Keras keeps as its code."""
    latents = keras.Input((5,))
    enlarge = keras.layers.UpSampling2D(2)
    x = keras.layers.Reshape((4, 4, 3))(keras.layers.Dense(48)(latents))
    x = keras.layers.Conv2D(3, 3, padding="same")(enlarge(enlarge(x)))
    return keras.Model(latents, keras.layers.Lambda(keras.ops.tanh)(x))


class Subclassed(keras.Model):
    def __init__(self) -> None:
        super().__init__()
        self.enlarged = _twice_enlarged()
        self(np.zeros((1, 5), np.float32))

    def call(self, latents):
        return self.enlarged(latents)


def test_litert_takes_a_network_of_ones_own(tmp_path):
    generator = _twice_enlarged()
    export_litert(generator, tmp_path / "a.tflite")
    latents = np.random.default_rng(0).standard_normal((3, 5), "f4")
    images = load_litert(tmp_path / "a.tflite")(latents)
    np.testing.assert_allclose(images, generator(latents), atol=1e-5)
    with pytest.raises(
        InputError, match=r"LiteRT has no way to compute this generator \(its Conv2D\): build it"
    ):
        export_litert(Subclassed(), tmp_path / "b.tflite")
    assert not (tmp_path / "b.tflite").exists()


def test_litert_names_the_folder_in_which_there_is_no_room(tmp_path, monkeypatch):
    def fail(*_) -> None:
        raise OSError("saved_model.pb; No space left on device")

    monkeypatch.setattr("wgan_gp.export.litert.export_saved_model", fail)
    message = rf"'{re.escape(tempfile.gettempdir())}' \(.*No space .*\): .* let TMPDIR name another"
    with pytest.raises(InputError, match=message):
        export_litert(_twice_enlarged(), tmp_path / "a.tflite")


def test_litert_takes_a_network_that_was_built_under_another_default(tmp_path):
    generator = _twice_enlarged()
    keras.config.set_image_data_format("channels_first")
    try:
        export_litert(generator, tmp_path / "a.tflite")
    finally:
        keras.config.set_image_data_format("channels_last")
    latents = np.random.default_rng(0).standard_normal((3, 5), "f4")
    images = load_litert(tmp_path / "a.tflite")(latents)
    np.testing.assert_allclose(images, generator(latents), atol=1e-5)


class Half(keras.Model):
    def __init__(self) -> None:
        super().__init__(dtype="mixed_float16")
        self.dense = keras.layers.Dense(12, activation="tanh", dtype="mixed_float16")
        self.image = keras.layers.Reshape((2, 2, 3), dtype="mixed_float16")
        self(np.zeros((1, 5), np.float32))

    def call(self, latents):
        return self.image(self.dense(latents))


def test_the_images_of_a_subclassed_generator_in_half_precision_are_floats(tmp_path):
    generator = Half()
    export_saved_model(generator, tmp_path / "a")
    export_onnx(generator, tmp_path / "a.onnx")
    latents = np.random.default_rng(0).standard_normal((3, 5), "f4")
    for load, name in ((load_saved_model, "a"), (load_onnx, "a.onnx")):
        images = load(tmp_path / name)(latents)
        assert images.dtype == np.float32
        np.testing.assert_allclose(images, generator(latents), atol=2e-3)


class Negative(keras.layers.UpSampling2D):
    def call(self, inputs):
        return -super().call(inputs)


def test_litert_does_what_a_layer_made_of_keras_s_does(tmp_path):
    stack = [keras.Input((5,)), keras.layers.Dense(48), keras.layers.Reshape((4, 4, 3))]
    generator = keras.Sequential([*stack, Negative(2)])
    export_litert(generator, tmp_path / "a.tflite")
    latents = np.random.default_rng(0).standard_normal((1, 5), "f4")
    images = load_litert(tmp_path / "a.tflite")(latents)
    np.testing.assert_allclose(images, generator(latents), atol=1e-5)


def enlarged_by(interpolation: str) -> keras.Model:
    enlarge = keras.layers.UpSampling2D(2, interpolation=interpolation)
    stack = [keras.Input((5,)), keras.layers.Dense(48), keras.layers.Reshape((4, 4, 3))]
    return keras.Sequential([*stack, enlarge])


def test_what_a_format_lacks_is_named(tmp_path):
    with pytest.raises(InputError, match=r"LiteRT has no way .* \(its ResizeBicubic\)"):
        export_litert(enlarged_by("bicubic"), tmp_path / "a.tflite")
    with pytest.raises(InputError, match=r"ONNX Runtime cannot compute .* ScaleAndTranslate"):
        export_onnx(enlarged_by("lanczos3"), tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []


def test_litert_takes_models_within_a_model(tmp_path):
    def block(channels: int) -> keras.Model:
        enlarge = keras.layers.UpSampling2D(2)
        return keras.Sequential([enlarge, keras.layers.Conv2D(channels, 3, padding="same")])

    stack = [keras.Input((5,)), keras.layers.Dense(48), keras.layers.Reshape((4, 4, 3))]
    generator = keras.Sequential([*stack, block(4), keras.Sequential([block(3)])])
    export_litert(generator, tmp_path / "a.tflite")
    latents = np.random.default_rng(0).standard_normal((3, 5), "f4")
    images = load_litert(tmp_path / "a.tflite")(latents)
    assert images.shape == (3, 16, 16, 3)
    np.testing.assert_allclose(images, generator(latents), atol=1e-5)


@pytest.mark.usefixtures("quick_exports")
@pytest.mark.parametrize("name", ["flowers/assets.extra/requests", "flowers/new.txt"])
def test_what_others_put_into_an_export_is_named_and_kept(wgan_gp, run, name):
    export = ["export", "--run-dir", run, "--output", "flowers", "--overwrite"]
    wgan_gp(*export)
    foreign = wgan_gp.folder / name
    foreign.parent.mkdir(exist_ok=True)
    foreign.write_text("to warm up")
    assert f"'{name}' is not as an export wrote it" in wgan_gp.mistake(*export)
    assert foreign.read_text() == "to warm up"
    assert (wgan_gp.folder / "flowers" / "saved_model.pb").is_file()
    foreign.unlink()
    card = wgan_gp.folder / "flowers.md"
    card.write_text(f"{card.read_text()} and more")
    assert "'flowers.md' is not as an export wrote it" in wgan_gp.mistake(*export)
    card.unlink()
    about = wgan_gp.folder / "flowers.json"
    about.write_text(json.dumps({**json.loads(about.read_text()), "reviewed": "yes"}))
    assert "'flowers.json' is not as an export wrote it" in wgan_gp.mistake(*export)
    assert json.loads(about.read_text())["reviewed"] == "yes"
    about.write_text("[" * 100_000)
    assert "is not as an export wrote it" in wgan_gp.mistake(*export)


@pytest.mark.usefixtures("quick_exports")
def test_another_s_saved_model_is_not_replaced(wgan_gp, run):
    wgan_gp("export", "--run-dir", run, "--output", "flowers")
    (wgan_gp.folder / "flowers.json").unlink()
    said = wgan_gp.mistake("export", "--run-dir", run, "--output", "flowers", "--overwrite")
    assert "is not as an export wrote it" in said


def test_an_export_goes_into_the_run_and_tells_how_far_off_it_is(wgan_gp, run, monkeypatch):
    shutil.copytree(run, wgan_gp.folder / "run")
    load = exporting.LOADERS["keras"]
    monkeypatch.setitem(exporting.LOADERS, "keras", lambda path: lambda x: load(path)(x) + 0.02)
    said = wgan_gp("export", "--run-dir", "run", "--format", "keras").stdout
    assert said.startswith(
        "run/export/generator.keras (keras): differs from the generator by at most 0.02 "
    )


@pytest.mark.parametrize("off", [0.5, np.nan])
def test_an_export_that_is_another_generator_does_not_replace_the_one_before(
    wgan_gp, run, monkeypatch, off
):
    arguments = ("export", "--run-dir", run, "--format", "keras", "--output", "a.keras")
    wgan_gp(*arguments)
    before = {path: path.read_bytes() for path in wgan_gp.folder.iterdir()}
    load = exporting.LOADERS["keras"]
    monkeypatch.setitem(exporting.LOADERS, "keras", lambda path: lambda x: load(path)(x) + off)
    said = wgan_gp.mistake(*arguments, "--overwrite")
    assert f"the images of this keras export differ from the generator's by {off}" in said
    assert {path: path.read_bytes() for path in wgan_gp.folder.iterdir()} == before


@pytest.mark.parametrize("is_there", [False, True])
def test_a_full_disk_leaves_the_export_before_or_none(wgan_gp, run, monkeypatch, is_there):
    arguments = ("export", "--run-dir", run, "--format", "keras", "--output", "a.keras")
    if is_there:
        wgan_gp(*arguments)
    before = {path: path.read_bytes() for path in wgan_gp.folder.iterdir()}

    def fail(unfinished: Path, name: str) -> dict[str, str]:  # before the facts are written
        raise OSError(errno.ENOSPC, "No space left on device", str(unfinished))

    with monkeypatch.context() as full:
        full.setattr(exporting, "_digests", fail)
        assert "No space left" in wgan_gp.mistake(*arguments, "--overwrite")
    assert {path: path.read_bytes() for path in wgan_gp.folder.iterdir()} == before
    wgan_gp(*arguments, *(["--overwrite"] if is_there else []))


def test_the_disk_has_the_model_before_anything_takes_its_place(wgan_gp, run, monkeypatch):
    sync = exporting.sync

    def fail(path: Path) -> None:
        sync(path)
        assert path.name == ".writing-a.keras"
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(exporting, "sync", fail)
    arguments = ("export", "--run-dir", run, "--format", "keras", "--output", "a.keras")
    assert "Input/output error" in wgan_gp.mistake(*arguments)
    assert list(wgan_gp.folder.iterdir()) == []


class Killed(BaseException):
    """Nothing in the program catches it."""


@pytest.mark.usefixtures("quick_exports")
@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("ending", ["", ".md", ".json"])
def test_an_export_that_was_killed_can_be_repeated(wgan_gp, run, monkeypatch, ending, is_there):
    arguments = ("export", "--run-dir", run, "--format", "saved_model", "--output", "a")
    if is_there:
        wgan_gp(*arguments)
    put = whole_files._put_in_place

    def be_killed(unfinished: Path, path: Path) -> None:
        if path.name == f"a{ending}":
            raise Killed
        put(unfinished, path)

    with monkeypatch.context() as killing:
        killing.setattr(whole_files, "_put_in_place", be_killed)
        killing.setattr(exporting, "model_card", lambda *facts: "another card")
        with pytest.raises(Killed):
            wgan_gp(*arguments, "--overwrite")
    wgan_gp(*arguments, *(["--overwrite"] if is_there else []))
    assert "sha256_before" not in json.loads((wgan_gp.folder / "a.json").read_text())
    (wgan_gp.folder / "a.md").write_text("by hand")
    assert "a.md' is not as an export wrote it" in wgan_gp.mistake(*arguments, "--overwrite")
    assert "exists already" in wgan_gp.mistake(*arguments)


def test_an_export_that_was_killed_before_its_model_was_there_is_not_in_its_own_way(
    wgan_gp, run, monkeypatch
):
    arguments = ("export", "--run-dir", run, "--format", "keras", "--output", "a.keras")
    kill_at(monkeypatch, wgan_gp, arguments, lambda new: new.name == "a.keras")
    assert (wgan_gp.folder / "a.keras.json").exists()
    wgan_gp(*arguments)
    (wgan_gp.folder / "a.keras").unlink()  # another's doing
    assert "exists already" in wgan_gp.mistake(*arguments)


@pytest.mark.usefixtures("quick_exports")
def test_an_export_that_was_killed_twice_can_be_repeated(wgan_gp, run, monkeypatch):
    arguments = ("export", "--run-dir", run, "--output", "a", "--overwrite")
    wgan_gp(*arguments)
    kill_at(monkeypatch, wgan_gp, arguments, lambda new: new.name == "a")
    assert not (wgan_gp.folder / "a").exists()  # between the two renames of a folder
    kill_at(monkeypatch, wgan_gp, arguments, lambda new: new.name == "a.md")
    wgan_gp(*arguments)


def kill_at(monkeypatch, wgan_gp, arguments, is_the_end: Callable[[Path], bool]) -> None:
    """Run the command, and end it as a kill would before something takes its place."""
    rename, has_ended = whole_files._rename, []

    def be_killed(old: Path, new: Path) -> None:
        if is_the_end(new):
            has_ended.append(new)
            raise Killed
        rename(old, new)

    def until_then(mend: Callable[[Path], None]) -> Callable[[Path], None]:
        return lambda path: None if has_ended else mend(path)

    with monkeypatch.context() as killing:
        killing.setattr(whole_files, "_rename", be_killed)
        for name in ("recover", "_remove"):  # what a kill leaves, nobody mends
            killing.setattr(whole_files, name, until_then(getattr(whole_files, name)))
        with pytest.raises(Killed):
            wgan_gp(*arguments)


def test_two_exports_to_one_place_do_not_mix(wgan_gp, run):
    arguments = ("export", "--run-dir", run, "--format", "keras", "--output", "a.keras")
    with alone(wgan_gp.folder / "a.keras"):
        assert "another process is writing 'a.keras'" in wgan_gp.mistake(*arguments)
    assert list(wgan_gp.folder.iterdir()) == []
    wgan_gp(*arguments)


@pytest.mark.parametrize("name", [b"fotos-\xe9t\xe9", b"fotos-|t\n"])
def test_a_folder_whose_name_the_card_cannot_hold_can_be_told(run, generator, name):
    config, facts = RunFolder(run).read()
    data = os.fsdecode(b"/photographs/" + name)
    card = model_card(config, {**facts, "data": data}, {}, generator)
    assert "| training data | images in a folder 'fotos-?t?': 20 images |" in card
    card.encode()


def test_two_exports_into_one_folder_have_a_card_each(wgan_gp, run):
    for name in ("a.keras", "b.keras"):
        wgan_gp("export", "--run-dir", run, "--format", "keras", "--output", f"out/{name}")
    left = {path.name for path in (wgan_gp.folder / "out").iterdir()}
    assert left == {f"{x}.keras{y}" for x in "ab" for y in ("", ".json", ".md")}


# Generators that Keras does not load by itself


class Doubling(keras.layers.Layer):
    """A class of one's own, which is not registered."""

    def call(self, inputs):
        return 2 * inputs


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (Doubling(), "a class of one's own has to be registered and imported first"),
        (keras.layers.Lambda(lambda x: 2 * x), "a Lambda layer is never run from a file"),
    ],
    ids=["a class of one's own", "a Lambda layer"],
)
def test_a_generator_with_parts_of_its_own_is_one_sentence(wgan_gp, run, layer, said):
    shutil.copytree(run, wgan_gp.folder / "other")
    generator = keras.Sequential([keras.Input((100,)), keras.layers.Dense(12), layer])
    generator.save(wgan_gp.folder / "other" / "generator.keras")
    answer = wgan_gp.mistake("generate", "--run-dir", "other")
    assert "is undamaged, but cannot be loaded" in answer
    assert said in answer


@pytest.mark.parametrize(
    ("arguments", "packages"),
    [
        (["export", "--format=onnx", "--output=a.onnx"], "onnx tf2onnx onnxruntime"),
        (["export", "--format=litert", "--output=a.tflite"], "ai-edge-litert"),
        (["interpolate", "--output=a.mp4"], "imageio av"),
    ],
)
def test_a_missing_extra_is_one_sentence(run, monkeypatch, capsys, tmp_path, arguments, packages):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SystemExit) as exit_:
        main([*arguments, "--run-dir", str(run)])
    assert exit_.value.code == 2
    assert capsys.readouterr().err.endswith(f"is not installed: pip install {packages}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_generator_of_mixed_precision_and_many_devices_becomes_portable(tiny_config, tmp_path):
    config = dataclasses.replace(
        tiny_config, precision="mixed_bfloat16", generator_normalization="batch"
    )
    mixed = build_generator(config)
    for layer in mixed.layers:
        if hasattr(layer, "synchronized"):
            layer.synchronized = True
    same = portable(mixed)
    assert {layer.compute_dtype for layer in same.layers} == {"float32"}
    assert not any(getattr(layer, "synchronized", False) for layer in same.layers)
    latents = np.random.default_rng(0).standard_normal((3, config.latent_dim), "float32")
    np.testing.assert_allclose(same(latents), mixed(latents), atol=0.05)
    assert portable(same) is same
    export_onnx(mixed, tmp_path / "mixed.onnx")
    export_saved_model(mixed, tmp_path / "mixed")
    for exported in (load_onnx(tmp_path / "mixed.onnx"), load_saved_model(tmp_path / "mixed")):
        np.testing.assert_allclose(exported(latents), same(latents), atol=1e-5)


@keras.saving.register_keras_serializable(package="tests")
class HalfGenerator(keras.Model):
    """A class of its own, which no other precision can be given to."""

    def __init__(self) -> None:
        super().__init__(dtype="mixed_bfloat16")
        self.dense = keras.layers.Dense(32 * 32 * 3, dtype="mixed_bfloat16")
        self.reshape = keras.layers.Reshape((32, 32, 3), dtype="float32")

    def call(self, latents):
        return self.reshape(self.dense(latents))


def test_what_onnx_runtime_cannot_compute_is_not_written(tmp_path):
    generator = HalfGenerator()
    generator(np.zeros((1, 8), "float32"))
    with pytest.raises(InputError, match="ONNX Runtime cannot compute this generator: "):
        export_onnx(generator, tmp_path / "half.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_negative_seed_is_explained(saved_model):
    with pytest.raises(tf.errors.InvalidArgumentError, match="seed must be 0 or more"):
        generate(saved_model, 1, -1)


def test_the_largest_count_is_answered(saved_model):
    assert generate(saved_model, 4096, 0).shape == (4096, 32, 32, 3)
