"""Which layers a network is made of."""

import keras


def layers_within(network: keras.Model) -> list[keras.Layer]:
    """Those of its layers, and of layers within these, which `network.layers` does not list."""
    return list(network._flatten_layers(include_self=False))


def batch_norms(network: keras.Model) -> list[keras.layers.BatchNormalization]:
    """Those of `layers_within` that are batch norms."""
    layers = layers_within(network)
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def are_known(network: keras.Model) -> bool:
    """Whether Keras knows how its layers are connected; of a subclassed one it does not."""
    return hasattr(network, "output_shape")
