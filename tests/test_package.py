"""The package as a whole: its public names, and what importing it does."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.former_version import RUN, readable

import wgan_gp as package

LOAD = """
import {first}
import keras, wgan_gp
model = keras.saving.load_model({file!r})
print(type(model).__name__, model.critic_optimizer.name)
"""


# Alone, and modules that the model imports and that import TensorFlow or Keras themselves.
FIRST = ["keras", "tensorflow", "wgan_gp", "wgan_gp, tensorflow", "wgan_gp.sampling"]
FIRST += ["wgan_gp.networks", "wgan_gp.objective", "wgan_gp.random_streams"]


@readable
@pytest.mark.parametrize("first", FIRST)
def test_keras_finds_the_model_whatever_is_imported_first(environment, first):
    script = LOAD.format(first=first, file=str(RUN / "finished.keras"))
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert result.stdout == "WGANGP adam\n"


def test_every_public_name_is_there_and_has_a_docstring():
    for name in package.__all__:
        assert getattr(package, name).__doc__, name
    assert set(package.__all__) <= set(dir(package))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Wgan'"):
        package.Wgan  # noqa: B018


def test_the_citation_names_the_version():
    readme = Path(__file__).parents[1] / "README.md"
    assert re.search(r"version = \{(.*)\}", readme.read_text())[1] == package.__version__


def test_every_room_says_what_it_holds():
    rooms = [path for path in Path(package.__file__).parent.iterdir() if path.is_dir()]
    rooms = [room for room in rooms if room.name != "__pycache__"]
    for room in rooms:
        assert (room / "__init__.py").read_text().startswith('"""'), room
