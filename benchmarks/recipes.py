"""What each ingredient of the preset `flowers` brings: the table of docs/quality.md.

    python benchmarks/recipes.py FOLDER_OF_PHOTOGRAPHS RESULTS [--minutes 6]

Every recipe trains for the same processor time, one after the other, on the photographs that are
not held out, and is measured on those that are. A row that RESULTS holds already is not made again;
the table and the picture of all rows are.
"""

import argparse
import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import matplotlib.pyplot as plt
import numpy as np
import tensorflow as tf
from keras import layers, ops

import wgan_gp
from wgan_gp import WGANGP, Config, build_critic, build_generator
from wgan_gp.data.stream import training_indices
from wgan_gp.networks import ImageLayerNormalization

SHOWN = 12  # images of the same latents, for each row of the picture
COLUMNS = {
    "swd": "SWD",
    "kid": "1,000 KID",
    "precision": "precision",
    "recall": "recall",
    "diversity": "diversity",
    "checkerboard": "checkerboard",
}

# Each of these adds to the one above it.
SIGMOID = Config(base_filters=16, holdout=0.2)
LINEAR = dataclasses.replace(SIGMOID, critic_activation="linear")
NORM = dataclasses.replace(LINEAR, generator_normalization="batch")
NEAREST = dataclasses.replace(NORM, upsampling="nearest")
AVERAGED = dataclasses.replace(NEAREST, ema_half_life=10_000)
FEWER = dataclasses.replace(
    AVERAGED,
    n_critic=2,
    batch_size=32,
    critic_learning_rate=1e-3,
    generator_learning_rate=1e-3,
)
PIXEL = dataclasses.replace(FEWER, critic_normalization="pixel")
SMOOTHED = dataclasses.replace(PIXEL, upsampling="smoothed")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A row of the table."""

    config: Config
    generator: Callable[[Config], keras.Model] = build_generator
    critic: Callable[[Config], keras.Model] = build_critic
    batches: Callable[[tf.Tensor], tf.Tensor] = lambda batches: batches
    decays_like: str | None = None  # the recipe whose iterations say when half the time is over


def kernel_4(config: Config) -> keras.Model:
    """Transposed convolutions whose kernel of 4 the stride of 2 divides, with batch norm."""
    width = config.base_filters
    generator = keras.Sequential([keras.Input((config.latent_dim,))], name="generator")
    generator.add(layers.Dense(4 * 4 * 8 * width))
    generator.add(layers.Reshape((4, 4, 8 * width)))
    for filters in (4 * width, 2 * width, width):
        generator.add(layers.Conv2DTranspose(filters, 4, 2, "same"))
        generator.add(layers.BatchNormalization(momentum=0.98))
        generator.add(layers.ReLU())
    generator.add(layers.Conv2DTranspose(3, 4, 2, "same", activation="tanh"))
    return generator


def bilinear(config: Config) -> keras.Model:
    """The generator with bilinear upsampling at every size."""

    def replaced(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, layers.UpSampling2D):
            return layers.UpSampling2D(2, interpolation="bilinear")
        return layer.__class__.from_config(layer.get_config())

    return keras.models.clone_model(build_generator(config), clone_function=replaced)


def kerass_norm(config: Config) -> keras.Model:
    """The critic with `LayerNormalization()`, whose second derivatives are wrong."""

    def replaced(layer: keras.Layer) -> keras.Layer:
        if isinstance(layer, ImageLayerNormalization):
            return layers.LayerNormalization(epsilon=layer.epsilon)
        return layer.__class__.from_config(layer.get_config())

    return keras.models.clone_model(build_critic(config), clone_function=replaced)


class RandomColours(layers.Layer):
    """Brightness, saturation and contrast of each image, changed at random in training."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, x, training=False):
        if not training:
            return x
        brightness, saturation, contrast = (
            keras.random.uniform((ops.shape(x)[0], 1, 1, 1), seed=self.seeds) for _ in range(3)
        )
        x = x + brightness - 0.5
        grey = ops.mean(x, axis=3, keepdims=True)
        x = (x - grey) * 2.0 * saturation + grey
        mean = ops.mean(x, axis=(1, 2, 3), keepdims=True)
        return (x - mean) * (contrast + 0.5) + mean


