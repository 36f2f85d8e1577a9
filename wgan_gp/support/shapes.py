"""What the networks take and give."""

from itertools import pairwise

import keras

from wgan_gp.support.errors import InputError

Shape = tuple[int | None, ...]


def input_shape(network: keras.Model) -> Shape | None:
    """Its input's shape, `(None, ...)`: as it was declared, or as a subclassed one was built."""
    declared = getattr(network, "input_shape", None)
    built = declared or (network.get_build_config() or {}).get("input_shape")
    return (None, *built[1:]) if isinstance(built, tuple | list) else None


def output_shape(network: keras.Model) -> Shape:
    """Its output's shape, `(None, ...)`; the input's must be known."""
    if hasattr(network, "output_shape"):
        return network.output_shape
    return tuple(network.compute_output_spec(keras.KerasTensor(input_shape(network))).shape)


def check_shapes(
    generator: keras.Model, critic: keras.Model, critic_features: keras.Model | None
) -> None:
    """Raise an InputError unless each network takes what the one before it makes."""
    chain = {"generator": generator, "features network": critic_features, "critic": critic}
    chain = {name: network for name, network in chain.items() if network is not None}
    for name, network in chain.items():
        if input_shape(network) is None:
            raise InputError(
                f"the {name} has no input shape: start it with keras.Input, or call it once"
            )
    latents, scores = input_shape(generator), output_shape(critic)
    if len(latents) != 2 or not isinstance(latents[-1], int):  # a shape, where it has two inputs
        raise InputError(f"the generator must take latents of shape (n, latent_dim), not {latents}")
    for (before, makes), (after, takes) in pairwise(chain.items()):
        made, taken = output_shape(makes), input_shape(takes)
        if made != taken:
            raise InputError(
                f"the {after} takes {taken[1:]} and the {before} makes {made[1:]}: they must agree"
            )
        if len(made) != 4:
            raise InputError(f"the {before} must make (n, height, width, channels), not {made}")
    if scores != (None, 1):
        raise InputError(f"the critic must give one score an image, shape (n, 1), not {scores}")
