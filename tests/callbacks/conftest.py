"""The callbacks' tests are about callbacks: their models come from the stock."""

import pytest


@pytest.fixture(autouse=True)
def stock(request, monkeypatch, models):
    """Let the tests of this folder take their models from the stock."""
    if hasattr(request.module, "build_model"):
        monkeypatch.setattr(request.module, "build_model", models.take)
    yield
    models.take_back()
