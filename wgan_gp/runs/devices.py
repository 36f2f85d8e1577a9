"""The devices that a run trains on."""

import contextlib
import os
from collections.abc import Iterator

import tensorflow as tf

from wgan_gp.runs.plan import Strategy
from wgan_gp.support.errors import InputError


def strategy_of(name: Strategy) -> tf.distribute.Strategy:
    """TensorFlow's strategy for `name`; ask for it before anything else, as several machines need.

    'auto' uses every GPU of this machine, 'mirrored' also where there is one only (or, without any,
    the logical CPUs), 'none' a single device, 'multi-worker' one process on each of several
    machines, as TF_CONFIG says.

    Raises:
        InputError: TF_CONFIG is missing or wrong.
    """
    if name == "multi-worker":
        return _multi_worker()
    gpus = tf.config.list_logical_devices("GPU")
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        devices = gpus or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one of its strategy that writes."""
    resolver = strategy.cluster_resolver
    return resolver is None or (resolver.task_type, resolver.task_id) == ("worker", 0)


def described(strategy: tf.distribute.Strategy) -> str:
    """Where it trains, such as "the CPU" or "2 replicas"."""
    if strategy.num_replicas_in_sync > 1:
        return f"{strategy.num_replicas_in_sync} replicas"
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "the CPU"
    return "the " + tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")


@contextlib.contextmanager
def all_workers_there(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Wait for the other workers in the end, and say in one sentence that one is gone.

    Raises:
        InputError: in that case.
    """
    try:
        yield
        if strategy.cluster_resolver is not None:  # who leaves first would alarm the others
            _wait_for_all(strategy)
    except (tf.errors.UnavailableError, tf.errors.AbortedError) as error:
        raise InputError(
            "another worker has stopped, and none can go on alone: when that is mended, start all "
            "of them again with the option to resume"
        ) from error


def _wait_for_all(strategy: tf.distribute.Strategy) -> None:
    """Add up something of all of them, which each can only do with the others."""

    @tf.function
    def add_up() -> tf.Tensor:
        return strategy.reduce("SUM", strategy.run(lambda: tf.constant(1)), axis=None)

    add_up()


def _multi_worker() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        jobs = resolver.cluster_spec().as_dict()
        # A "chief" beside the workers would make two processes that write, an "evaluator" none.
        if [*jobs] != ["worker"] or resolver.task_type != "worker":
            raise LookupError(resolver.task_type)
        if not 0 <= resolver.task_id < len(jobs["worker"]):
            raise LookupError(resolver.task_id)
    except (ValueError, TypeError, LookupError) as error:
        found = os.environ.get("TF_CONFIG", "not set")
        raise InputError(
            'several workers need TF_CONFIG in the environment of each, such as {"cluster": '
            '{"worker": ["host-0:2222", "host-1:2222"]}, "task": {"type": "worker", "index": 0}}; '
            f"here it is {found}"
        ) from error
    return tf.distribute.MultiWorkerMirroredStrategy(resolver)
