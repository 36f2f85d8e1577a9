"""Measuring a generator: each metric asked for, with both ends of its scale.

report = evaluate(generator, held_out, training)
print(report)
"""

import dataclasses
import random
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from wgan_gp.data.subset import Subset
from wgan_gp.metrics.feature_network import FeatureNetwork
from wgan_gp.metrics.features import load_feature_network
from wgan_gp.metrics.inputs import as_images
from wgan_gp.metrics.measures import MEASURES, Sets
from wgan_gp.metrics.report import Report, Score
from wgan_gp.sampling import check_count, check_seed, generate_images
from wgan_gp.support.copying import reinitialized
from wgan_gp.support.errors import InputError
from wgan_gp.support.progress_bar import progress_bar

METRICS = ("swd", "diversity", "checkerboard", "memorization")
FEATURE_METRICS = ("kid", "fid", "precision", "recall")
# The last two are not among the defaults of `evaluate`: one takes the features of all training
# images, which is slow, and the other is of drawn flowers alone.
ALL_METRICS = (*METRICS, *FEATURE_METRICS, "memorization_features", "modes")
NEED_FEATURES = {*FEATURE_METRICS, "memorization_features"}
NEED_TRAINING_IMAGES = {"memorization", "memorization_features"}
_LEAST = 16  # images; a number from fewer means nothing
_PAIRS = 16


def evaluate(
    generator: keras.Model,
    images: np.ndarray | Subset,
    training_images: np.ndarray | Subset | None = None,
    *,
    metrics: Sequence[str] | None = None,
    features: FeatureNetwork | str | Path | keras.Model | None = None,
    count: int = 2048,
    seed: int = 0,
    progress: bool = False,
) -> Report:
    """Measure `generator` against real images.

    Args:
        generator: latents -> images in -1..1.
        images: uint8 `(count, size, size, channels)`, best images that it was not trained on; read
            as far as they are needed, like the training images.
        training_images: those that it was trained on, of the same shape. Without them, one half
            of `images` is the yardstick and the other half the real images beside it, and
            memorisation cannot be told.
        metrics: names of `METRICS`, with `features` of `FEATURE_METRICS`, "memorization_features",
            and "modes" where the images are the package's drawn flowers; by default all of the
            first two that can be told from what is given.
        features: the network behind those metrics, or what `load_feature_network` takes.
        count: images in each set; fewer where there are not as many real ones.
        seed: decides the generated images and which real ones are taken.
        progress: show a bar on standard error.

    Raises:
        InputError: no such metric, one that needs what is not given, or too few images.
    """
    check_count(count)
    check_seed(seed)
    images = as_images(images)
    training_images = None if training_images is None else as_images(training_images)
    if metrics is None:
        metrics = possible_metrics(features is not None, training_images is not None)
    check_metrics(metrics)
    _check_given(metrics, training_images, features)
    if not (features is None or isinstance(features, FeatureNetwork)):
        features = load_feature_network(features)
    sets = _sets(generator, images, training_images, count, seed)
    return Report(
        scores=_scores(metrics, sets, features, progress),
        count=len(sets.real),
        reference="held-out images" if training_images is not None else "others of the same set",
        features=_named(features, images) if NEED_FEATURES.intersection(metrics) else None,
        modes=_shares(sets) if "modes" in metrics else None,
        pairs=_closest_pairs(sets) if "memorization" in metrics else None,
    )


def possible_metrics(with_features: bool, with_training_images: bool) -> list[str]:
    """The names in `METRICS` and `FEATURE_METRICS` that can be measured with what there is."""
    possible = [*METRICS, *(FEATURE_METRICS if with_features else ())]
    return [name for name in possible if with_training_images or name not in NEED_TRAINING_IMAGES]


def check_metrics(metrics: Sequence[str]) -> None:
    """Raise an InputError that names the first one that is no metric, or that there is none."""
    if not isinstance(metrics, Collection) or isinstance(metrics, str) or not metrics:
        raise InputError(f"metrics is a list of {', '.join(ALL_METRICS)}, not {metrics!r}")
    for name in metrics:
        if name not in ALL_METRICS:
            raise InputError(f"a metric is one of {', '.join(ALL_METRICS)}, not '{name}'")


