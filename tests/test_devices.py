"""Several devices compute the update that one would have computed."""

import json
import subprocess
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from helpers.ports import free_ports

from wgan_gp import Config, InputError
from wgan_gp.runs.devices import is_chief, strategy_of
from wgan_gp.runs.plan import Plan
from wgan_gp.support import replicas

SCRIPT = Path(__file__).parent / "helpers" / "replicas.py"


@pytest.fixture(scope="module")
def train(tmp_path_factory, environment):
    """Trains in each of some ways, in a process of its own; gives their metrics and weights."""

    def train(preset, optimizer, *ways, tf_config=""):
        folder = tmp_path_factory.mktemp("replicas")
        result = subprocess.run(
            [sys.executable, SCRIPT, folder, preset, optimizer, *ways],
            env={**environment, **({"TF_CONFIG": tf_config} if tf_config else {})},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert result.returncode == 0, result.stderr[-2000:]
        metrics = [json.loads((folder / f"{way}.json").read_text()) for way in ways]
        weights = [list(np.load(folder / f"{way}.npz").values()) for way in ways]
        return dict(zip(ways, zip(metrics, weights, strict=True), strict=True))

    return train


@pytest.fixture(scope="module")
def paper(train):
    return train("paper", "sgd", "one", "two", "summed_gradients", "identical_noise", "equal_parts")


@pytest.fixture(scope="module")
def flowers(train):
    return train("flowers", "adam", "one", "two")


def difference(one, other) -> float:
    """The largest difference between weights, relative to the largest of their tensor."""
    return max(
        np.abs(a - b).max() / (np.abs(a).max() + 1e-12) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize("trained", ["paper", "flowers"])
def test_two_replicas_train_as_one_device_does(request, trained):
    ways = request.getfixturevalue(trained)
    (metrics, weights), (same_metrics, same_weights) = ways["one"], ways["two"]
    assert same_metrics == pytest.approx(metrics, rel=1e-5)
    assert difference(weights, same_weights) < 1e-6


@pytest.mark.parametrize("mutant", ["summed_gradients", "identical_noise"])
def test_a_mutant_trains_otherwise(paper, mutant):
    assert difference(paper["one"][1], paper[mutant][1]) > 1e-4


def test_a_mutant_evaluates_otherwise(paper):
    (metrics, weights), (other_metrics, same_weights) = paper["one"], paper["equal_parts"]
    assert difference(weights, same_weights) < 1e-6
    changed = {name for name in metrics if abs(other_metrics[name] / metrics[name] - 1) > 1e-4}
    assert changed == {name for name in metrics if name.startswith("val_")}


@pytest.fixture(scope="module")
def found(tmp_path_factory, environment):
    """What `helpers/two_replicas.py` finds."""
    script = SCRIPT.with_name("two_replicas.py")
    result = subprocess.run(
        [sys.executable, script, tmp_path_factory.mktemp("two")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    return json.loads(result.stdout.splitlines()[-1])


def test_replicas_clip_the_sum_of_their_gradients(found):
    kernel, bias = np.array([0.0, 4.0]), np.array([12.0])  # the sums of their parts
    of_norm = [*kernel / 2, *bias / 6]
    of_global_norm = [x * 2 / np.sqrt(16 + 144) for x in (*kernel, *bias)]
    of_value = [0, 2, 2]
    expected = [limited for limited in (of_norm, of_global_norm, of_value) for _ in range(3)]
    np.testing.assert_allclose(found["changes"], expected, rtol=1e-5)


def test_replicas_leave_out_an_update_together_where_a_gradient_of_one_overflows(found):
    assert found["overflows"] == [[128, 0, 0], [128, 0, 0], [256, 2, 2]]


def test_replicas_leave_the_arrays_that_they_validate_on_as_they_are(found):
    assert found["is_untouched"]
    assert found["evaluated"][0] == found["evaluated"][1]


def test_replicas_that_run_eagerly_evaluate_what_one_device_would(found):
    np.testing.assert_allclose(found["evaluated_eagerly"], found["evaluated_by_one"], rtol=1e-5)


def test_replicas_refuse_batches_of_a_size_that_is_not_known_before(found):
    assert found["trained_on_parts"] == (
        "InputError: 2 replicas train on a tf.data.Dataset or an array, not on a Parts, whose "
        "batches they might not divide"
    )


def test_replicas_come_to_the_end_of_a_dataset_as_one_device_does(found):
    dealt_out, two_epochs = 2, 2 * 2
    assert found["iterations"] == [dealt_out, dealt_out + two_epochs]
    assert found["warned"] == []


def test_an_epoch_that_was_cut_goes_on_with_another_number_of_replicas(found):
    whole, from_one, from_two = found["rows"]
    assert [iteration for iteration, _ in whole] == [3, 6]
    np.testing.assert_allclose(from_one, whole, rtol=1e-3)
    np.testing.assert_allclose(from_two, whole, rtol=1e-3)


def test_replicas_refuse_what_each_would_take_whole(found):
    assert found["trained_on_batch"].endswith("does not share a batch among replicas: use fit")
    assert found["tested_on_batch"].endswith("does not share a batch among replicas: use evaluate")


def test_a_model_of_one_device_is_not_trained_in_the_scope_of_several(found):
    assert found["trained_elsewhere"] == (
        "InputError: build or load the model in the scope of the strategy, not before"
    )


def test_networks_and_optimizers_are_made_in_the_scope_too(found):
    """The replicas would share Adam's moments, and their copies of a weight drift apart."""
    for made_elsewhere in ("networks_elsewhere", "optimizers_elsewhere"):
        assert found[made_elsewhere].startswith(
            "InputError: make or load the networks and the optimizers in the scope of the strategy"
        )


def test_replicas_share_images_whose_size_is_not_known_before(found):
    assert found["of_unknown_size"] == "nothing was raised"


def test_replicas_in_half_precision_take_a_frozen_network(found):
    assert found["of_a_frozen_generator"] == "nothing was raised"


def test_batch_norms_of_a_loaded_model_are_of_the_whole_batch(found):
    assert found["are_synchronized"] == [True] * 4


def test_replicas_refuse_losses_that_they_would_mix_up(found):
    assert "several devices mix up losses that layers of 'sequential" in found["losses_of_layers"]
    assert found["losses_of_weights"] == "nothing was raised"


def test_training_that_breaks_down_on_replicas_says_so(found):
    assert "DivergedError: training broke down at iteration 9: " in found["diverged"]
    assert "lower critic_learning_rate (here 0.0002)" in found["diverged"]


def test_two_workers_train_as_one_process_does(train, flowers):
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    tasks = [{"type": "worker", "index": index} for index in range(2)]
    with ThreadPoolExecutor() as pool:
        runs = [
            pool.submit(
                train,
                "flowers",
                "adam",
                "worker",
                tf_config=json.dumps({"cluster": cluster, "task": task}),
            )
            for task in tasks
        ]
        workers = [run.result()["worker"] for run in runs]
    (first_metrics, first), (second_metrics, second) = workers
    assert first_metrics == second_metrics
    assert difference(first, second) == 0
    metrics, weights = flowers["one"]
    assert first_metrics == pytest.approx(metrics, rel=1e-5)
    assert difference(weights, first) < 1e-6


def test_a_batch_that_the_replicas_do_not_divide_is_refused():
    replicas.check_divisible(64, 2)
    with pytest.raises(InputError, match="2 replicas cannot share a batch of 63"):
        replicas.check_divisible(63, 2)


def test_a_dataset_has_batches_that_replicas_can_share(monkeypatch):
    monkeypatch.setattr(replicas, "count", lambda: 2)
    images = tf.data.Dataset.from_tensor_slices(tf.zeros((8, 32, 32, 3)))
    with pytest.raises(InputError, match="2 replicas cannot share a batch of 3"):
        replicas.dealt_out(images.batch(3, drop_remainder=True))
    with pytest.raises(InputError, match="2 replicas share batches of a fixed size"):
        replicas.dealt_out(images.batch(4))


def test_an_array_has_batches_that_replicas_can_share(monkeypatch, models, tiny_config):
    monkeypatch.setattr(replicas, "count", lambda: 2)
    model, images = models.take(tiny_config), np.zeros((7, 3, 32, 32, 3), np.float32)
    replicas.check_array(images[:6], 4)
    replicas.check_array(images[:0], None)
    with pytest.raises(InputError, match="2 replicas cannot share the last batch of 7 images"):
        model.fit(images, batch_size=4)
    with pytest.raises(InputError, match="2 replicas cannot share a batch of 3"):
        model.fit(images, batch_size=3)


def test_one_device_is_used_as_it_is():
    assert strategy_of("none") is tf.distribute.get_strategy()
    assert is_chief(strategy_of("auto"))
    assert replicas.count() == 1
    assert not replicas.are_used()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_several_gpus_are_used_together(monkeypatch, count):
    names = ("GPU:0", "GPU:1")[:count]
    gpus = [types.SimpleNamespace(name=name) for name in names]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: gpus)
    monkeypatch.setattr(tf.distribute, "MirroredStrategy", tuple)
    assert strategy_of("auto") == (names if count > 1 else tf.distribute.get_strategy())


def test_mirrored_is_what_it_says_on_one_device_too():
    assert isinstance(strategy_of("mirrored"), tf.distribute.MirroredStrategy)


def test_an_unknown_strategy_is_named():
    with pytest.raises(InputError, match=r"strategy must be one of auto, none, .* not 'Mirrored'"):
        Plan(Config(), strategy="Mirrored")


@pytest.mark.parametrize(
    "tf_config",
    [
        None,
        "not JSON",
        "{}",
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "chief", "index": 0}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "evaluator", "index": 0}}',
    ],
)
def test_workers_need_to_know_each_other(wgan_gp, monkeypatch, tf_config):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if tf_config is not None:
        monkeypatch.setenv("TF_CONFIG", tf_config)
    said = wgan_gp.mistake("train", "--strategy", "multi-worker")
    assert "several workers need TF_CONFIG" in said
    assert list(wgan_gp.folder.iterdir()) == []
