"""What people bring along from Keras: made to work, or answered in one sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from wgan_gp.support.errors import InputError

_REFUSED = {
    keras.callbacks.BackupAndRestore: "would begin the images anew, and so train another model: "
    "use wgan_gp.Checkpoint",
    keras.callbacks.SwapEMAWeights: "knows one optimizer's averages: give WGANGP an ema_half_life, "
    "and take its ema_generator",
    keras.callbacks.TerminateOnNaN: "looks at a log called 'loss', which a GAN does not have: use "
    "wgan_gp.StopAtNaN",
}
_OF_RATES = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


def images_alone(data: Any) -> Any:
    """The images of what `fit` was given; raises an InputError if there are labels or weights."""
    images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
    if labels is not None or weights is not None:
        raise InputError(
            "a WGAN-GP has no use for labels or weights: give it images alone, "
            "ds.map(lambda x, y: x)"
        )
    return images


def check_compile_options(options: Mapping[str, Any]) -> None:
    """Raise an InputError for one of `keras.Model.compile`'s that would be ignored."""
    for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
        if options.get(name) is not None:
            raise InputError(
                f"a WGAN-GP has losses and metrics of its own: leave out {name} (a critic's or "
                f"generator's layer may add_loss)"
            )


def check_callbacks(callbacks: Sequence[Any]) -> None:
    """Raise an InputError for one of Keras's that would be silently wrong here."""
    for callback in callbacks:
        for kind, why in _REFUSED.items():
            if isinstance(callback, kind):
                raise InputError(f"{kind.__name__} {why}")
        if getattr(callback, "restore_best_weights", False):
            raise InputError(
                f"restore_best_weights of {type(callback).__name__} would take the weights back, "
                f"but not the optimizers: keep the best by wgan_gp.Quality(..., best=FILE) or "
                f"ModelCheckpoint"
            )
        if isinstance(callback, _OF_RATES) and not hasattr(keras.optimizers, "MultiOptimizer"):
            raise InputError(
                f"{type(callback).__name__} knows two optimizers from Keras 3.15 on, and this is "
                f"{keras.__version__}: take a newer one, give each optimizer a schedule of "
                f"keras.optimizers.schedules, or Config a final_learning_rate"
            )


def check_no_mixing(network: keras.Model) -> None:
    """Raise an InputError that names a layer in which one image changes the score of another."""
    # Those within layers of one's own, too, which `network.layers` does not list.
    for layer in network._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            raise InputError(
                f"the critic's layer '{layer.name}' mixes the images of a batch, but the gradient "
                f"penalty is defined image by image: take layer norm"
            )
