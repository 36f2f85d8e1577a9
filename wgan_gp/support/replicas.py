"""What differs where `tf.distribute` trains on several devices: each replica's share of a batch.

Every replica computes the gradients of its own images; the optimizers add them up. So that the sum
is the gradient that one device would have computed, a replica divides its losses by `count()`, and
takes its own rows of the random numbers that all of them draw alike.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from wgan_gp.support.errors import InputError

KERAS_BATCH_SIZE = 32  # of arrays, where `fit` is told none


def count() -> int:
    """The replicas that train together: 1 where nothing is distributed."""
    return tf.distribute.get_strategy().num_replicas_in_sync


def are_used() -> bool:
    """Whether a strategy is in force, be it with a single replica."""
    return tf.distribute.has_strategy()


def are_apart(strategy: tf.distribute.Strategy) -> bool:
    """Whether its replicas are on several machines."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


class Rows(NamedTuple):
    """Which rows of a batch are this replica's: `size` of all `total`, from `start` on."""

    start: tf.Tensor | int
    size: tf.Tensor | int
    total: tf.Tensor | int

    def of(self, values: tf.Tensor) -> tf.Tensor:
        """This replica's rows of `values`, which were drawn for the whole batch."""
        return values if count() == 1 else values[self.start : self.start + self.size]


def own_rows(batch: tf.Tensor) -> Rows:
    """Where the rows of `batch`, this replica's part of one, are in the whole."""
    rows = tf.shape(batch)[0]
    if count() == 1:
        return Rows(0, rows, rows)
    context = tf.distribute.get_replica_context()
    number = context.replica_id_in_sync_group
    # In a graph a size is known beforehand where all parts have it; eagerly it always is.
    if batch.shape[0] is not None and not tf.executing_eagerly():
        return Rows(number * rows, rows, count() * rows)
    counts = context.all_gather(rows[tf.newaxis], axis=0)
    return Rows(tf.reduce_sum(counts[:number]), rows, tf.reduce_sum(counts))


def mean(value: tf.Tensor) -> tf.Tensor:
    """The mean of the replicas' values."""
    if count() == 1:
        return value
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, value)


def overflowing_together(gradients: list[tf.Tensor]) -> list[tf.Tensor]:
    """The gradients of this replica: none is finite where any replica has one that is not.

    Keras's loss scaling decides by those of one replica whether all of them take the step.
    """
    known = [gradient for gradient in gradients if gradient is not None]
    if count() == 1 or not known:
        return gradients
    # 0 times a finite number is 0, and NaN otherwise.
    flaw = mean(tf.add_n([tf.reduce_sum(0.0 * gradient) for gradient in known]))
    return [gradient if gradient is None else gradient + flaw for gradient in gradients]


def summed(gradients: list[tf.Tensor]) -> list[tf.Tensor]:
    """The sums of the replicas' gradients."""
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, gradients)


def in_own_memory(images: tf.Tensor) -> tf.Tensor:
    """`images`, in memory that operations may write their results into.

    Where a generator or `PyDataset` gives arrays, replicas on CPUs have been seen to write into
    these. (XLA does not, and knows no such copy.)
    """
    return images if count() == 1 else tf.raw_ops.DeepCopy(x=images)


def as_logs(results: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """`results` as a step returns them: between machines Keras adds up a first axis, so add one."""
    if not are_apart(tf.distribute.get_strategy()):
        return results
    return {name: tf.reshape(value, (1,)) for name, value in results.items()}


def check_divisible(batch_size: int, replicas: int) -> None:
    """Raise an InputError unless so many replicas can share a batch."""
    if batch_size % replicas:
        raise InputError(
            f"{replicas} replicas cannot share a batch of {batch_size}: let batch_size be a "
            f"multiple of {replicas}"
        )


def check_shared(variables: Iterable[keras.Variable], strategy: tf.distribute.Strategy) -> None:
    """Raise an InputError unless the strategy's replicas keep these variables alike."""
    if strategy.num_replicas_in_sync == 1:
        return
    if not all(isinstance(x.value, tf.distribute.DistributedValues) for x in variables):
        raise InputError(
            "make or load the networks and the optimizers in the scope of the strategy, too: what "
            "is made outside of it differs from replica to replica"
        )


def check_array(images: Any, batch_size: int | None) -> None:
    """Raise an InputError unless the replicas can share each batch that Keras makes of an array."""
    if count() == 1 or isinstance(images, tf.distribute.DistributedDataset):
        return
    if not hasattr(images, "shape"):
        raise InputError(
            f"{count()} replicas train on a tf.data.Dataset or an array, not on a "
            f"{type(images).__name__}, whose batches they might not divide"
        )
    batch_size = batch_size or KERAS_BATCH_SIZE
    check_divisible(batch_size, count())
    rest = len(images) % batch_size
    if rest % count():
        raise InputError(
            f"{count()} replicas cannot share the last batch of {len(images)} images, which has "
            f"{rest}: leave {rest % count()} out"
        )


def dealt_out(dataset: tf.data.Dataset) -> tf.data.Dataset | tf.distribute.DistributedDataset:
    """`dataset`, each of whose batches is cut into one part a replica, in order.

    Keras would cut them, too, but not between machines: there it would deal out whole batches.

    Raises:
        InputError: the replicas do not divide the batch, or its size is not fixed.
    """
    if count() == 1:
        return dataset
    batch_size = dataset.element_spec.shape[0]
    if batch_size is None:
        raise InputError(
            f"{count()} replicas share batches of a fixed size: dataset.batch(..., "
            f"drop_remainder=True)"
        )
    check_divisible(batch_size, count())

    def of_worker(context: tf.distribute.InputContext) -> tf.data.Dataset:
        here = context.num_replicas_in_sync // context.num_input_pipelines
        first = context.input_pipeline_id * here

        def own_parts(batch: tf.Tensor) -> tf.Tensor:
            return tf.stack(tf.split(batch, context.num_replicas_in_sync)[first : first + here])

        return dataset.map(own_parts).unbatch().prefetch(here)

    dealt = tf.distribute.get_strategy().distribute_datasets_from_function(of_worker)
    # It has an element for each replica here, which Keras would take for as many batches.
    dealt._cardinality = dataset.cardinality().numpy()
    return dealt
