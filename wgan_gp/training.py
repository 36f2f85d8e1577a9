"""A whole training run: model, callbacks, files."""

import importlib.metadata
import json
import math
import time

import keras
import numpy as np
import tensorflow as tf

from wgan_gp.config import Config
from wgan_gp.dataset import make_dataset
from wgan_gp.errors import InputError
from wgan_gp.model import WGANGP
from wgan_gp.monitor import Monitor
from wgan_gp.nan_guard import StopAtNaN
from wgan_gp.networks import build_critic, build_generator
from wgan_gp.pictures import image_grid, save_film, save_png
from wgan_gp.progress import ProgressBar
from wgan_gp.run_folder import RunFolder

EPOCH_ITERATIONS = 20  # a line of history.csv is the mean over so many generator iterations

_SAMPLE_COUNT = 25
_MAX_FILM_FRAMES = 100


def build_model(config: Config) -> WGANGP:
    """A compiled, untrained model with the networks and the two Adams of `config`."""

    def adam(learning_rate: float) -> keras.optimizers.Adam:
        return keras.optimizers.Adam(
            learning_rate, config.beta_1, config.beta_2, config.adam_epsilon
        )

    model = WGANGP(
        build_generator(config),
        build_critic(config),
        config.n_critic,
        config.gradient_penalty_weight,
        config.seed,
    )
    model.compile(adam(config.critic_learning_rate), adam(config.generator_learning_rate))
    return model
