"""What it costs that a run can be resumed to the bit: a checkpoint, and --deterministic.

    python benchmarks/resuming.py

Each is measured in iterations of the same training (preset quick, drawn flowers); iterations with
and without deterministic operations are timed in turns, in processes of their own.
"""

import dataclasses
import os
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the command line has it

import keras
import tensorflow as tf

from wgan_gp import Checkpoint, Config, build_model, load_images, make_dataset

ITERATIONS = 100
ROUNDS = 3


class SecondsPerIteration(keras.callbacks.Callback):
    """The mean time of all iterations but the first ten."""

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if batch <= 9:
            self.start = time.perf_counter()
        else:
            self.seconds = (time.perf_counter() - self.start) / (batch - 9)


def measure(is_deterministic: bool) -> tuple[float, float]:
    """Seconds an iteration, and seconds a checkpoint."""
    if is_deterministic:
        tf.config.experimental.enable_op_determinism()
    config = dataclasses.replace(Config.preset("quick"), deterministic=is_deterministic)
    images = load_images("synthetic", config.image_size)
    clock = SecondsPerIteration()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Checkpoint(folder, every=10 * ITERATIONS)
        model = build_model(config)
        model.fit(
            make_dataset(images, config), steps_per_epoch=ITERATIONS, verbose=0,
            callbacks=[clock, checkpoint],
        )  # fmt: skip
        model.iteration.assign_add(1)
        start = time.perf_counter()
        checkpoint.save()
        return clock.seconds, time.perf_counter() - start


def main() -> None:
    if len(sys.argv) > 1:
        print(*measure(sys.argv[1] == "deterministic"))
        return
    for _ in range(ROUNDS):
        plain, checkpoint = in_own_process("plain")
        deterministic, _ = in_own_process("deterministic")
        print(
            f"iteration {plain:.3f} s, deterministic {deterministic:.3f} s: ratio "
            f"{deterministic / plain:.2f}; a checkpoint takes {checkpoint / plain:.1f} iterations"
        )


def in_own_process(kind: str) -> list[float]:
    result = subprocess.run([sys.executable, __file__, kind], capture_output=True, text=True)
    if result.returncode:
        sys.exit(result.stderr)
    return [float(x) for x in result.stdout.split()]


if __name__ == "__main__":
    main()
