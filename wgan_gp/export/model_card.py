"""What there is to know about a trained generator: for people, and for programs."""

import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from wgan_gp import __version__
from wgan_gp.config import Config
from wgan_gp.metrics.report import Report

_METRICS_OF_PENALTY = ("gradient_penalty", "gradient_norm")
_METRICS = ("critic_loss", *_METRICS_OF_PENALTY)

_DATA = {
    "synthetic": ("drawn flowers of the package wgan_gp", "Apache-2.0, as the package"),
    "flower photographs": (
        "a public five-class set of flower photographs from Flickr, which overlaps tf_flowers",
        "each photographer's own",
    ),
    "tf_flowers": (
        "tf_flowers of TensorFlow Datasets: 3,670 photographs",
        "Creative Commons licences, each photographer's own: see LICENSE.txt in the data's archive",
    ),
}

_SCORED = {
    "none": "the images' pixels",
    "efficientnet-lite0": "the images' pixels and, each for itself, three scales of their features "
    "in EfficientNet-Lite0, whose weights (Apache-2.0) were trained on ImageNet; losses, penalty "
    "and gradient norm are means over these four",
}

_CARD = string.Template("""\
---
tags: [image-generation, gan, wgan-gp, keras]
---
# A generator of images: ${data_name}

A Wasserstein GAN with gradient penalty ([arXiv:1704.00028](https://arxiv.org/abs/1704.00028)),
exported with wgan_gp ${wgan_gp_version}. It turns random numbers into pictures of
${image_size}x${image_size} pixels.

| | |
| --- | --- |
| input `latents` | float32 `(n, ${latent_dim})`, standard normal |
| output `images` | float32 `(n, ${image_size}, ${image_size}, 3)`, RGB, ${value_range} |
| parameters | ${parameters} |
| training data | ${training_data}: ${images} |
| licence of the data | ${data_licence} |
| what the critic scored | ${scored} |
| generator iterations | ${iteration} |
| preset, seed | ${preset}, ${seed} |
| critic's loss, epoch's mean | ${critic_loss}, with ${weight} x ${gradient_penalty} of penalty |
| gradient norm, epoch's mean | ${gradient_norm} (1 is the penalty's aim) |

## Use

`(images + 1) * 127.5`, rounded, gives pixels in 0..255.

## Settings

```json
${config}
```

## Quality

${quality}

## Limits

- The pictures resemble the training data and nothing else; what is rare there is rare here.
- Look at many before you rely on any.
- A generator can come close to single training images. Where those are confidential, so is it.
${how_made}""")


def model_facts(config: Config, facts: Mapping[str, Any]) -> dict[str, str | int]:
    """The facts that every export carries.

    Args:
        config: the settings that the generator was trained with.
        facts: what else is known of its run: "data" and, where training went on to another
            number than `config.iterations`, "generator_iteration", or "not kept".
    """
    training_data, licence = _data(facts["data"])
    return {
        "latent_dim": config.latent_dim,
        "image_size": config.image_size,
        "value_range": "-1..1",
        "training_data": training_data,
        "data_licence": licence,
        "iteration": facts.get("generator_iteration", config.iterations),
        "wgan_gp_version": __version__,
    }


def model_card(
    config: Config,
    facts: Mapping[str, Any],
    metrics: Mapping[str, str],
    generator: keras.Model,
    quality: Report | None = None,
) -> str:
    """A model card in Markdown.

    Args:
        config: the settings that the generator was trained with.
        facts: what else is known of its run: "data", "preset", "images" (their number), and how
            many of those are "images_held_out"; "how_made", a last section, where there is one.
        metrics: means over the epoch that the generator is of, by their names in the history; one
            that is missing is shown as "not kept".
        quality: what `evaluate` has measured, if it has.
    """
    known = model_facts(config, facts)
    return _CARD.substitute(
        known,
        data_name=_folder_name(facts["data"]),
        parameters=f"{generator.count_params():,}",
        images=_numbers(facts["images"], facts.get("images_held_out", 0)),
        preset=facts["preset"],
        how_made=facts.get("how_made", ""),
        seed=config.seed,
        scored=_SCORED[config.critic_features],
        weight=f"{config.gradient_penalty_weight:g}",
        config=config.to_json().strip(),
        quality=quality.to_markdown() if quality else "It has not been measured.",
        **{name: _rounded(name, metrics.get(name)) for name in _METRICS},
    )


def _numbers(images: int, held_out: int) -> str:
    """How many images there were to train on."""
    more = f", {held_out:,} more held out" if held_out else ""
    return f"{images - held_out:,} images{more}"


def _data(data: str) -> tuple[str, str]:
    """Name and licence of training data. Of a folder it is the name alone that is told."""
    unknown = "not known: ask the owner of the images"
    return _DATA.get(data, (f"images in a folder '{_folder_name(data)}'", unknown))


def _folder_name(data: str) -> str:
    """The last part of the path, without what UTF-8 cannot write, or a table of the card hold."""
    name = Path(data).name.encode("utf-8", "replace").decode()
    return "".join(x if x.isprintable() and x != "|" else "?" for x in name)


def _rounded(name: str, value: str | None) -> str:
    if value is None:
        return "not kept"
    if float(value) == 0 and name in _METRICS_OF_PENALTY:  # no update of that epoch took it
        return "none"
    return f"{float(value):.4g}"
