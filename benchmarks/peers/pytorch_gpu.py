"""Whole trainings in PyTorch on a GPU: how long an iteration takes there, and what comes of 10,000.

    python benchmarks/peers/pytorch_gpu.py IMAGES.npy RESULTS [--presets matlab paper]
        [--base-filters 32] [--iterations 10000] [--no-tf32]

IMAGES holds the images to train on, uint8 (count, 64, 64, 3), as `numpy.save` keeps what
`load_images` gives. Where this runs the package has to be importable (PYTHONPATH=. in a clone),
TensorFlow does not. The steps are those of `pytorch.py`,
which `benchmarks/training_step.py` checks against this package; the presets train side by side.
RESULTS gets the generators' weights on the way, float16 in Keras's order and layout, the losses of
every iteration, and the seconds.
"""

import argparse
import dataclasses
import time
from pathlib import Path

import numpy as np
import torch
from pytorch import Training, keras_weights

from wgan_gp.config import PRESETS, Config

KEPT = (200, 500, 1000, 2000, 3000, 4000, 5000, 6000, 8000, 10_000)  # iterations


class Captured:
    """A training whose iteration is one graph of the GPU's, replayed on a stream of its own."""

    def __init__(self, name: str, config: Config, images: torch.Tensor) -> None:
        torch.manual_seed(config.seed)
        self.name, self.images = name, images
        self.training = Training(config, device="cuda")
        self.random = torch.Generator("cuda").manual_seed(config.seed)
        self.latest = torch.zeros(2, device="cuda")  # losses of the critic and the generator
        self.losses = []
        self.stream = torch.cuda.Stream()
        with torch.cuda.stream(self.stream):
            self.iterate()  # libraries make themselves ready, which no graph can hold
        self.stream.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        self.graph.register_generator_state(self.random)
        with torch.cuda.graph(self.graph, stream=self.stream):
            self.iterate()

    def iterate(self) -> None:
        real_images = [self.real_batch() for _ in range(self.training.config.n_critic)]
        losses = self.training.iterate(real_images, *self.training.draws(self.random))
        self.latest.copy_(torch.stack(losses))

    def real_batch(self) -> torch.Tensor:
        """Images drawn with replacement, half of them mirrored."""
        n = self.training.config.batch_size
        drawn = torch.randint(len(self.images), (n,), generator=self.random, device="cuda")
        real = self.images[drawn] / 127.5 - 1
        coin = torch.rand(n, 1, 1, 1, generator=self.random, device="cuda")
        return torch.where(coin < 0.5, real.flip(3), real)

    def replay(self) -> None:
        with torch.cuda.stream(self.stream):
            self.graph.replay()
            self.losses.append(self.latest.clone())

    def keep(self, folder: Path, iteration: int) -> None:
        self.stream.synchronize()
        weights = [w.astype(np.float16) for w in keras_weights(self.training.generator)]
        np.savez(folder / f"{self.name}-{iteration:05}.npz", *weights)

    def finish(self, folder: Path) -> None:
        np.save(folder / f"{self.name}-losses.npy", torch.stack(self.losses).cpu().numpy())


def train(trainings: list[Captured], iterations: int, folder: Path) -> float:
    """Seconds that a round takes, one iteration of each."""
    start = time.perf_counter()
    for iteration in range(2, iterations + 1):  # the first is done
        for training in trainings:
            training.replay()
        if iteration % 100 == 0:
            torch.cuda.synchronize()  # else thousands of replays would wait in line
        if iteration in KEPT or iteration == iterations:
            for training in trainings:
                training.keep(folder, iteration)
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / (iterations - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("images", type=Path)
    parser.add_argument("results", type=Path)
    of_pixels = [name for name, settings in PRESETS.items() if "critic_features" not in settings]
    parser.add_argument("--presets", nargs="+", choices=of_pixels, default=["matlab", "paper"])
    parser.add_argument("--base-filters", type=int, default=64)
    parser.add_argument("--iterations", type=int, default=10_000)
    parser.add_argument("--tf32", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.tf32
    images = torch.from_numpy(np.load(options.images)).cuda().permute(0, 3, 1, 2).contiguous()
    options.results.mkdir(parents=True, exist_ok=True)
    trainings = []
    for preset in options.presets:
        config = dataclasses.replace(Config.preset(preset), base_filters=options.base_filters)
        trainings.append(Captured(preset, config, images))
    seconds = train(trainings, options.iterations, options.results)
    for training in trainings:
        training.finish(options.results)
    what = f"{' + '.join(options.presets)}, {options.base_filters} filters, TF32 {options.tf32}"
    print(f"{torch.cuda.get_device_name()}: {what}: {1e3 * seconds:.1f} ms an iteration of each")


if __name__ == "__main__":
    main()