def _check_given(
    metrics: Sequence[str],
    training_images: np.ndarray | Subset | None,
    features: FeatureNetwork | str | Path | keras.Model | None,
) -> None:
    for name in metrics:
        if name in NEED_FEATURES and features is None:
            raise InputError(f"{name} compares features: name a feature network")
        if name in NEED_TRAINING_IMAGES and training_images is None:
            raise InputError(
                f"{name} compares with images held out of training: give the images of training, "
                f"too (of a run: train with holdout, and measure against its own images), or leave "
                f"it out"
            )


def _sets(
    generator: keras.Model,
    images: np.ndarray | Subset,
    training_images: np.ndarray | Subset | None,
    count: int,
    seed: int,
) -> Sets:
    """Sets of equal size; real images are drawn without replacement, since they may be sorted."""
    rng = np.random.default_rng(seed)
    numbers = rng.permutation(len(images))
    if training_images is None:
        numbers, others = np.array_split(numbers, 2)
        other_images, real = images, "either half of the real ones"
    else:
        others = rng.permutation(len(training_images))
        other_images, real = training_images, "the real ones"
    count = min(count, len(numbers), len(others))
    if count < _LEAST:
        raise InputError(
            f"{count} images are too few to compare: count must be {_LEAST} or more, and so must "
            f"{real}; hold more of them out, or add some"
        )
    return Sets(
        real=images[numbers[:count]],
        other=other_images[others[:count]],
        generated=generate_images(generator, count, seed),
        untrained=generate_images(_untrained(generator, seed), count, seed),
        training=training_images,
    )


def _untrained(generator: keras.Model, seed: int) -> keras.Model:
    """The generator as it may have begun.

    Where its initializers have no seed, Keras draws one from Python's random numbers, which go on
    afterwards as if nothing had been drawn.
    """
    state = random.getstate()
    try:
        random.seed(int(seed))  # NumPy's are none to it
        return reinitialized(generator)
    finally:
        random.setstate(state)


def _feature_sets(images: Sets, network: FeatureNetwork, with_training: bool) -> Sets:
    compared = (images.real, images.other, images.generated, images.untrained)
    features = Sets(*map(network, compared))
    if not with_training:
        return features
    return dataclasses.replace(
        features,
        training=network(images.training),
        mirrored=network(images.training, mirrored=True),
    )


def _scores(
    metrics: Sequence[str], sets: Sets, network: FeatureNetwork | None, progress: bool
) -> dict[str, Score]:
    of_features = None  # made once it is needed, since it can take minutes
    scores: dict[str, Score] = {}
    bar = progress_bar(metrics, desc="Measuring", unit="metric", leave=False, disable=not progress)
    for name in bar:
        if name in NEED_FEATURES and of_features is None:
            of_features = _feature_sets(sets, network, "memorization_features" in metrics)
        if name not in scores:  # as "recall" is with "precision"
            measured = MEASURES[name](of_features if name in NEED_FEATURES else sets)
            scores |= {name: measured} if isinstance(measured, Score) else measured
    return scores


def _named(network: FeatureNetwork, images: np.ndarray | Subset) -> str:
    size = network.input_size or images.shape[1]
    return f"{network.name}, {size}x{size}"


def _shares(sets: Sets) -> dict[str, Any]:
    kept = ("shares", "true_shares", "accuracy")
    return {
        name: {field: getattr(modes, field) for field in kept}
        for name, modes in sets.modes[0].items()
    }


def _closest_pairs(sets: Sets) -> np.ndarray:
    """The generated images that are nearest to a training image, each beside that one."""
    numbers, is_mirrored, distances = sets.twins
    pairs = []
    for i in np.argsort(distances)[:_PAIRS]:
        twin = sets.training[numbers[i]]
        pairs.append(
            np.concatenate([sets.generated[i], twin[:, ::-1] if is_mirrored[i] else twin], axis=1)
        )
    return np.stack(pairs)
