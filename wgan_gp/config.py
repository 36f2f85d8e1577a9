"""Every setting of a training run, and the presets.

config = Config.preset("paper")
config = dataclasses.replace(config, base_filters=16, iterations=400)
"""

import dataclasses
import json
import math
import numbers
import struct
from typing import Any, Literal, get_args

from wgan_gp.support.errors import InputError

IMAGE_SIZES = (32, 64, 128, 256)
MAX_SEED = 2**63 - 1

PresetName = Literal["matlab", "paper", "flowers", "quick"]
CriticActivation = Literal["sigmoid", "linear"]
CriticFeatures = Literal["none", "efficientnet-lite0"]
CriticNormalization = Literal["image", "pixel"]
Upsampling = Literal["transposed", "nearest", "smoothed"]
GeneratorNormalization = Literal["none", "batch"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of a training run.

    `Config()` is the preset `matlab`.

    Raises:
        InputError: a value is of the wrong type or out of its range.
    """

    # What shapes the networks.
    image_size: int = 64  # height and width of the images, in pixels: 32, 64, 128 or 256
    latent_dim: int = 100  # standard-normal numbers that the generator turns into one image
    base_filters: int = 64  # filters of the critic's first convolution; deeper ones have up to 8x
    generator_width: int = 1  # the generator's width, as a multiple of the critic's
    critic_activation: CriticActivation = "sigmoid"  # on the critic's score; linear is the paper's
    critic_features: CriticFeatures = "none"  # a pretrained network whose features are scored, too
    critic_kernel: int = 5  # the critic's kernel size: an even one reaches all pixels equally often
    critic_normalization: CriticNormalization = "image"  # layer norm over image or pixel
    # how the generator enlarges: by transposed convolutions, or by repeating pixels and convolving
    # ("smoothed": bilinear the last time)
    upsampling: Upsampling = "transposed"
    generator_normalization: GeneratorNormalization = "none"  # between the generator's layers

    # What shapes their training.
    mirror: bool = True  # flip an image left to right half of the times it is used
    batch_size: int = 64  # images in a mini-batch
    n_critic: int = 5  # critic updates per generator iteration, each with its own mini-batch
    gradient_penalty_weight: float = 10.0  # lambda, the weight of the penalty in the critic's loss
    penalty_every: int = 1  # take the penalty in every k-th critic update, with k times its weight
    critic_learning_rate: float = 2e-4  # Adam's step size for the critic
    generator_learning_rate: float = 1e-3  # Adam's step size for the generator
    beta_1: float = 0.0  # Adam's decay of the mean gradient, in both optimizers
    beta_2: float = 0.9  # Adam's decay of the mean squared gradient, in both optimizers
    adam_epsilon: float = 1e-8  # keeps Adam's division finite
    final_learning_rate: float = 1.0  # share of both rates left at the end; they fall from half on
    ema_half_life: int = 0  # images after which weights count half in the average; 0: none
    precision: Precision = "float32"  # of the layers; mixed ones pay where the hardware has them

    # What shapes the run.
    iterations: int = 10_000  # generator iterations in the whole run
    monitor_every: int = 20  # generator iterations between two monitor pictures
    quality_every: int = 500  # generator iterations between two measurements of quality
    holdout: float = 0.0  # share of the images kept out of training, to measure quality against
    seed: int = 0  # decides everything random in a run
    deterministic: bool = False  # TensorFlow's deterministic operations: the same bits on any run

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = checked(field.name, field.type, getattr(self, field.name))
            object.__setattr__(self, field.name, value)  # 10 -> 10.0 where a float is due

    @classmethod
    def preset(cls, name: PresetName) -> "Config":
        """The settings called `name`: 'matlab', 'paper', 'flowers' or 'quick'."""
        return cls(**PRESETS[checked("preset", PresetName, name)])

    def to_json(self) -> str:
        """The settings as a JSON object, one line each."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Config":
        """The settings in `text`, as `to_json` writes them; those left out keep their default."""
        try:
            settings = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"the settings are not valid JSON: {error}") from error
        if not isinstance(settings, dict):
            raise InputError('the settings must be one JSON object, such as {"seed": 1}')
        unknown = settings.keys() - {field.name for field in dataclasses.fields(cls)}
        if unknown:
            raise InputError(
                f"unknown settings: {', '.join(sorted(unknown))}; take them out, or use the "
                f"version of wgan_gp that wrote them"
            )
        return cls(**settings)


# What `flowers` and `quick` share, chosen by the measurements in docs/quality.md; the falling rates
# are common practice.
_SHARED = {
    "critic_activation": "linear",
    "upsampling": "smoothed",
    "generator_normalization": "batch",
    "generator_width": 2,
    "batch_size": 32,
    "critic_learning_rate": 1e-3,
    "final_learning_rate": 0.05,
    "monitor_every": 50,
}

