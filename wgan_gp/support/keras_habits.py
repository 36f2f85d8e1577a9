"""What people bring along from Keras: made to work, or answered in one sentence."""

import math
import numbers
import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from wgan_gp.support.errors import InputError
from wgan_gp.support.replicas import KERAS_BATCH_SIZE
from wgan_gp.support.whole_numbers import check_whole

_REFUSED = {
    keras.callbacks.BackupAndRestore: "would begin the images anew, and so train another model: "
    "use wgan_gp.Checkpoint",
    keras.callbacks.SwapEMAWeights: "knows one optimizer's averages: give WGANGP an ema_half_life, "
    "and take its ema_generator",
    keras.callbacks.TerminateOnNaN: "looks at a log called 'loss', which a GAN does not have: use "
    "wgan_gp.StopAtNaN",
}
HDF5 = (".h5", ".hdf5")
_MEMBERS = 3  # of a tuple, for Keras: images, labels, weights
_MOST_STEPS = 2**31 - 1  # more is no epoch: the stream of `make_dataset` ends, but at 2^63 - 1
WATCHING = (
    keras.callbacks.EarlyStopping,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.ReduceLROnPlateau,
)
_OF_RATES = (keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau)


def check_backend() -> None:
    """Raise an InputError where Keras computes with another library than TensorFlow."""
    if (backend := keras.backend.backend()) != "tensorflow":
        raise InputError(
            f"Keras computes with {backend}, and this needs TensorFlow: set "
            f"KERAS_BACKEND=tensorflow before Keras is imported"
        )


def images_alone(data: Any) -> Any:
    """The images of what `fit` was given; raises an InputError if there are labels or weights."""
    if isinstance(data, tuple | list) and not 0 < len(data) <= _MEMBERS:
        raise InputError(
            f"images come alone, as one array or dataset, not as {len(data)} of them: stack them, "
            f"as numpy.asarray does"
        )
    images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
    if labels is not None or weights is not None:
        raise InputError(
            "a WGAN-GP has no use for labels or weights: give it images alone, "
            "ds.map(lambda x, y: x)"
        )
    if isinstance(images, Mapping):
        raise InputError("a WGAN-GP takes images alone, not a dictionary: ds.map(lambda x: x[...])")
    return images


def validation_images(options: Mapping[str, Any]) -> Any:
    """What `fit` is to validate on, out of its tuple.

    Raises an InputError for what it could not validate on, before it has trained an epoch.
    """
    if options.get("validation_split"):
        raise InputError(
            "validation_split would cut elements of n_critic mini-batches: give fit "
            "validation_data=(images,)"
        )
    for name in ("validation_freq", "validation_batch_size"):
        number = options.get(name)
        if number is not None and not isinstance(number, list):  # of epochs
            check_whole(name, number)
    data = options.get("validation_data")
    check_ends(data, "validation_steps", options)
    if data is None:
        return None
    if hasattr(data, "element_spec"):
        images_alone(data.element_spec)
    return images_given(data, "validation_data")


def images_given(images: Any, method: str) -> Any:
    """The images, out of their tuple or list.

    Raises an InputError if there are none (Keras's error would speak of an empty set), or labels,
    or only the place where they are, or the function that makes them.
    """
    if isinstance(images, tuple | list):
        images = images_alone(tuple(images)) if images else None
    if isinstance(images, str | os.PathLike):
        raise InputError(
            f"{method} takes images, not the name of a place: read '{images}' by load_images, and "
            f"give make_dataset what it gives"
        )
    if images is None or callable(images) or isinstance(images, numbers.Number):
        raise InputError(
            f"{method} needs images: a dataset such as make_dataset's, or an array, not {images!r}"
        )
    return images


def check_not_empty(images: Any, purpose: str) -> None:
    """Raise an InputError for an array, or a dataset of known length, that holds nothing."""
    if batches(images) == 0:
        raise InputError(
            f"there is nothing to {purpose}: the images are none, or fewer than one batch of a "
            f"dataset that drops what is left over"
        )


