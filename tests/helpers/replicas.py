"""Train a tiny model for a few iterations in each of some ways, and keep what came out.

python replicas.py FOLDER PRESET OPTIMIZER WAY...

A way is "one" device, "two", or the name of a mutant of two; with TF_CONFIG in the environment it
is one of several workers, whatever the way. The layers compute in float64, so that what differs is
not rounding. The preset "flowers" takes the penalty in every third critic update, and the critic's
other norm; beside the images it scores, for features, the mean colours of 8x8 pixels.
"""

import dataclasses
import json
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from unittest import mock

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np
import tensorflow as tf

from wgan_gp.config import Config
from wgan_gp.data.stream import make_dataset
from wgan_gp.model import WGANGP, build_model
from wgan_gp.networks import build_critic, build_generator
from wgan_gp.support import replicas

ITERATIONS = 3
BATCHES = [(0, 3), (3, 7), (7, 8)]  # of images to validate with


def summed_gradients() -> AbstractContextManager:
    """Every replica takes its own mean for the whole batch's share."""
    scaled = keras.optimizers.Optimizer.scale_loss
    return mock.patch.object(
        keras.optimizers.Optimizer,
        "scale_loss",
        lambda self, loss: scaled(self, loss * replicas.count()),
    )


def identical_noise() -> AbstractContextManager:
    """Every replica takes the first rows of what is drawn."""
    return mock.patch.object(replicas.Rows, "of", lambda self, values: values[: self.size])


def equal_parts() -> AbstractContextManager:
    """Every replica takes the others' parts of a batch for as large as its own."""

    def own_rows(batch: tf.Tensor) -> replicas.Rows:
        rows, number = (
            tf.shape(batch)[0],
            tf.distribute.get_replica_context().replica_id_in_sync_group,
        )
        return replicas.Rows(number * rows, rows, replicas.count() * rows)

    return mock.patch.object(replicas, "own_rows", own_rows)


MUTANTS = {mutant.__name__: mutant for mutant in (summed_gradients, identical_noise, equal_parts)}


def strategy_of(way: str) -> tf.distribute.Strategy:
    if "TF_CONFIG" in os.environ:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if way == "one":
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


def with_views(config: Config) -> WGANGP:
    """`build_model` with one more view, and a critic of it."""
    keras.utils.set_random_seed(0)
    layers, images = keras.layers, keras.Input((32, 32, 3))
    of_cells = [keras.Input((4, 4, 3)), layers.Conv2D(1, 4), layers.Flatten()]
    critics = [build_critic(config), keras.Sequential(of_cells)]
    inputs = [keras.Input(critic.input_shape[1:]) for critic in critics]
    scores = [critic(x) for critic, x in zip(critics, inputs, strict=True)]
    model = WGANGP(
        build_generator(config),
        keras.Model(inputs, layers.Concatenate()(scores)),
        config.n_critic,
        config.gradient_penalty_weight,
        config.seed,
        config.ema_half_life,
        config.penalty_every,
        critic_features=keras.Model(images, [images, layers.AveragePooling2D(8)(images)]),
    )
    model.compile_from_config(build_model(config).get_compile_config())
    return model


def held_out() -> tf.data.Dataset:
    """Batches of 3, 4 and 1 images: 2 and 1 for each of two replicas, then 2 and 2, 1 and none."""
    images = np.random.default_rng(1).uniform(-1, 1, (8, 32, 32, 3)).astype("float32")
    parts = [tf.data.Dataset.from_tensor_slices(images[i:j]).batch(4) for i, j in BATCHES]
    return parts[0].concatenate(parts[1]).concatenate(parts[2])


def train(strategy: tf.distribute.Strategy, preset: str, optimizer: str) -> WGANGP:
    config = dataclasses.replace(
        Config.preset(preset),
        image_size=32,
        latent_dim=6,
        base_filters=4,
        batch_size=4,
        n_critic=2,
        penalty_every=3 if preset == "flowers" else 1,
        critic_normalization="pixel" if preset == "flowers" else "image",
        critic_features="none",
        holdout=0.0,
    )
    images = np.random.default_rng(0).integers(0, 256, (50, 32, 32, 3), dtype=np.uint8)
    with strategy.scope():
        model = with_views(config) if preset == "flowers" else build_model(config)
        if optimizer == "sgd":
            model.compile(keras.optimizers.SGD(1e-2), keras.optimizers.SGD(1e-2))
    dataset = make_dataset(images, config)
    if preset == "flowers":
        dataset = dataset.map(lambda images: (images,))  # as some datasets have them
    model.fit(dataset, steps_per_epoch=ITERATIONS, validation_data=held_out(), verbose=0)
    return model


def main(folder: str, preset: str, optimizer: str, *ways: str) -> None:
    if "TF_CONFIG" not in os.environ:
        cpu = tf.config.list_physical_devices("CPU")[0]
        logical = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, logical)
    keras.config.set_dtype_policy("float64")
    for way in ways:
        strategy = strategy_of(way)
        with MUTANTS.get(way, nullcontext)():
            model = train(strategy, preset, optimizer)
        np.savez(Path(folder) / f"{way}.npz", *model.get_weights())
        metrics = {name: values[0] for name, values in model.history.history.items()}
        (Path(folder) / f"{way}.json").write_text(json.dumps(metrics))


main(*sys.argv[1:])
