"""What the two networks take and give."""

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


def check_shapes(generator: keras.Model, critic: keras.Model) -> None:
    """Raise an InputError unless each network takes what the other makes."""
    for name, network in (("generator", generator), ("critic", critic)):
        if input_shape(network) is None:
            raise InputError(
                f"the {name} has no input shape: start it with keras.Input, or call it once"
            )
    latents, images, scores = input_shape(generator), output_shape(generator), output_shape(critic)
    if len(latents) != 2 or not isinstance(latents[-1], int):  # a shape, where it has two inputs
        raise InputError(f"the generator must take latents of shape (n, latent_dim), not {latents}")
    if input_shape(critic) != images:
        raise InputError(
            f"the critic takes images of shape {input_shape(critic)[1:]}, but the generator makes "
            f"{images[1:]}: they must agree"
        )
    if scores != (None, 1):
        raise InputError(f"the critic must give one score an image, shape (n, 1), not {scores}")