# Each preset says only where it differs from the defaults.
PRESETS: dict[PresetName, dict[str, Any]] = {
    # The worked MATLAB example, every number as it stands there.
    "matlab": {},
    # Gulrajani et al. (arXiv:1704.00028): a critic whose score is not squashed. The defaults of
    # Algorithm 1 (lambda 10, n_critic 5, Adam's beta_1 0, beta_2 0.9) are the example's, too. The
    # learning rates stay the example's: with Algorithm 1's alpha of 1e-4, chosen for 200,000
    # iterations, there were still grey blobs after 400.
    "paper": {"critic_activation": "linear"},
    # Flowers from photographs, in some 45 minutes on 2 fast CPU cores: how good they are is
    # measured in docs/quality.md.
    "flowers": {
        **_SHARED,
        "base_filters": 24,
        "critic_features": "efficientnet-lite0",
        "critic_kernel": 4,
        "n_critic": 2,
        "ema_half_life": 20_000,
        "iterations": 4_000,
        "holdout": 0.2,
    },
    # Drawn flowers, recognisable within minutes on 2 CPU cores.
    "quick": {
        **_SHARED,
        "base_filters": 16,
        "critic_normalization": "pixel",
        "n_critic": 1,
        "generator_learning_rate": 2e-3,  # with 1e-3, the critic's, petals were hatched
        "ema_half_life": 10_000,
        "iterations": 1_500,
        "holdout": 0.1,
    },
}

# Beyond these TensorFlow cannot count: int32 and float32.
_MOST = {int: 2**31 - 1, float: 3e38}

# What a number must satisfy, and how to say so.
_AT_LEAST_1 = (lambda v: v >= 1, "at least 1")
_MORE_THAN_0 = (lambda v: v > 0, "more than 0")
_BELOW_1 = (lambda v: 0 <= v < 1, "at least 0 and less than 1")
_RANGES = {
    "image_size": (lambda v: v in IMAGE_SIZES, f"one of {', '.join(map(str, IMAGE_SIZES))}"),
    "latent_dim": _AT_LEAST_1,
    "base_filters": _AT_LEAST_1,
    "generator_width": _AT_LEAST_1,
    "critic_kernel": (lambda v: 2 <= v <= 9, "from 2 to 9"),
    "batch_size": _AT_LEAST_1,
    "n_critic": (lambda v: 1 <= v <= 1000, "from 1 to 1000"),  # an element of data has so many
    "gradient_penalty_weight": (lambda v: v >= 0, "0 or more"),
    "penalty_every": _AT_LEAST_1,
    "critic_learning_rate": _MORE_THAN_0,
    "generator_learning_rate": _MORE_THAN_0,
    "beta_1": _BELOW_1,
    "beta_2": _BELOW_1,
    "adam_epsilon": _MORE_THAN_0,
    "final_learning_rate": (lambda v: 0 < v <= 1, "more than 0 and at most 1"),
    "ema_half_life": (lambda v: v >= 0, "0 or more"),
    "iterations": _AT_LEAST_1,
    "monitor_every": _AT_LEAST_1,
    "quality_every": _AT_LEAST_1,
    "holdout": _BELOW_1,
    "seed": (lambda v: 0 <= v <= MAX_SEED, f"from 0 to {MAX_SEED}"),
}


def check_config(config: Any) -> None:
    """Raise an InputError unless it is a `Config`."""
    if not isinstance(config, Config):
        raise InputError(
            f"the settings must be a Config, such as Config.preset('quick'), not {config!r}"
        )


def checked(name: str, kind: Any, value: Any) -> Any:
    """`value` as a `kind`: bool, int, float or a Literal of texts.

    Raises an InputError that names it if it is none, or a number out of its range.
    """
    if kind is bool:
        if not isinstance(value, bool):
            raise InputError(f"{name} must be true or false, not {value!r}")
        return value
    if kind not in (int, float):
        choices = get_args(kind)
        if value not in choices:
            raise InputError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        return value
    return _checked_number(name, kind, value)


def _checked_number(name: str, kind: type, value: Any) -> Any:
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)  # NumPy's, too
    is_finite = is_number and -math.inf < value < math.inf
    if not is_finite or (kind is int and value != int(value)):
        word = "a whole number" if kind is int else "a number"
        raise InputError(f"{name} must be {word}, not {value!r}")
    is_in_range, expected = _RANGES[name]
    if not is_in_range(value):
        raise InputError(f"{name} must be {expected}, not {value!r}")
    if name != "seed" and value > _MOST[kind]:
        raise InputError(f"{name} must be at most {_MOST[kind]}, not {value!r}")
    if kind is float and not is_in_range(_as_float32(value)):
        raise InputError(f"{name} must be {expected} in float32, not {value!r}")
    return kind(value)


def _as_float32(value: float) -> float:
    """What TensorFlow computes with: 0 for the smallest numbers, 1 for those closest to it."""
    rounded = struct.unpack("f", struct.pack("f", value))[0]
    return rounded if abs(rounded) >= 2.0**-126 else 0.0