def augmented(config: Config) -> keras.Model:
    """DiffAugment (Zhao et al., arXiv:2006.10738), colour and translation, before the critic.

    Its first layers change real, generated and mixed images alike, in the updates of both networks.
    """
    shape = (config.image_size, config.image_size, 3)
    move = layers.RandomTranslation(0.125, 0.125, fill_mode="constant", fill_value=0.0)
    return keras.Sequential(
        [keras.Input(shape), RandomColours(config.seed), move, build_critic(config)]
    )


def reused(batches: tf.Tensor) -> tf.Tensor:
    """The first mini-batch for every critic update of an iteration."""
    return tf.repeat(batches[:, :1], batches.shape[1], axis=1)


RECIPES = {
    "the MATLAB example's": Recipe(SIGMOID),
    "+ linear score": Recipe(LINEAR),
    "+ batch norm in the generator": Recipe(NORM),
    "+ nearest upsampling": Recipe(NEAREST),
    "+ averaged weights": Recipe(AVERAGED),
    "+ 2 critic updates, batch 32, rates 1e-3": Recipe(FEWER),
    "+ layer norm over pixels": Recipe(PIXEL),
    "+ the last upsampling bilinear": Recipe(SMOOTHED),
    # Each of these is another way than one of the rows above.
    "4th row: transposed, kernel 4": Recipe(NORM, generator=kernel_4),
    "6th row, falling rates": Recipe(
        dataclasses.replace(FEWER, final_learning_rate=0.05),
        decays_like="+ 2 critic updates, batch 32, rates 1e-3",
    ),
    "6th row, DiffAugment": Recipe(FEWER, critic=augmented),
    "6th row, one batch for both critic updates": Recipe(FEWER, batches=reused),
    "7th row: Keras's LayerNormalization": Recipe(FEWER, critic=kerass_norm),
    "8th row: every upsampling bilinear": Recipe(SMOOTHED, generator=bilinear),
    "8th row: 1 critic update": Recipe(dataclasses.replace(SMOOTHED, n_critic=1)),
    "8th row: Adam's second decay 0.99": Recipe(dataclasses.replace(SMOOTHED, beta_2=0.99)),
    "8th row: both": Recipe(dataclasses.replace(SMOOTHED, n_critic=1, beta_2=0.99)),
    "8th row: pixels and features": Recipe(
        dataclasses.replace(SMOOTHED, critic_features="efficientnet-lite0", critic_kernel=4)
    ),
    **{
        f"8th row, every {every} critic updates one with the penalty": Recipe(
            dataclasses.replace(SMOOTHED, penalty_every=every)
        )
        for every in (2, 4, 8)
    },
    **{
        f"8th row, weight of the penalty {weight:g}": Recipe(
            dataclasses.replace(SMOOTHED, gradient_penalty_weight=weight)
        )
        for weight in (1.0, 0.1)
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photographs")
    parser.add_argument("results", type=Path)
    parser.add_argument("--minutes", type=float, default=6.0, help="processor time of a recipe")
    parser.add_argument("--seed", type=int, default=0, help="of every recipe")
    parser.add_argument("--row", help="make this one only, in this process")
    arguments = parser.parse_args()
    if arguments.row:
        make_row(arguments)
        return
    arguments.results.mkdir(parents=True, exist_ok=True)
    for name in RECIPES:
        if not file_of(name, arguments.results).exists():
            subprocess.run([sys.executable, *sys.argv, "--row", name], check=True)
        print_table(arguments.results)
    draw(arguments.results)


def make_row(arguments: argparse.Namespace) -> None:
    """Train and measure the recipe that the arguments name, and keep both."""
    name, results = arguments.row, arguments.results
    recipe = RECIPES[name]
    config = dataclasses.replace(recipe.config, seed=arguments.seed)
    if recipe.decays_like:
        done = json.loads(file_of(recipe.decays_like, results).read_text())["iterations"]
        config = dataclasses.replace(config, iterations=done)
    images = wgan_gp.load_images(arguments.photographs, config.image_size)
    keras.utils.set_random_seed(config.seed)  # of layers that no config has seeded
    model = build(recipe, config)
    spent = train(model, recipe, config, images, 60 * arguments.minutes)
    report = wgan_gp.evaluate(
        model.drawing_generator,
        wgan_gp.held_out_images(images, config),
        images[training_indices(images, config)],
        metrics=("swd", "diversity", "checkerboard", "kid", "precision"),
        features=wgan_gp.load_feature_network("efficientnet-lite0"),
    )
    iterations = int(model.iteration.numpy())
    facts = {"iterations": iterations, "seconds": spent, **report.to_dict()}
    np.save(file_of(name, results).with_suffix(".npy"), model.generate(SHOWN))
    file_of(name, results).write_text(json.dumps(facts, indent=2))


def build(recipe: Recipe, config: Config) -> WGANGP:
    """`build_model` with the recipe's networks."""
    model = wgan_gp.build_model(config)
    compiled = model.get_compile_config()
    model = WGANGP(
        recipe.generator(config),
        recipe.critic(config),
        config.n_critic,
        config.gradient_penalty_weight,
        config.seed,
        config.ema_half_life,
        config.penalty_every,
        model.critic_features,
    )
    model.compile_from_config(compiled)
    return model


def train(
    model: WGANGP, recipe: Recipe, config: Config, images: np.ndarray, seconds: float
) -> float:
    """Train for so many seconds of processor time; gives those that it took."""
    start = time.process_time()

    def stop_in_time(batch: int, logs: dict | None) -> None:
        if time.process_time() - start > seconds:
            model.stop_training = True

    model.fit_to(
        config.iterations,
        lambda begin: wgan_gp.make_dataset(images, config, begin).map(recipe.batches),
        callbacks=[keras.callbacks.LambdaCallback(on_train_batch_end=stop_in_time)],
        verbose=0,
    )
    return time.process_time() - start


def file_of(name: str, results: Path) -> Path:
    return results / (re.sub(r"\W+", "-", name).strip("-") + ".json")


def print_table(results: Path) -> None:
    """The table as Markdown, of the rows that there are."""
    rows = [["recipe", "iterations", "s each", *COLUMNS.values()]]
    rows.append(["---"] * len(rows[0]))
    facts = None
    for name in RECIPES:
        if file_of(name, results).exists():
            facts = json.loads(file_of(name, results).read_text())
            pace = f"{facts['seconds'] / facts['iterations']:.2f}"
            scores = [shown(column, facts["scores"][column]["generated"]) for column in COLUMNS]
            rows.append([name, f"{facts['iterations']:,}", pace, *scores])
    if facts:
        real = [shown(column, facts["scores"][column]["real"]) for column in COLUMNS]
        rows.append(["*other photographs*", "", "", *real])
    lines = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    print(lines, flush=True)
    (results / "table.md").write_text(lines + "\n", encoding="utf-8")


def shown(column: str, value: float) -> str:
    if column == "checkerboard":
        return f"{value:.5f}"
    if column == "kid":
        return f"{1e3 * value:.0f}"
    return f"{value:.1f}" if column == "swd" else f"{value:.2f}"


def draw(results: Path) -> None:
    """The same latents through the generator of each row."""
    names = [name for name in RECIPES if file_of(name, results).exists()]
    figure, axes = plt.subplots(len(names), 1, figsize=(10, 1.1 * len(names)), layout="constrained")
    for name, axis in zip(names, axes, strict=True):
        images = np.load(file_of(name, results).with_suffix(".npy"))
        axis.imshow(np.concatenate([*images], axis=1))
        axis.set_title(name, fontsize=8, loc="left", pad=2)
        axis.axis("off")
    figure.savefig(results / "recipes.png", dpi=80)


if __name__ == "__main__":
    main()
