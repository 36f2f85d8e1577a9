"""Models for the callbacks' tests, which are about callbacks: traced once, used many times."""

from collections import defaultdict

import pytest

from wgan_gp import WGANGP, Config
from wgan_gp.model import build_model


class Models:
    """What `build_model` gives, from a stock of models that are as new; do not compile them.

    To trace a training step takes seconds, to run it takes milliseconds.
    """

    def __init__(self) -> None:
        self._free = defaultdict(list)
        self._taken = []

    def take(self, config: Config) -> WGANGP:
        """An untrained model, another one than those taken since `take_back`."""
        free = self._free[config]
        model, new = free.pop() if free else self._build(config)
        for variable, value in zip(self._variables(model), new, strict=True):
            variable.assign(value)
        model.stop_training = False
        self._taken.append((config, model, new))
        return model

    def take_back(self) -> None:
        """Whoever took models is done with them."""
        for config, model, new in self._taken:
            self._free[config].append((model, new))
        self._taken.clear()

    def _build(self, config: Config) -> tuple:
        model = build_model(config)
        return model, [variable.numpy() for variable in self._variables(model)]

    def _variables(self, model: WGANGP) -> list:
        adams = [*model.critic_optimizer.variables, *model.generator_optimizer.variables]
        sums = model.metrics_variables
        return [*model.variables, *sums, *adams, model._losses_of_execution]


@pytest.fixture(scope="session")
def models() -> Models:
    return Models()


@pytest.fixture(autouse=True)
def stock(request, monkeypatch, models):
    """Let the tests of this folder take their models from the stock."""
    if hasattr(request.module, "build_model"):
        monkeypatch.setattr(request.module, "build_model", models.take)
    yield
    models.take_back()
