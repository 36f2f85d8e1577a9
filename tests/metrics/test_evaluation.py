"""`evaluate`: the right sets are compared, and both ends of the scale are told."""

import dataclasses
import json
import random
from unittest.mock import Mock

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers.drawn import draw_flowers

from wgan_gp import Config, InputError, build_generator, evaluate
from wgan_gp.metrics.checkerboard import grid_power_share
from wgan_gp.metrics.diversity import diversity
from wgan_gp.metrics.feature_network import FeatureNetwork
from wgan_gp.metrics.features import load_feature_network
from wgan_gp.metrics.fid import frechet_inception_distance
from wgan_gp.metrics.kid import kernel_inception_distance
from wgan_gp.metrics.memorization import nearest_images
from wgan_gp.metrics.modes import FlowerModes
from wgan_gp.metrics.precision_recall import precision_and_recall
from wgan_gp.metrics.report import READINGS, Report, Score
from wgan_gp.metrics.swd import sliced_wasserstein_distance
from wgan_gp.sampling import generate_images


@pytest.fixture(scope="module")
def flowers() -> np.ndarray:
    return draw_flowers(120, 32)


@pytest.fixture(scope="module")
def generator() -> keras.Model:
    """A generator whose weights are not those that it began with."""
    config = dataclasses.replace(Config(), image_size=32, base_filters=2, latent_dim=6)
    generator = build_generator(config)
    generator.set_weights([3 * weights for weights in generator.get_weights()])
    return generator


class Copier(keras.layers.Layer):
    """A generator that draws nothing but the images it was given."""

    def __init__(self, images: np.ndarray, **kwargs):
        super().__init__(**kwargs)
        self.images = images

    def call(self, latents):
        numbers = keras.ops.cast(keras.ops.abs(latents[:, 0]) * 1000, "int32") % len(self.images)
        return keras.ops.take(keras.ops.convert_to_tensor(self.images), numbers, axis=0)

    def get_config(self):
        return {**super().get_config(), "images": self.images}


def copier(images: np.ndarray) -> keras.Model:
    return keras.Sequential(
        [keras.Input((6,)), Copier((images / 127.5 - 1).astype(np.float32))], name="copier"
    )


def test_the_generated_images_are_compared_with_the_held_out_ones(generator, flowers):
    held_out, training = flowers[:40], flowers[40:]
    report = evaluate(generator, held_out, training, metrics=["swd", "checkerboard"], seed=5)
    assert (report.count, report.reference, report.features) == (40, "held-out images", None)
    generated = generate_images(generator, 40, seed=5)
    real = held_out[np.random.default_rng(5).permutation(40)]
    expected = sliced_wasserstein_distance(real, generated)
    assert report.scores["swd"].generated == pytest.approx(expected["mean"])
    assert report.scores["swd_16"].generated == pytest.approx(expected["16"])
    assert report.scores["checkerboard"].generated == pytest.approx(grid_power_share(generated))


def test_the_seed_decides_first_weights_that_the_network_leaves_open():
    layers = [
        keras.Input((8,)),
        keras.layers.Dense(3072, "tanh"),
        keras.layers.Reshape((32, 32, 3)),
    ]
    generator, images = keras.Sequential(layers), np.arange(40 * 3072, dtype=np.uint32) * 77 % 251
    images = images.astype(np.uint8).reshape(40, 32, 32, 3)
    once, again = (
        evaluate(generator, images, metrics=["diversity"], seed=seed).scores["diversity"].untrained
        for seed in (3, np.int64(3))
    )
    assert once == again
    state = random.getstate()
    evaluate(generator, images, metrics=["diversity"])
    assert random.getstate() == state  # whoever calls it goes on with numbers of their own


def test_the_ends_of_the_scale_are_other_real_images_and_the_untrained_generator(
    generator, flowers
):
    report = evaluate(generator, flowers[:40], flowers[40:], metrics=["swd", "diversity"])
    swd = report.scores["swd"]
    rng = np.random.default_rng(0)
    real, other = flowers[:40][rng.permutation(40)], flowers[40:][rng.permutation(80)[:40]]
    assert swd.real == pytest.approx(sliced_wasserstein_distance(real, other)["mean"])
    untrained = keras.models.clone_model(generator)
    untrained.set_weights([weights / 3 for weights in generator.get_weights()])  # as it began
    expected = sliced_wasserstein_distance(real, generate_images(untrained, 40, seed=0))
    assert swd.untrained == pytest.approx(expected["mean"], rel=1e-4)
    assert swd.real < min(swd.generated, swd.untrained)
    assert report.scores["diversity"].real == pytest.approx(1, abs=0.1)


def test_without_training_images_the_halves_of_the_set_are_compared(generator, flowers):
    report = evaluate(generator, flowers, metrics=["swd"])
    assert (report.count, report.reference) == (60, "others of the same set")
    assert report.scores["swd"].real > 0  # two different halves


