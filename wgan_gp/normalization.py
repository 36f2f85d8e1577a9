"""The critic's layer norm, with derivatives that the gradient penalty can trust."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="wgan_gp")
class ImageLayerNormalization(keras.layers.Layer):
    """Normalises each image over height, width and channels; one scale and offset per channel.

    The same function as `keras.layers.GroupNormalization(groups=1)`, not the same derivatives:
    Keras takes the variance from `tf.nn.moments`, which holds the mean constant. That is harmless
    in a first derivative and wrong in a second one, and the gradient penalty is trained by second
    derivatives. (`LayerNormalization()` would normalise over the channels alone.)

    Args:
        epsilon: added to the variance.
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        channels = input_shape[-1]
        self.scale = self.add_weight(shape=(channels,), initializer="ones", name="scale")
        self.offset = self.add_weight(shape=(channels,), initializer="zeros", name="offset")

    def call(self, inputs):
        # In float16 the sum over an image overflows; float32 is the least to compute in.
        x = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        centred = x - ops.mean(x, axis=(1, 2, 3), keepdims=True)
        variance = ops.mean(ops.square(centred), axis=(1, 2, 3), keepdims=True)
        normalized = centred * ops.rsqrt(variance + self.epsilon)
        return ops.cast(normalized, inputs.dtype) * self.scale + self.offset

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}
