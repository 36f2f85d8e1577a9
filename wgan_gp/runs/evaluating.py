"""Measuring the generator of a run against the images that the run did not train on."""

import dataclasses
import json
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wgan_gp.data.holdout import is_held_out
from wgan_gp.data.images import load_image_set
from wgan_gp.data.subset import Subset
from wgan_gp.metrics.evaluation import (
    NEED_FEATURES,
    check_metrics,
    evaluate,
    possible_metrics,
)
from wgan_gp.metrics.feature_network import FeatureNetwork
from wgan_gp.metrics.features import check_feature_name, load_feature_network
from wgan_gp.metrics.report import Report
from wgan_gp.pictures import image_grid, save_png
from wgan_gp.runs.folder import RunFolder
from wgan_gp.runs.plan import Plan
from wgan_gp.sampling import check_count, check_seed
from wgan_gp.support.alone import alone
from wgan_gp.support.errors import MALFORMED, InputError, UnreachableError
from wgan_gp.support.files import numbered
from wgan_gp.support.whole_files import write_whole

_log = logging.getLogger(__name__)

_WAIT = 60.0  # seconds for another process that is writing its report, which takes a moment
_ROOM = 8 << 20  # bytes; a report takes less, and so does a picture of 32 images of 256x256


def evaluate_run(
    folder: RunFolder,
    metrics: Sequence[str] | None = None,
    features: str | None = None,
    *,
    data: str | Path | None = None,
    data_dir: str | Path | None = None,
    cache_dir: str | Path | None = None,
    count: int = 2048,
    seed: int = 0,
    best: bool = False,
) -> Report:
    """Measure the generator of the run in `folder`; keep the report in its `report_files`.

    Args:
        metrics: see `evaluate`. None for all that the run allows (with `features` also those of
            features) but "memorization_features", which takes minutes.
        features: see `load_feature_network`; 'inception' where a metric needs one and none is
            named. If it is out of reach, a log line says so and its metrics are left out.
        data: where the run's images are now, or other ones; None for where they were.
        data_dir: for tf_flowers, where TensorFlow Datasets keeps it now.
        cache_dir: where decoded images are kept; by default the user's cache folder.
        count: images in each set that is compared.
        seed: decides the generated images and which real ones are taken.
        best: measure the generator with the lowest `val_swd`, not the last one.

    Raises:
        InputError: there is no trained generator, the images cannot be read or are too few, or a
            metric is asked for that cannot be had.
        OSError: the report cannot be written.
    """
    plan, (_, known) = Plan.of_run(folder), folder.read()
    measured = plan.data if data is None else data
    _check_asked(metrics, measured, features, count, seed)
    _check_room(folder.path)
    # Taken first: a run that goes on meanwhile may replace the file, and its report would be void.
    facts = {
        "generator": folder.generator_file(best).name,
        "sha256": folder.generator_digest(best),
    }
    generator = folder.load_generator(best)
    real, training, reference = _images(plan, known["images_crc32"], data, data_dir, cache_dir)
    if metrics is None:
        metrics = possible_metrics(features is not None, training is not None)
        metrics += ["modes"] if measured == "synthetic" else []
    network = _load_features(features, metrics)
    if network is None:
        metrics = [name for name in metrics if name not in NEED_FEATURES]
    report = evaluate(
        generator,
        real,
        training,
        metrics=metrics,
        features=network,
        count=count,
        seed=seed,
        progress=True,
    )
    label = report.features
    if network is not None and network.name == plan.config.critic_features:
        label = f"{label}; the critic looked through it, which flatters"
    report = dataclasses.replace(report, reference=reference, features=label)
    _keep(facts, report, *folder.report_files(best))
    return report


def _check_asked(
    metrics: Sequence[str] | None,
    measured: str | Path,
    features: str | None,
    count: int,
    seed: int,
) -> None:
    """Raise an InputError for what cannot be had, before the images are read."""
    check_count(count)
    check_seed(seed)
    if features is not None:
        check_feature_name(features)
    if metrics is None:
        return
    check_metrics(metrics)
    if "modes" in metrics and measured != "synthetic":
        raise InputError("modes are those of drawn flowers, the data 'synthetic': leave modes out")


