"""The package as a whole: its public names, and what importing it does."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from helpers.former_version import RUN, readable

import wgan_gp as package
from wgan_gp.support.quiet_tensorflow import silent_stderr

FIND = """
import {first}
import keras, wgan_gp
print(keras.saving.get_registered_object("wgan_gp>WGANGP").__name__)
"""
LOAD = """
import sys
model = keras.saving.load_model(sys.argv[1])
print(type(model).__name__, model.critic_optimizer.name)
"""
# Alone, and modules that the model imports and that import TensorFlow or Keras themselves.
FIRST = ["keras", "tensorflow", "wgan_gp", "wgan_gp, tensorflow", "wgan_gp.averaging"]
FIRST += ["wgan_gp.networks", "wgan_gp.objective", "wgan_gp.random_streams", "wgan_gp.sampling"]
FIRST += ["wgan_gp.imagenet.critic_features", "wgan_gp.imagenet.efficientnet_lite0"]


@readable
@pytest.mark.parametrize("first", FIRST)
def test_keras_finds_the_model_whatever_is_imported_first(environment, first):
    script = FIND.format(first=first) + (LOAD if first == "keras" else "")
    command = [sys.executable, "-c", script, RUN / "finished.keras"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout == ("WGANGP\nWGANGP adam\n" if first == "keras" else "WGANGP\n")


def test_a_generator_of_the_package_may_be_the_first_that_is_asked_for(environment):
    command = [sys.executable, "-c", "import wgan_gp; print(wgan_gp.load_pretrained().name)"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout == "generator\n"


def test_keras_finds_the_metrics_of_two_sets(environment):
    find = "import keras, wgan_gp; get = keras.saving.get_registered_object"
    names = "print(get('wgan_gp>SetMetric').__name__, get('wgan_gp>diversity').__name__)"
    command = [sys.executable, "-c", f"{find}; {names}"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout == "SetMetric diversity\n"


def test_every_public_name_is_there_and_has_a_docstring():
    for name in package.__all__:
        assert getattr(package, name).__doc__, name


@pytest.mark.slow  # it installs setuptools
def test_the_wheel_holds_what_is_no_python(tmp_path):
    project = Path(__file__).parents[1]
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "-w",
        tmp_path,
        project,
    ]
    subprocess.run(command, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "wgan_gp/runs/pretrained_runs/flowers/generator.keras" in names
    assert {"wgan_gp/py.typed", "wgan_gp/__init__.pyi"} <= set(names)
    assert any(name.endswith("/LICENSE") for name in names)


def test_an_import_that_fails_while_it_is_silent_can_be_read_of(capfd):
    with pytest.raises(ImportError), silent_stderr():
        os.write(2, b"a note")
        raise ImportError
    os.write(2, b"what failed")
    assert capfd.readouterr().err == "what failed"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="No wgan_gp attribute Wgan"):
        package.Wgan  # noqa: B018


def test_the_citation_names_the_version():
    citation = Path(__file__).parents[1] / "CITATION.cff"
    assert f"\nversion: {package.__version__}\n" in citation.read_text(encoding="utf-8")


def test_every_room_says_what_it_holds():
    rooms = [path for path in Path(package.__file__).parent.iterdir() if path.is_dir()]
    rooms = [room for room in rooms if room.name != "__pycache__"]
    for room in rooms:
        assert (room / "__init__.py").read_text().startswith('"""'), room


def _python_in(document: str) -> list[str]:
    text = (Path(__file__).parents[1] / document).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.S)


def test_the_readmes_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("wgan_gp.data.images.SYNTHETIC_COUNT", 160)
    use, *_ = _python_in("README.md")
    (quality,) = _python_in("docs/quality.md")
    tiny = "Config(image_size=32, base_filters=2, batch_size=4, n_critic=1, holdout=0.4)"
    code = use + quality
    for written, short, times in (
        ('Config.preset("quick")', tiny, 1),
        ("epochs=75", "epochs=1", 2),
        ("steps_per_epoch=20", "steps_per_epoch=1", 2),
    ):
        assert code.count(written) == times
        code = code.replace(written, short)
    names = {}
    exec(code, names)
    assert names["pictures"].shape == (25, 32, 32, 3)
    assert names["flowers"].shape == (25, 64, 64, 3)
    assert Path("model.keras").is_file()
