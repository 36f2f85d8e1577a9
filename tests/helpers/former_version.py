"""What version 0.1.0 wrote, with Keras 3.15."""

from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

RUN = Path(__file__).parents[1] / "assets" / "run-0.1.0"

readable = pytest.mark.skipif(
    Version(version("keras")) < Version("3.13"),
    reason="Keras before 3.13 does not read models that newer ones have saved",
)
