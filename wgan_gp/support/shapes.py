"""What the networks take and give."""

from itertools import pairwise
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from wgan_gp.support.errors import InputError
from wgan_gp.support.keras_habits import check_backend
from wgan_gp.support.layers import is_functional

Shape = tuple[int | None, ...]
Shapes = Any  # a `Shape`, or a list of them where there are several


def input_shape(network: keras.Model) -> Shapes | None:
    """Its input's shape, `(None, ...)`, as it was declared, or as a subclassed one was built.

    A list of them where it takes several inputs.
    """
    declared = getattr(network, "input_shape", None)
    built = declared or (network.get_build_config() or {}).get("input_shape")
    if not isinstance(built, tuple | list):
        return None
    return _of_any_number(built)


def _of_any_number(shapes: Any) -> Shapes:
    """The same for any number of images, where a network has noted how many it was called on."""
    if isinstance(shapes[0], tuple | list):
        return [(None, *shape[1:]) for shape in shapes]
    return (None, *shapes[1:])


def are_latents(shape: Shapes | None) -> bool:
    """Whether it is the shape of one input, `(None, latent_dim)`."""
    match shape:
        case (None, int()):
            return True
    return False


def are_images(shape: Shapes) -> bool:
    """Whether it is the shape of one output, `(None, height, width, channels)`."""
    match shape:
        case (None, _, _, int()):
            return True
    return False


def latent_dim(generator: keras.Model) -> int:
    """How many numbers a latent of it has.

    Raises:
        InputError: it takes no latents, or is known to make no images.
    """
    if not isinstance(generator, keras.Model):
        raise InputError(
            f"a generator is a model, such as keras.saving.load_model gives, not {generator!r}"
        )
    check_backend()
    shape = input_shape(generator)
    if not are_latents(shape):
        raise InputError(
            f"'{generator.name}' does not take latents of shape (n, latent_dim): of a WGANGP, give "
            f"its drawing_generator"
        )
    if is_functional(generator) and not are_images(output_shape(generator)):
        raise InputError(
            f"'{generator.name}' does not make images (n, height, width, channels), but "
            f"{output_shape(generator)}"
        )
    return shape[-1]


def output_shape(network: keras.Model) -> Shapes:
    """Its output's shape, `(None, ...)`, or a list of them; the input's must be known."""
    if is_functional(network):
        return _of_any_number(network.output_shape)
    shapes = input_shape(network)
    are_several = isinstance(shapes, list)
    inputs = [keras.KerasTensor(shape) for shape in _listed(shapes)]
    outputs = network.compute_output_spec(inputs if are_several else inputs[0])
    made = [tuple(x.shape) for x in keras.tree.flatten(outputs)]
    return made if isinstance(outputs, list | tuple) else made[0]


def check_shapes(
    generator: keras.Model, critic: keras.Model, critic_features: keras.Model | None
) -> None:
    """Raise an InputError unless each network takes what the one before it makes."""
    chain = {"generator": generator, "features network": critic_features, "critic": critic}
    chain = {name: network for name, network in chain.items() if network is not None}
    for name, network in chain.items():
        if not isinstance(network, keras.Model):
            raise InputError(f"the {name} must be a keras.Model, not {network!r}")
        if input_shape(network) is None:
            raise InputError(
                f"the {name} has no input shape: start it with keras.Input, or call it once"
            )
        if isinstance(getattr(network, "output", None), dict):
            raise InputError(f"the {name} must not give its outputs by name, in a dictionary")
    latents = input_shape(generator)
    if not are_latents(latents):
        raise InputError(f"the generator must take latents of shape (n, latent_dim), not {latents}")
    for (before, makes), (after, takes) in pairwise(chain.items()):
        _check_link(before, output_shape(makes), after, input_shape(takes))
    scores, expected = output_shape(critic), (None, len(_listed(input_shape(critic))))
    if scores != expected:
        raise InputError(
            f"the critic must give one score an image, or one of each view of it, shape "
            f"(n, {expected[1]}), not {scores}"
        )


def check_batch(shape: tf.TensorShape, generator: keras.Model, n_critic: int | None) -> Shape:
    """The shape that a batch of images has to have: `(None, height, width, channels)`.

    With `n_critic` it is that of an element of `fit`: `(None, n_critic, height, width, channels)`.
    Raises an InputError if `shape` is another one.
    """
    who, axes = "evaluate and validation_data expect images", "batch"
    expected = output_shape(generator)[1:]
    if n_critic is not None:
        who, axes = "fit expects images as make_dataset gives them,", "batch, n_critic"
        expected = (n_critic, *expected)
    if not shape.is_compatible_with((None, *expected)):
        raise InputError(
            f"{who} ({axes}, height, width, channels) = "
            f"(batch, {', '.join(map(str, expected))}), not {tuple(shape)}"
        )
    return (None, *expected)


def check_floats(images: Any) -> None:
    """Raise an InputError for images that are known not to be floats."""
    dtype = getattr(images, "dtype", None)
    if isinstance(dtype, tf.DType | np.dtype) and not tf.as_dtype(dtype).is_floating:
        raise InputError(
            f"images must be floats in -1..1, which pixels / 127.5 - 1 are, not {dtype.name}"
        )


def _check_link(before: str, made: Shapes, after: str, taken: Shapes) -> None:
    if not _agree(made, taken):
        raise InputError(
            f"the {after} takes {_said(taken)} and the {before} makes {_said(made)}: they must "
            f"agree"
        )
    if any(len(shape) != 4 for shape in _listed(made)):
        raise InputError(f"the {before} must make (n, height, width, channels), not {made}")


def _agree(made: Shapes, taken: Shapes) -> bool:
    """Whether they are the same, but for what is taken at any size."""
    if isinstance(made, list) and isinstance(taken, list):
        return len(made) == len(taken) and all(map(_agree, made, taken))
    if isinstance(made, list) or isinstance(taken, list) or len(made) != len(taken):
        return False
    return all(wanted in (None, size) for size, wanted in zip(made, taken, strict=True))


def _listed(shapes: Shapes) -> list[Shape]:
    return shapes if isinstance(shapes, list) else [shapes]


def _said(shapes: Shapes) -> str:
    """The shapes as messages name them: without the number of images."""
    return ", ".join(str(shape[1:]) for shape in _listed(shapes))