def test_by_default_all_is_measured_that_can_be_told_from_what_is_given(generator, flowers):
    network = FeatureNetwork(
        "means", lambda x: x.mean(axis=(1, 2)), input_size=None, value_range=(0.0, 255.0)
    )
    alone = {"swd", "diversity", "checkerboard"}
    of_features = {"kid", "fid", "precision", "recall"}
    for training, features, expected in [
        (None, None, alone),
        (flowers[40:], None, {*alone, "memorization"}),
        (None, network, alone | of_features),
    ]:
        report = evaluate(generator, flowers[:40], training, features=features)
        assert {name for name in report.scores if not name.startswith("swd_")} == expected


PIXELS = FeatureNetwork("pixels", lambda x: x.reshape(len(x), -1), None, (0.0, 255.0))


def test_a_copier_is_found_out_mirrored_or_not(flowers):
    held_out, training = flowers[:40], flowers[40:]
    for copied in (training, training[:, :, ::-1]):
        report = evaluate(
            copier(copied),
            held_out,
            training,
            metrics=["memorization", "memorization_features"],
            features=PIXELS,
        )
        score, same = report.scores["memorization"], report.scores["memorization_features"]
        for end in ("generated", "real", "untrained"):
            assert getattr(same, end) == pytest.approx(getattr(score, end), rel=1e-3, abs=1e-3)
        assert score.generated < 0.02
        assert score.real == pytest.approx(1, abs=0.15)
        left, right = np.split(report.pairs, 2, axis=2)
        assert np.abs(left.astype(int) - right).max() <= 1
        assert report.pairs.shape == (16, 32, 64, 3)


def test_the_modes_are_those_of_the_generated_images(generator, flowers, monkeypatch):
    monkeypatch.setattr("wgan_gp.metrics.modes._TRAINING", 64)
    monkeypatch.setattr("wgan_gp.metrics.modes._TEST", 10)
    modes_of = FlowerModes()
    monkeypatch.setattr("wgan_gp.metrics.measures.FlowerModes", lambda: modes_of)
    report = evaluate(generator, flowers[:40], flowers[40:], metrics=["modes"])
    expected = modes_of(generate_images(generator, 40))
    assert {*expected} == {"colour", "flowers"}
    for name, modes in expected.items():
        assert report.scores[f"modes_{name}"].generated == modes.total_variation


def test_metrics_of_features_are_computed_over_the_network_s_features(generator, flowers):
    network = FeatureNetwork(
        "means", lambda x: x.mean(axis=(1, 2)), input_size=None, value_range=(0.0, 255.0)
    )
    report = evaluate(
        generator, flowers[:40], flowers[40:], metrics=["kid", "precision", "recall"],
        features=network,
    )  # fmt: skip
    assert report.features == "means, 32x32"
    real = network(flowers[:40][np.random.default_rng(0).permutation(40)])
    generated = network(generate_images(generator, 40, seed=0))
    expected = kernel_inception_distance(real, generated).mean
    assert report.scores["kid"].generated == pytest.approx(expected)
    assert report.scores["recall"].generated < report.scores["recall"].real


@pytest.mark.parametrize(
    ("metrics", "held_out", "said"),
    [
        (["beauty"], 40, "a metric is one of swd, .* not 'beauty'"),
        ("swd", 40, "metrics is a list of swd, .*, not 'swd'"),
        (["kid"], 40, "kid compares features: name a feature network"),
        (["memorization"], None, "memorization compares with images held out of training"),
        (["swd"], 5, "5 images are too few to compare: count must be 16 or more"),
    ],
)
def test_what_cannot_be_measured_is_explained(generator, flowers, metrics, held_out, said):
    training = flowers[held_out:] if held_out else None
    with pytest.raises(InputError, match=said):
        evaluate(generator, flowers[:held_out], training, metrics=metrics)


def test_what_is_no_array_of_images_is_refused(generator, flowers):
    dataset = tf.data.Dataset.from_tensor_slices(flowers)
    for images in (dataset, "folder", flowers[0], flowers / 255):
        with pytest.raises(InputError, match="a metric takes uint8 images"):
            evaluate(generator, images)
        with pytest.raises(InputError, match="a metric takes uint8 images"):
            evaluate(generator, flowers, images)


def test_metrics_that_could_be_read_but_once_are_refused(generator, flowers):
    with pytest.raises(InputError, match=r"metrics is a list of swd, .*, not <generator"):
        evaluate(generator, flowers, metrics=(name for name in ["swd"]))


def test_a_mistake_is_found_before_a_network_is_loaded(generator, flowers, monkeypatch):
    loading = Mock(side_effect=AssertionError("was loaded"))
    monkeypatch.setattr("wgan_gp.metrics.evaluation.load_feature_network", loading)
    with pytest.raises(InputError, match="not 'beauty'"):
        evaluate(generator, flowers, metrics=["beauty"], features="inception")


