"""What users do with a model on two replicas; prints what came of it, as JSON.

python two_replicas.py FOLDER
"""

import dataclasses
import functools
import json
import os
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from parts import Parts

from wgan_gp import (
    WGANGP,
    Checkpoint,
    Config,
    DivergedError,
    HistoryFile,
    InputError,
    StopAtNaN,
    build_critic,
    build_generator,
    build_model,
    make_dataset,
)
from wgan_gp.callbacks.history_rows import read_rows
from wgan_gp.support.layers import batch_norms
from wgan_gp.support.optimizers import apply_gradients

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

# Of the kernel and the bias: the parts of both replicas, which are not clipped as their sum is.
KERNELS, BIASES = [[3.0, 4.0], [-3.0, 0.0]], [[12.0], [0.0]]


SCALED = ("", "dynamically", "by a factor")  # the losses


def change(scaled: str, **limit: float) -> list[float]:
    """What an update with a rate of 1 takes off the weights."""
    scale = 256.0 if scaled else 1.0
    with strategy.scope():
        network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        factor = scale if scaled == "by a factor" else None
        optimizer = keras.optimizers.SGD(1.0, loss_scale_factor=factor, **limit)
        if scaled == "dynamically":
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, scale)
        optimizer.build(network.trainable_variables)
    before = network.get_weights()

    @tf.function
    def update() -> None:
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        kernel, bias = tf.constant(KERNELS)[number], tf.constant(BIASES)[number]
        gradients = [scale * kernel[:, None], scale * bias]
        apply_gradients(optimizer, gradients, network, loss=bias)

    strategy.run(update)
    changes = [x - y for x, y in zip(before, network.get_weights(), strict=True)]
    return np.concatenate([x.ravel() for x in changes]).tolist()


def overflow(overflowing: int) -> list[float]:
    """The scale of the losses, and what the weights have lost, after this replica's overflow."""
    with strategy.scope():
        network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1.0), 256.0)
        optimizer.build(network.trainable_variables)
    before = network.get_weights()

    @tf.function
    def update() -> None:
        number = tf.distribute.get_replica_context().replica_id_in_sync_group
        slope = tf.where(number == overflowing, float("inf"), 256.0)
        gradients = [tf.fill(weight.shape, slope) for weight in network.trainable_variables]
        apply_gradients(optimizer, gradients, network, loss=gradients[0])

    strategy.run(update)
    changes = [float((x - y).max()) for x, y in zip(before, network.get_weights(), strict=True)]
    return [float(optimizer.dynamic_scale.numpy()), *changes]


