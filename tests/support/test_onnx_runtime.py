"""onnxruntime as this package loads it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LOADED = "from wgan_gp.support.onnx_runtime import load_onnxruntime; load_onnxruntime()"


def test_onnxruntime_reports_to_nobody(tmp_path):
    """Where it reports, it keeps a number that knows this machine again, and a list of events."""
    pytest.importorskip("onnxruntime")
    places = {name: str(tmp_path) for name in ("HOME", "XDG_CACHE_HOME", "TMPDIR")}
    package = {"PYTHONPATH": str(Path(__file__).parents[2])}
    others = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", LOADED], check=True, env=others | places | package)
    assert [*tmp_path.iterdir()] == []
