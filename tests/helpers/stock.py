"""Models for tests that are about something else: traced once, used many times."""

import dataclasses
from collections import defaultdict

import tensorflow as tf

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
        if tf.distribute.has_strategy() or config.deterministic:
            return build_model(config)
        config = _of_the_model(config)
        free = self._free[config]
        model, new = free.pop() if free else self._build(config)
        for variable, value in zip(self._variables(model), new, strict=True):
            variable.assign(value)
        model.stop_training = False
        model._left = model._restored = (0, 0)
        self._taken.append((config, model, new))
        return model

    def take_the_only(self, config: Config) -> WGANGP:
        """The same, where nobody looks at a model that was taken before."""
        self.take_back()
        return self.take(config)

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


def _of_the_model(config: Config) -> Config:
    """The settings without those that shape no model."""
    same = {"monitor_every": 1, "quality_every": 1, "holdout": 0.0}
    if config.final_learning_rate == 1:
        same["iterations"] = 1
    return dataclasses.replace(config, **same)