def check_ends(data: Any, steps: str, options: Mapping[str, Any]) -> None:
    """Raise an InputError for a dataset without an end where `options` do not say how many steps.

    Or for a number that is none: in neither case Keras would come to the end of the epoch.
    """
    if options.get(steps) is not None:
        check_whole(steps, options[steps])
    elif batches(data) == math.inf:
        raise InputError(f"the dataset has no end: say how much of it to take by {steps}")


def batches(images: Any, batch_size: int | None = None) -> float | None:
    """How many `fit` makes of them: infinite if they have no end, None if that is not known."""
    if isinstance(images, keras.utils.PyDataset):
        return math.inf if images.num_batches is None else images.num_batches
    if isinstance(images, tf.data.Dataset):
        length = int(images.cardinality())
        if length == tf.data.UNKNOWN_CARDINALITY:
            return None
        has_end = length != tf.data.INFINITE_CARDINALITY and length <= _MOST_STEPS
        return length if has_end else math.inf
    if shape := tuple(getattr(images, "shape", None) or ()):
        return math.ceil(shape[0] / (batch_size or KERAS_BATCH_SIZE))
    return None


def check_compile_options(options: Mapping[str, Any]) -> None:
    """Raise an InputError for one of `keras.Model.compile`'s that would be ignored."""
    for name in ("loss", "loss_weights", "metrics", "weighted_metrics"):
        if options.get(name) is not None:
            raise InputError(
                f"a WGAN-GP has losses and metrics of its own: leave out {name} (a critic's or "
                f"generator's layer may add_loss)"
            )


def flat_callbacks(callbacks: Any) -> list[keras.callbacks.Callback]:
    """Callbacks as Keras takes them: in a list, nested or alone, none, or its `CallbackList`."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks.callbacks
    return keras.tree.flatten(callbacks) if callbacks else []


def check_are_callbacks(callbacks: Sequence[Any]) -> None:
    """Raise an InputError for one that is none, such as a class of them."""
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise InputError(f"callbacks are objects of keras.callbacks.Callback, not {callback!r}")


def check_callbacks(callbacks: Sequence[Any], are_rates_settable: bool) -> None:
    """Raise an InputError for one of Keras's that would be silently wrong, or fail too late."""
    check_are_callbacks(callbacks)
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
        if isinstance(callback, keras.callbacks.ModelCheckpoint):
            _check_format(callback)
            _check_can_compare(callback)
        if isinstance(callback, _OF_RATES):
            _check_moves_rates(type(callback).__name__, are_rates_settable)
        if type(callback) in WATCHING:
            _check_knows_direction(callback)


def _check_format(callback: keras.callbacks.ModelCheckpoint) -> None:
    is_hdf5 = str(callback.filepath).endswith(HDF5)
    if is_hdf5 and not callback.save_weights_only:
        raise InputError(
            f"ModelCheckpoint cannot write a WGANGP, which has two optimizers, to "
            f"'{callback.filepath}': let it be a .keras file"
        )


def _check_can_compare(callback: keras.callbacks.ModelCheckpoint) -> None:
    if callback.save_best_only and callback.save_freq != "epoch":
        raise InputError(
            "ModelCheckpoint can find the best at the end of an epoch only, and fails at its "
            "second save elsewhere: leave out save_freq or save_best_only"
        )


def _check_knows_direction(callback: Any) -> None:
    """Raise an InputError where Keras's own, which tells less, would come after an epoch."""
    is_watching = getattr(callback, "save_best_only", True)
    is_told = getattr(callback, "mode", None) != "auto" or callback.monitor_op is not None
    if is_watching and not is_told and callback.monitor.removeprefix("val_") != "loss":
        raise InputError(
            f"{type(callback).__name__} cannot know whether '{callback.monitor}' should fall or "
            f"rise: give it a mode, 'min' or 'max'"
        )


def _check_moves_rates(callback: str, are_rates_settable: bool) -> None:
    if not hasattr(keras.optimizers, "MultiOptimizer"):
        raise InputError(
            f"{callback} knows two optimizers from Keras 3.15 on, and this is "
            f"{keras.__version__}: take a newer one, give each optimizer a schedule of "
            f"keras.optimizers.schedules, or Config a final_learning_rate"
        )
    if not are_rates_settable:
        raise InputError(
            f"{callback} cannot move a learning rate that follows a schedule: leave it out, or "
            f"give Config a final_learning_rate of 1"
        )
