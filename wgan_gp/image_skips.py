"""Networks that meet the image at every size on the way, not at full size alone.

The generator adds up images of 8x8, 16x16, ... (the output skips of StyleGAN2, Karras et al.,
arXiv:1912.04958, section 4.1), and the critic sees the image shrunk to each of its sizes (as in
MSG-GAN, Karnewar and Wang, arXiv:1903.06048). So the layout of a picture need not find its way
through all layers before anything can be learned from it.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import keras
from keras import layers

Initializers = Iterator[keras.initializers.Initializer]
Stack = Sequence[Any]  # as `keras.Sequential` takes them: an input, and layers


def critic_with_skips(stack: Stack, initializers: Initializers) -> keras.Model:
    """After each halving but the first: x + a 1x1 convolution of the image shrunk to x's size."""
    inputs, *stack_layers = stack
    x = inputs
    for layer in stack_layers:
        x = layer(x)
        times_smaller = inputs.shape[1] // x.shape[1] if len(x.shape) == 4 else 0
        if times_smaller > 2 and _halves(layer):
            shrunk = layers.AveragePooling2D(times_smaller)(inputs)
            x = layers.Add()([x, _pointwise(x.shape[-1], initializers)(shrunk)])
    return keras.Model(inputs, x, name="critic")


def generator_with_skips(stack: Stack, initializers: Initializers) -> keras.Model:
    """At every size: its own colours, added to those of the smaller sizes, enlarged."""
    inputs, *body, to_colours, squash = stack
    x, features = inputs, []
    for layer in body:
        x = layer(x)
        if isinstance(layer, layers.ReLU):  # the last of its size
            features.append(x)
    full = to_colours(x)
    smaller = [f for f in features if f.shape[1] < full.shape[1]]
    colours = [*(_pointwise(3, initializers)(f) for f in smaller), full]
    return keras.Model(
        inputs, squash(functools.reduce(_enlarge_and_add, colours)), name="generator"
    )


def _enlarge_and_add(smaller: keras.KerasTensor, own: keras.KerasTensor) -> keras.KerasTensor:
    return layers.Add()([layers.UpSampling2D(2, interpolation="bilinear")(smaller), own])


def _halves(layer: keras.Layer) -> bool:
    return isinstance(layer, layers.Conv2D) and layer.strides == (2, 2)


def _pointwise(filters: int, initializers: Initializers) -> keras.Layer:
    return layers.Conv2D(filters, 1, kernel_initializer=next(initializers))