def test_where_real_images_are_halved_so_is_their_number(generator, flowers):
    with pytest.raises(InputError, match=r"15 images are too few .* either half of the real ones;"):
        evaluate(generator, flowers[:31], metrics=["swd"])
    assert evaluate(generator, flowers[:32], metrics=["swd"]).count == 16


def test_a_report_reads_as_a_table_and_as_json():
    scores = {"swd": Score(20.0, 14.5, 120.0), "swd_64": Score(1.0, 2.0, 3.0)}
    modes = {"shares": {"1": 0.9, "2": 0.1}, "true_shares": {"1": 0.8, "2": 0.2}, "accuracy": 0.9}
    report = Report(scores, 400, "held-out images", "means, 32x32", {"flowers": modes})
    lines = str(report).splitlines()
    assert lines[0] == "400 generated images against 400 held-out images"
    assert lines[2].split()[:4] == ["swd", "20", "14.5", "120"]
    assert lines[3].startswith("  swd_64")
    assert lines[-2] == "Shares by flowers (true ones): 1 90% (80%), 2 10% (20%)"
    assert lines[-1] == "Features: means, 32x32"
    every = {name: Score(0.123456, 0.123456, 123.456) for name in READINGS}
    assert max(map(len, str(Report(every, 4000, "others of the same set")).splitlines())) <= 80
    facts = json.loads(json.dumps(report.to_dict()))
    assert facts["scores"]["swd"] == {"generated": 20.0, "real": 14.5, "untrained": 120.0}
    again = Report.from_dict(facts)
    assert again.to_dict() == report.to_dict()
    assert "| swd | 20 | 14.5 | 120 | lower is better |" in again.to_markdown()


def test_a_model_does_as_a_network_of_features(generator, flowers):
    means = keras.Sequential([keras.Input((32, 32, 3)), keras.layers.GlobalAveragePooling2D()])
    report = evaluate(generator, flowers, metrics=["fid"], features=means)
    network = load_feature_network(means)
    assert report == evaluate(generator, flowers, metrics=["fid"], features=network)


@pytest.mark.parametrize("count", [20.0, 0])
def test_a_count_that_is_none_is_refused(generator, flowers, count):
    with pytest.raises(InputError, match="count must be a whole number from 1 to"):
        evaluate(generator, flowers, metrics=["diversity"], count=count)


def test_every_score_is_the_metric_of_its_own_two_sets(generator, flowers):
    held_out, training, seed = flowers[:40], flowers[40:], 5
    means = FeatureNetwork("means", lambda x: x.mean(axis=(1, 2)), None, (0.0, 255.0))
    names = ["diversity", "checkerboard", "memorization", "kid", "fid", "precision", "recall"]
    report = evaluate(generator, held_out, training, metrics=names, features=means, seed=seed)
    rng = np.random.default_rng(seed)
    real, other = held_out[rng.permutation(40)], training[rng.permutation(80)[:40]]
    untrained = keras.models.clone_model(generator)
    untrained.set_weights([weights / 3 for weights in generator.get_weights()])
    drawn = [generate_images(network, 40, seed) for network in (generator, untrained)]
    sets = [drawn[0], other, drawn[1]]
    features, of_real = [means(x) for x in sets], means(real)
    expected = {
        "diversity": [diversity(real, x) for x in sets],
        "checkerboard": [grid_power_share(x) for x in sets],
        "kid": [kernel_inception_distance(of_real, x).mean for x in features],
        "fid": [frechet_inception_distance(of_real, x) for x in features],
        "precision": [precision_and_recall(of_real, x).precision for x in features],
        "recall": [precision_and_recall(of_real, x).recall for x in features],
    }
    near = [np.median(nearest_images(x, training).distances) for x in (drawn[0], real, drawn[1])]
    halves = [np.median(nearest_images(real[i::2], training).distances) for i in (0, 1)]
    expected["memorization"] = [near[0] / near[1], halves[0] / halves[1], near[2] / near[1]]
    for name, numbers in expected.items():
        assert report.scores[name] == pytest.approx(numbers, rel=1e-3), name
        assert len(set(numbers)) > 1, name


def test_the_pairs_begin_with_the_nearest(generator, flowers):
    report = evaluate(generator, flowers[:40], flowers[40:], metrics=["memorization"])
    generated, twins = np.split(report.pairs.astype(float), 2, axis=2)
    found = np.linalg.norm((generated - twins).reshape(16, -1), axis=1)
    expected = nearest_images(generate_images(generator, 40), flowers[40:]).distances
    np.testing.assert_allclose(found, np.sort(expected)[:16])


def test_the_halves_have_no_image_in_common(generator, flowers):
    score = evaluate(generator, flowers, metrics=["swd"]).scores["swd"]
    real, other = np.array_split(np.random.default_rng(0).permutation(120), 2)
    expected = sliced_wasserstein_distance(flowers[real], flowers[other])["mean"]
    assert score.real == pytest.approx(expected)


def test_as_many_are_compared_as_are_asked_for(generator, flowers):
    assert evaluate(generator, flowers, metrics=["diversity"], count=20).count == 20
