"""Generators that come with the package: each is the run that trained it, as far as it is needed.

generator = wgan_gp.load_pretrained("flowers")
images = wgan_gp.generate_images(generator, count=25)  # uint8 (25, 64, 64, 3)
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from wgan_gp.runs.folder import RunFolder
from wgan_gp.support.errors import InputError

if TYPE_CHECKING:  # the command line knows the names before it needs Keras
    import keras

Pretrained = Literal["flowers"]
_RUNS = Path(__file__).with_name("pretrained_runs")


def load_pretrained(name: Pretrained = "flowers") -> "keras.Model":
    """A trained generator: standard-normal latents `(n, latent_dim)` -> images in -1..1.

    Its weights are kept in float16 and loaded as float32. What it was trained on and how good it
    is stands in its model card, `runs/pretrained_runs/NAME/README.md`.

    Raises:
        InputError: there is none of that name.
    """
    return pretrained_run(name).load_generator()


def pretrained_run(name: Pretrained) -> RunFolder:
    """The folder of the run that trained the generator called `name`; raises as above."""
    if name not in get_args(Pretrained):
        names = ", ".join(get_args(Pretrained))
        raise InputError(f"there is no pretrained generator {name!r}: choose from {names}")
    return RunFolder(_RUNS / name)  # whose files an installer may have linked