def refusal(act) -> str:
    try:
        act()
    except (InputError, DivergedError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was raised"


def rows_of_cut_epochs(folder: Path, config: Config) -> list[list[list[float]]]:
    """The history of one device, of one that two replicas go on from, and the other way round."""
    images = np.random.default_rng(0).integers(0, 256, (50, 32, 32, 3), dtype=np.uint8)
    one = build_model(config)
    with strategy.scope():
        two = build_model(config)

    def train(model: WGANGP, iterations: int, name: str) -> list[list[float]]:
        history = HistoryFile(folder / name / "history.csv")
        checkpoint = Checkpoint(folder / name / "checkpoints", callbacks=[history])
        checkpoint.restore(model)
        stream = functools.partial(make_dataset, images, config)
        callbacks = [history, checkpoint]
        model.fit_to(iterations, stream, steps_per_epoch=3, callbacks=callbacks, verbose=0)
        rows = read_rows(history.path)
        return [[float(row[name]) for name in ("iteration", "generator_loss")] for row in rows]

    train(one, 5, "one")  # the second epoch is cut after two iterations
    shutil.copytree(folder / "one", folder / "on from one")
    train(two, 5, "on from two")
    return [train(one, 6, "one"), train(two, 6, "on from one"), train(one, 6, "on from two")]


def main(folder: Path) -> None:
    config = Config(image_size=32, base_filters=2, latent_dim=4, batch_size=4, n_critic=1)
    averaged = {"generator_normalization": "batch", "ema_half_life": 8}
    recipe = dataclasses.replace(config, **averaged)
    with strategy.scope():
        model = build_model(config)
    shape = (4, 1, 32, 32, 3)
    broken = tf.data.Dataset.from_tensors(np.full(shape, np.nan, "float32"))
    path = folder / "images.npy"  # whose mapped memory TensorFlow would take as it is
    np.save(path, np.random.default_rng(0).uniform(-1, 1, (8, 32, 32, 3)).astype("float32"))
    before, images = np.load(path), np.load(path, mmap_mode="r+")
    zeros = tf.data.Dataset.from_tensor_slices(np.zeros((8, *shape[1:]), "float32"))
    dealt_out = strategy.experimental_distribute_dataset(zeros.batch(4, drop_remainder=True))
    model.fit(dealt_out, steps_per_epoch=2, verbose=0)
    build_model(recipe).save(folder / "model.keras")  # on one device
    with strategy.scope():
        loaded = keras.saving.load_model(folder / "model.keras")
    elsewhere = build_model(config)
    zeros_of_4 = zeros.batch(4, drop_remainder=True)

    def fit_in_scope() -> None:
        with strategy.scope():
            elsewhere.fit(zeros.batch(4), verbose=0)

    def of_norms(**regularizers: Any) -> WGANGP:
        with strategy.scope():
            dense = keras.layers.Dense(3 * 32 * 32, **regularizers)
            parts = [keras.Input((4,)), dense, keras.layers.BatchNormalization()]
            generator = keras.Sequential([*parts, keras.layers.Reshape((32, 32, 3))])
            model = WGANGP(generator, build_critic(config), n_critic=1)
            model.compile("adam", "adam")
        return model

    def of_outer_networks() -> None:
        networks = build_generator(config), build_critic(config)
        with strategy.scope():
            WGANGP(*networks, n_critic=1).compile("adam", "adam")

    def of_outer_optimizers() -> None:
        with strategy.scope():
            model = build_model(config)
        model.compile("adam", "adam")
        model.fit(zeros_of_4, verbose=0)

    def of_unknown_size() -> None:
        size = tf.TensorSpec((4, 1, None, None, 3))
        model.fit(tf.data.Dataset.from_generator(lambda: iter(zeros_of_4), output_signature=size))

    def of_a_frozen_generator() -> None:
        with strategy.scope():
            model = build_model(dataclasses.replace(config, precision="mixed_float16"))
            model.generator.trainable = False
            model.compile("adam", "adam")
        model.fit(zeros_of_4, verbose=0)

    limits = [{name: 2.0} for name in ("clipnorm", "global_clipnorm", "clipvalue")]
    uneven = tf.data.Dataset.from_tensor_slices(before).take(7).batch(4)  # the last is 2 + 1
    expected = elsewhere.evaluate(uneven, verbose=0)

    def evaluated_eagerly() -> list[float]:
        with strategy.scope():
            eager = build_model(config)
            eager.compile("adam", "adam", run_eagerly=True)
        return eager.evaluate(uneven, verbose=0)

    iterations = [model.iterations_done]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        model.fit(zeros_of_4, epochs=2, verbose=0)
    iterations.append(model.iterations_done)

    found = {
        "iterations": iterations,
        "warned": [str(warning.message) for warning in warned],
        "evaluated_by_one": expected,
        "evaluated_eagerly": evaluated_eagerly(),
        "changes": [change(scaled, **limit) for limit in limits for scaled in SCALED],
        "overflows": [overflow(replica) for replica in (0, 1, -1)],  # the last is of none
        "evaluated": [model.evaluate(Parts(images), verbose=0) for _ in range(2)],
        "is_untouched": bool((before == np.load(path)).all()),
        "losses_of_layers": refusal(lambda: of_norms(activity_regularizer="l2").fit(zeros_of_4)),
        "losses_of_weights": refusal(lambda: of_norms(kernel_regularizer="l2").fit(zeros_of_4)),
        "networks_elsewhere": refusal(of_outer_networks),
        "optimizers_elsewhere": refusal(of_outer_optimizers),
        "of_unknown_size": refusal(of_unknown_size),
        "of_a_frozen_generator": refusal(of_a_frozen_generator),
        "trained_on_parts": refusal(lambda: model.fit(Parts(np.zeros(shape)))),
        "trained_elsewhere": refusal(fit_in_scope),
        "trained_on_batch": refusal(lambda: model.train_on_batch(np.zeros(shape))),
        "tested_on_batch": refusal(lambda: model.test_on_batch(np.zeros(shape)[:, 0])),
        "are_synchronized": [
            norm.synchronized
            for network in (loaded.generator, loaded.ema_generator)
            for norm in batch_norms(network)
        ],
        "rows": rows_of_cut_epochs(folder, config),
        "diverged": refusal(lambda: model.fit(broken, callbacks=[StopAtNaN()], verbose=0)),
    }
    print(json.dumps(found))


main(Path(sys.argv[1]))