def _check_room(folder: Path) -> None:
    """Raise an OSError where a report could not be written, before minutes of measuring."""
    with tempfile.TemporaryFile(dir=folder) as probe:
        probe.write(os.urandom(_ROOM))


def _images(
    plan: Plan,
    images_crc32: int,
    data: str | Path | None,
    data_dir: str | Path | None,
    cache_dir: str | Path | None,
) -> tuple[np.ndarray | Subset, Subset | None, str]:
    """The real images, those of training if they are told apart, and what the first are.

    The images decide by their content whether they were held out, so a folder that has grown is
    still told apart; of one that was named instead, nobody knows.
    """
    known_dir = plan.data_dir if data is None else None
    images, crc32, _ = load_image_set(
        plan.data if data is None else data,
        plan.config.image_size,
        data_dir=data_dir or known_dir,
        cache_dir=cache_dir,
        # A run may come from a stranger: where it says that photographs are, they are only read.
        may_prepare=data_dir is not None or known_dir is None,
    )
    is_changed = crc32 != images_crc32
    if is_changed and data is not None:
        return images, None, "images of another set"
    if is_changed:
        _log.warning(
            "the images in '%s' have changed since training: what is new there counts as trained "
            "on or held out by its pixels",
            plan.data,
        )
    changed = " of a set that has changed since training" if is_changed else ""
    side = is_held_out(images, plan.config.holdout)
    if not side.any():
        return images, None, f"images{changed or ' that were trained on'}"
    held_out, training = (Subset(images, np.flatnonzero(x)) for x in (side, ~side))
    return held_out, training, f"held-out images{changed}"


def _load_features(features: str | None, metrics: Sequence[str]) -> FeatureNetwork | None:
    """The network that the metrics need; None if they need none or can do without."""
    if not NEED_FEATURES.intersection(metrics):
        return None
    try:
        return load_feature_network("inception" if features is None else features)
    except UnreachableError as error:
        if NEED_FEATURES.issuperset(metrics):
            raise
        _log.warning("%s; the metrics of features are left out", error)
        return None


def _keep(facts: dict[str, str | None], report: Report, quality: Path, nearest: Path) -> None:
    try:
        with alone(quality, _WAIT):
            _write(facts, report, quality, nearest)
    except (InputError, OSError):
        _log.warning("not all of what was measured could be kept:\n%s", report)
        raise


def _write(facts: dict[str, str | None], report: Report, quality: Path, nearest: Path) -> None:
    _keep_former(facts, report, quality, nearest)
    # First, or a kill would leave the former generator's pictures beside this one's numbers.
    if report.pairs is None:
        nearest.unlink(missing_ok=True)
    else:
        save_png(image_grid(report.pairs), nearest)
    write_whole(quality, json.dumps({**facts, **report.to_dict()}, indent=2) + "\n")


def _keep_former(
    facts: dict[str, str | None], report: Report, quality: Path, nearest: Path
) -> None:
    """Copy the report in `quality` aside if it says of this generator what `report` does not.

    It may have taken long.
    """
    try:
        former = json.loads(quality.read_text(encoding="utf-8"))
        is_of_this = former["sha256"] == facts["sha256"]
        is_comparable = former["reference"] == report.reference
        is_comparable &= former["features"] in (None, report.features)
        is_comparable &= former["count"] <= report.count
        is_covered = is_comparable and former["scores"].keys() <= report.scores.keys()
    except (OSError, *MALFORMED):
        return
    if not is_of_this or is_covered:
        return
    number = max(numbered(quality.parent, rf"{quality.stem}-(\d+)\.json"), default=0) + 1
    for file in filter(Path.exists, (quality, nearest)):
        write_whole(file.with_stem(f"{file.stem}-{number}"), file.read_bytes())
    kept = quality.with_stem(f"{quality.stem}-{number}")
    _log.warning("the report before, which this one does not cover, is kept as '%s'", kept)
