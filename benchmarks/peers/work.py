"""The piece of work that all do, without Keras: settings, weights, images, latents, epsilons.

A peer is a process of its own: it does the first iteration with these draws and prints its losses;
then it waits for its turns, so that all meet the same machine.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from wgan_gp.config import Config


class Work:
    """One generator iteration, from the file that `benchmarks/training_step.py` writes."""

    def __init__(self, path: str) -> None:
        arrays = np.load(path)
        self.config = Config.from_json(str(arrays["settings"]))
        self.real_images = arrays["real_images"]  # (n_critic, batch, height, width, 3) in -1..1
        self.latents = arrays["latents"]  # (n_critic + 1, batch, latent_dim): the generator's last
        self.epsilon = arrays["epsilon"]  # (n_critic, batch)
        # The networks' trainable weights, in Keras's order and layout.
        self.critic = _in_order(arrays, "critic")
        self.generator = _in_order(arrays, "generator")


def take_turns(critic_loss: float, generator_loss: float, iterate: Callable[[], None]) -> None:
    """Say the first iteration's losses, then time an iteration at each turn."""
    print(critic_loss, generator_loss, flush=True)
    for _ in turns():
        start = time.perf_counter()
        iterate()
        print(time.perf_counter() - start, flush=True)


def turns() -> Iterator[None]:
    """One for each line that comes in. In the end it says the peak of memory, in megabytes."""
    for _ in sys.stdin:
        yield
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, flush=True)


def _in_order(arrays: dict[str, np.ndarray], network: str) -> list[np.ndarray]:
    return [arrays[name] for name in sorted(arrays) if name.startswith(network)]
