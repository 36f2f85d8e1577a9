"""Which layers a network is made of, and which it may not have."""

import keras
import tensorflow as tf

from wgan_gp.support.errors import InputError


def layers_within(network: keras.Model) -> list[keras.Layer]:
    """All layers of `network`, with layers within layers, which `network.layers` does not list."""
    return list(network._flatten_layers(include_self=False))


def batch_norms(network: keras.Model) -> list[keras.layers.BatchNormalization]:
    """The batch norms among `layers_within`."""
    layers = layers_within(network)
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def random_states(network: keras.Model) -> list[keras.Variable]:
    """The states of layers that draw at random, such as Dropout; Keras's files leave them out."""
    return [variable for variable in network.variables if variable.name == "seed_generator_state"]


def own_state(network: keras.Model) -> list[keras.Variable]:
    """The variables that layers set by themselves in training: seeds, statistics of batch norms."""
    norms = batch_norms(network)
    return [*random_states(network), *(x for norm in norms for x in norm.non_trainable_variables)]


def is_functional(network: keras.Model) -> bool:
    """Whether it is a Sequential or functional model; of a subclassed one Keras knows no graph."""
    return hasattr(network, "output_shape")


def check_same_variables(generator: keras.Model, average: keras.Model) -> None:
    """Raise an InputError if the generator's have changed since its average was made of them."""
    shapes = [[tuple(x.shape) for x in network.variables] for network in (generator, average)]
    if shapes[0] != shapes[1]:
        raise InputError(
            "the generator has other variables than its average: change it (enable_lora, quantize) "
            "before you give it to WGANGP"
        )


def check_fine_enough(generator: keras.Model) -> None:
    """Raise an InputError that names a weight too coarse for an average to move by small steps."""
    for weight in generator.trainable_variables:
        if weight.dtype in ("bfloat16", "float16"):
            raise InputError(
                f"the generator's '{weight.path}' is in {weight.dtype}, in which no average can be "
                f"kept: build it in 'mixed_{weight.dtype}', or without an ema_half_life"
            )


def check_share_nothing(*networks: keras.Model | None) -> None:
    """Raise an InputError that names a variable of two of them, though it be frozen.

    Each network is trained, frozen and saved by itself.
    """
    owners: dict[int, keras.Model] = {}
    for network in networks:
        for variable in [] if network is None else network.variables:
            owner = owners.setdefault(id(variable), network)
            if owner is not network:
                raise InputError(
                    f"'{variable.path}' belongs to both '{owner.name}' and '{network.name}': give "
                    f"each a layer of its own"
                )


def check_no_batch_norm(network: keras.Model) -> None:
    """Raise an InputError that names a batch norm: in it, one image changes another's score."""
    for layer in batch_norms(network):
        raise InputError(
            f"the critic's layer '{layer.name}' mixes the images of a batch, but the gradient "
            f"penalty is defined image by image: take layer norm"
        )


def added_losses(network: keras.Model) -> tf.Tensor | int:
    """The sum of what regularizers and layers add to the network's loss, as in Keras's `fit`."""
    return sum(tf.reduce_sum(tf.cast(loss, tf.float32)) for loss in network.losses)


def check_no_layers_losses(network: keras.Model) -> None:
    """Raise an InputError if layers of a called network have added losses to its weights' own."""
    of_weights = [x for x in network.trainable_weights if x.regularizer is not None]
    if len(network.losses) > len(of_weights):
        raise InputError(
            f"several devices mix up losses that layers of '{network.name}' add "
            f"(activity_regularizer, add_loss), since its batch norms wait for each other: leave "
            f"out the losses or the norms, or train on one device"
        )
