"""One generator iteration beside its peers', and beside the machine's limit.

    python benchmarks/training_step.py [--presets quick paper] [--precision float32]

The same work from the same weights: this package's `fit` with its callbacks, its compiled step
alone, the step of keras.io's example on the same networks and on such of Keras's layers alone,
PyTorch in both memory layouts, and the floor, which is the work's multiplications and additions at
the speed of a large float32 matrix product. Each is a process of its own, and they take turns.
Before that their losses are compared. In half precision PyTorch is left out: the losses of its
autocast are others on a CPU.
"""

import argparse
import contextlib
import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import numpy as np
import tensorflow as tf

import wgan_gp
from wgan_gp import Config, random_streams
from wgan_gp.config import PRESETS
from wgan_gp.runs.cost import iteration_tflop, matrix_product_tflops

PEERS = {
    "this package, `fit` with callbacks": ("this_package.py", "fit"),
    "this package, the step alone": ("this_package.py", "step"),
    "keras.io's step": ("keras_io.py", "same"),
    "keras.io's step, Keras's layers alone": ("keras_io.py", "plain"),
    "PyTorch": ("pytorch.py", "contiguous"),
    "PyTorch, channels last": ("pytorch.py", "channels_last"),
}
OURS = next(iter(PEERS))
# Of the first iteration's losses: Keras's norms have other second derivatives, of which each critic
# update but the first feels something. In half precision rounding differs by more.
AGREE = {"float32": 2e-2, "mixed_bfloat16": 0.1}


class Peer:
    """A process that does iterations when it is told to."""

    def __init__(self, script: str, *arguments: str) -> None:
        command = [sys.executable, Path(__file__).parent / "peers" / script, *arguments]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(command, **pipes)
        self.losses = np.array(self._answer())
        self.seconds = []

    def _answer(self) -> list[float]:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args[1]} ended with status {self.process.wait()}")
        return [float(x) for x in line.split()]

    def take_turn(self) -> None:
        print(file=self.process.stdin, flush=True)
        self.seconds += self._answer()

    def stop(self) -> None:
        """End the process; gives its peak of memory in megabytes."""
        self.process.stdin.close()
        (self.megabytes,) = self._answer()
        self.process.wait()


def write_work(path: Path, config: Config) -> float:
    """The first iteration of a training on the drawn flowers; gives its TFLOP."""
    model = wgan_gp.build_model(config)
    dataset = wgan_gp.make_dataset(wgan_gp.load_images("synthetic", config.image_size), config)
    real_images = next(iter(dataset)).numpy().swapaxes(0, 1)
    latents, epsilon = draws_of_first_iteration(config)
    weights = {
        f"{name}_{index:02}": variable.numpy()
        for name, network in (("critic", model.critic), ("generator", model.generator))
        for index, variable in enumerate(network.trainable_variables)
    }
    draws = {"real_images": real_images, "latents": latents, "epsilon": epsilon}
    np.savez(path, settings=config.to_json(), **draws, **weights)
    return iteration_tflop(config, model.generator, model.critic, model.critic_features)


def draws_of_first_iteration(config: Config) -> tuple[np.ndarray, np.ndarray]:
    """Latents and epsilons as `WGANGP.train_step` draws them."""
    seed = random_streams.stream_seed(config.seed, random_streams.TRAINING, 0)
    *critic_seeds, generator_seed = tf.random.split(seed, config.n_critic + 1, alg="philox")
    pairs = [tf.unstack(tf.random.split(seed, alg="philox")) for seed in critic_seeds]
    latents = [
        random_streams.draw_latents(config.batch_size, config.latent_dim, seed)
        for seed in [latent_seed for latent_seed, _ in pairs] + [generator_seed]
    ]
    epsilon = [random_streams.draw_uniform(config.batch_size, seed) for _, seed in pairs]
    return np.stack(latents), np.stack(epsilon)


@contextlib.contextmanager
def peers_of(work: Path, precision: str) -> Iterator[dict[str, Peer]]:
    """All of them, each done with its first iteration, which costs what the others do not."""
    peers = {}
    try:
        for name, (script, *way) in PEERS.items():
            if precision == "float32" or script != "pytorch.py":
                peers[name] = Peer(script, str(work), *way)
        yield peers
    finally:
        for peer in peers.values():
            peer.process.kill()


def compare(preset: str, precision: str, rounds: int, least_seconds: float) -> None:
    config = dataclasses.replace(Config.preset(preset), precision=precision)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "work.npz"
        tflop = write_work(work, config)
        with peers_of(work, precision) as peers:
            for name, peer in peers.items():
                agree = AGREE[precision]
                np.testing.assert_allclose(peer.losses, peers[OURS].losses, agree, err_msg=name)
            for peer in peers.values():
                peer.take_turn()  # the second iteration may still prepare something
                peer.seconds.clear()
            floor = []
            while len(floor) < rounds or sum(peers[OURS].seconds) < least_seconds:
                for peer in peers.values():
                    peer.take_turn()
                floor.append(tflop / matrix_product_tflops())
            for peer in peers.values():
                peer.stop()
            print_table(f"`{preset}`, {precision}", peers, floor)


def print_table(what: str, peers: dict[str, Peer], floor: list[float]) -> None:
    print(f"\n| {what} | s an iteration | mean | spread | ours / this | peak of memory |")
    print("| --- | --- | --- | --- | --- | --- |")
    rows = {name: (peer.seconds, f"{peer.megabytes:,.0f} MB") for name, peer in peers.items()}
    rows["the floor"] = (floor, "")
    for name, (seconds, memory) in rows.items():
        # Of neighbours in time, because a machine's speed drifts.
        ratios = np.divide(peers[OURS].seconds, seconds)
        print(
            f"| {name} | {statistics.median(seconds):.3g} | {statistics.mean(seconds):.3g} | "
            f"{min(seconds):.3g} to "
            f"{max(seconds):.3g} | {statistics.median(ratios):.2f} | {memory} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    of_pixels = [name for name, settings in PRESETS.items() if "critic_features" not in settings]
    parser.add_argument("--presets", nargs="+", choices=of_pixels, default=["quick", "paper"])
    parser.add_argument("--precision", choices=AGREE, default="float32", help="of all")
    parser.add_argument("--rounds", type=int, default=5, help="at least so many turns each")
    parser.add_argument("--seconds", type=float, default=60, help="of our turns, at least")
    arguments = parser.parse_args()
    for preset in arguments.presets:
        compare(preset, arguments.precision, arguments.rounds, arguments.seconds)


if __name__ == "__main__":
    main()
