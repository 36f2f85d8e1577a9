"""What it costs to measure quality while training: a measurement, in iterations of that training.

    python benchmarks/quality.py

Both are timed in turns in one process, for the presets quick and paper, on the drawn flowers.
"""

import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the command line has it

from wgan_gp import Config, Quality, build_model, load_images, make_dataset

ROUNDS = {"quick": (5, 20), "paper": (3, 1)}  # rounds, and iterations in each


def main() -> None:
    for preset, (rounds, iterations) in ROUNDS.items():
        config = Config.preset(preset)
        images = load_images("synthetic", config.image_size)
        model, elements = build_model(config), iter(make_dataset(images, config))
        quality = Quality(images)
        quality.set_model(model)
        model.make_train_function()
        step = model.train_function

        def train(step=step, elements=elements, iterations=iterations) -> None:
            for _ in range(iterations):
                step(elements)

        train()  # builds the graph
        ratios = []
        for _ in range(rounds):
            iteration = seconds(train) / iterations
            ratios.append(seconds(lambda quality=quality: quality.measure(0)) / iteration)
        cost, every = statistics.median(ratios), config.quality_every
        print(
            f"{preset}: a measurement takes {cost:.2g} iterations ({min(ratios):.2g} to "
            f"{max(ratios):.2g}); one every {every} is {cost / every:.2%} of training"
        )


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
