"""Settings: the presets' numbers, and mistakes told clearly."""

import dataclasses

import pytest

from wgan_gp import Config, InputError

MATLAB = {
    "image_size": 64,
    "latent_dim": 100,
    "base_filters": 64,
    "critic_activation": "sigmoid",
    "batch_size": 64,
    "n_critic": 5,
    "gradient_penalty_weight": 10.0,
    "critic_learning_rate": 2e-4,
    "generator_learning_rate": 1e-3,
    "beta_1": 0.0,
    "beta_2": 0.9,
    "adam_epsilon": 1e-8,
    "iterations": 10_000,
    "monitor_every": 20,
    "seed": 0,
    "deterministic": False,
}


def test_the_defaults_are_the_matlab_examples():
    assert dataclasses.asdict(Config()) == MATLAB
    assert Config.preset("matlab") == Config()


def test_paper_differs_where_the_paper_does():
    paper = dataclasses.asdict(Config.preset("paper"))
    assert {name for name in MATLAB if paper[name] != MATLAB[name]} == {"critic_activation"}
    # Gulrajani et al., Algorithm 1: lambda, n_critic, beta_1 and beta_2.
    names = ("gradient_penalty_weight", "n_critic", "beta_1", "beta_2")
    assert [paper[name] for name in names] == [10.0, 5, 0.0, 0.9]
    assert paper["critic_activation"] == "linear"


def test_json_and_back():
    config = dataclasses.replace(Config.preset("quick"), seed=2**63 - 1, adam_epsilon=1e-7)
    assert Config.from_json(config.to_json()) == config


def test_json_may_leave_settings_out():
    assert Config.from_json('{"seed": 3}') == dataclasses.replace(Config(), seed=3)


def test_whole_numbers_do_for_fractions():
    config = dataclasses.replace(Config(), gradient_penalty_weight=5)
    assert isinstance(config.gradient_penalty_weight, float)


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().seed = 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image_size", 48),
        ("image_size", "64"),
        ("latent_dim", 0),
        ("base_filters", -1),
        ("critic_activation", "relu"),
        ("batch_size", 0),
        ("batch_size", 2.5),
        ("n_critic", 0),
        ("n_critic", True),
        ("gradient_penalty_weight", -1.0),
        ("critic_learning_rate", 0.0),
        ("generator_learning_rate", float("nan")),
        ("generator_learning_rate", float("inf")),
        ("beta_1", 1.0),
        ("beta_2", -0.1),
        ("adam_epsilon", 0.0),
        ("iterations", 0),
        ("monitor_every", 0),
        ("seed", -1),
        ("seed", 2**63),
        ("seed", None),
        ("seed", 10**400),
        ("deterministic", 1),
    ],
)
def test_a_value_out_of_range_is_named(name, value):
    with pytest.raises(InputError, match=f"^{name} must be .*not {value!r}$"):
        dataclasses.replace(Config(), **{name: value})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[1]", "one JSON object"),
        ('{"seed": 1, "sede": 2}', "unknown settings: sede"),
        ('{"seed": "x"}', "seed must be a whole number"),
    ],
)
def test_a_broken_file_is_explained(text, message):
    with pytest.raises(InputError, match=message):
        Config.from_json(text)


def test_an_unknown_preset_is_named():
    with pytest.raises(InputError, match="matlab, paper, quick, not 'fast'"):
        Config.preset("fast")


def test_errors_are_value_errors():
    assert issubclass(InputError, ValueError)
