"""Settings: the presets' numbers, and mistakes told clearly."""

import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgan_gp import Config, InputError
from wgan_gp.config import IMAGE_SIZES, MAX_SEED

MATLAB = {
    "image_size": 64,
    "latent_dim": 100,
    "base_filters": 64,
    "generator_width": 1,
    "critic_activation": "sigmoid",
    "mirror": True,
    "batch_size": 64,
    "n_critic": 5,
    "gradient_penalty_weight": 10.0,
    "penalty_every": 1,
    "critic_features": "none",
    "critic_kernel": 5,
    "critic_normalization": "image",
    "upsampling": "transposed",
    "generator_normalization": "none",
    "final_learning_rate": 1.0,  # of what the example has not: off
    "ema_half_life": 0,
    "precision": "float32",
    "critic_learning_rate": 2e-4,
    "generator_learning_rate": 1e-3,
    "beta_1": 0.0,
    "beta_2": 0.9,
    "adam_epsilon": 1e-8,
    "iterations": 10_000,
    "monitor_every": 20,
    "quality_every": 500,  # what the example does not know, and what changes nothing in training
    "holdout": 0.0,
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


def test_numbers_may_be_numpys():
    config = dataclasses.replace(Config(), seed=np.int64(5), beta_2=np.float32(0.5))
    assert (config.seed, config.beta_2) == (5, 0.5)
    assert Config.from_json(config.to_json()) == config


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
        ("n_critic", 1001),
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
        ("mirror", "no"),
        ("critic_normalization", "batch"),
        ("critic_features", "inception"),
        ("generator_width", 0),
        ("critic_kernel", 1),
        ("critic_kernel", 10),
        ("upsampling", "bilinear"),
        ("generator_normalization", "layer"),
        ("precision", "float16"),
        ("penalty_every", 0),
        ("final_learning_rate", 0.0),
        ("final_learning_rate", 1.5),
        ("ema_half_life", -1),
        ("quality_every", 0),
        ("holdout", 1.0),
        ("holdout", -0.1),
        ("batch_size", 2**31),
        ("adam_epsilon", 1e-60),  # 0 in float32, as are numbers too small to be normal
        ("critic_learning_rate", 1e-40),
        ("beta_2", 1 - 1e-9),  # 1 in float32
    ],
)
def test_a_value_out_of_range_is_named(name, value):
    with pytest.raises(InputError, match=f"^{name} must be .*not {value!r}$"):
        dataclasses.replace(Config(), **{name: value})


@pytest.mark.parametrize(
    ("value", "expected"), [(-(10**12), "at least 1"), (2**31, "at most 2147483647")]
)
def test_the_bound_that_a_value_breaks_is_named(value, expected):
    with pytest.raises(InputError, match=f"^batch_size must be {expected}, not {value}$"):
        Config(batch_size=value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ('{"seed": ' + "1" * 5000 + "}", "not valid JSON"),  # more digits than Python reads
        ("[" * 100_000, "not valid JSON"),
        ("[1]", "one JSON object"),
        ('{"seed": 1, "sede": 2}', "unknown settings: sede; take them out, or use the version"),
        ('{"seed": "x"}', "seed must be a whole number"),
    ],
)
def test_a_broken_file_is_explained(text, message):
    with pytest.raises(InputError, match=message):
        Config.from_json(text)


def test_an_unknown_preset_is_named():
    with pytest.raises(InputError, match="matlab, paper, flowers, quick, not 'fast'"):
        Config.preset("fast")


def test_errors_are_value_errors():
    assert issubclass(InputError, ValueError)


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("image size", lambda c: f"{c.image_size}"),
        (
            "base filters, critic / generator",
            lambda c: f"{c.base_filters} / {c.generator_width * c.base_filters}",
        ),
        (
            "critic looks at",
            lambda c: "pixels" if c.critic_features == "none" else "pixels, features",
        ),
        ("critic's last activation", lambda c: c.critic_activation),
        ("critic's kernel", lambda c: f"{c.critic_kernel}"),
        ("mini-batch", lambda c: f"{c.batch_size}"),
        ("critic updates per generator iteration", lambda c: f"{c.n_critic}"),
        ("generator iterations", lambda c: f"{c.iterations:,}"),
        ("images held out of training", lambda c: f"{c.holdout:.0%}" if c.holdout else "none"),
    ],
)
def test_the_table_of_presets_is_true(label, shown):
    text = (Path(__file__).parents[1] / "docs/presets.md").read_text(encoding="utf-8")
    cells = re.search(rf"^\| {label} \|(.*)\|$", text, re.M)[1].split("|")
    names = ("quick", "flowers", "paper", "matlab")
    assert [cell.strip() for cell in cells] == [shown(Config.preset(name)) for name in names]


# Properties

counts = st.integers(1, 10**9)
# As float32 has them: no number nearer to 0 or to 1.
rates = st.floats(2.0**-126, 1e6)
decays = st.floats(0, 1 - 2.0**-24)
configs = st.builds(
    Config,
    image_size=st.sampled_from(IMAGE_SIZES),
    latent_dim=counts,
    base_filters=counts,
    generator_width=counts,
    critic_activation=st.sampled_from(["sigmoid", "linear"]),
    critic_features=st.sampled_from(["none", "efficientnet-lite0"]),
    critic_kernel=st.integers(2, 9),
    critic_normalization=st.sampled_from(["image", "pixel"]),
    upsampling=st.sampled_from(["transposed", "nearest", "smoothed"]),
    generator_normalization=st.sampled_from(["none", "batch"]),
    mirror=st.booleans(),
    batch_size=counts,
    n_critic=st.integers(1, 1000),
    gradient_penalty_weight=st.floats(0, 1e6),
    penalty_every=counts,
    critic_learning_rate=rates,
    generator_learning_rate=rates,
    beta_1=decays,
    beta_2=decays,
    adam_epsilon=rates,
    final_learning_rate=st.floats(2.0**-126, 1),
    ema_half_life=st.integers(0, 10**9),
    precision=st.sampled_from(["float32", "mixed_bfloat16", "mixed_float16"]),
    iterations=counts,
    monitor_every=counts,
    quality_every=counts,
    holdout=decays,
    seed=st.integers(0, MAX_SEED),
    deterministic=st.booleans(),
)
names = st.sampled_from([field.name for field in dataclasses.fields(Config)])
values = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none())


@given(configs)
def test_every_config_survives_json(config):
    assert Config.from_json(config.to_json()) == config


@given(names, values)
def test_any_value_is_taken_as_it_is_or_refused_by_name(name, value):
    try:
        config = dataclasses.replace(Config(), **{name: value})
    except InputError as error:
        assert str(error).startswith(f"{name} must be ")
        return
    taken = getattr(config, name)
    assert taken == value
    assert type(taken) is type(getattr(Config(), name))
    assert not isinstance(taken, float) or math.isfinite(taken)


@given(st.text() | st.dictionaries(names | st.text(), values).map(json.dumps))
def test_any_text_is_a_config_or_refused(text):
    try:
        config = Config.from_json(text)
    except InputError:
        return
    assert Config.from_json(config.to_json()) == config
