"""Seconds from starting Python to the first help text, import, and trained iteration.

    python benchmarks/startup.py

Each is the median of processes of their own, which take turns with Python alone, `import keras`
and `import tensorflow`: what is waited for without this package.
"""

import os
import statistics
import subprocess
import sys
import time

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

ROUNDS = 3
FIRST_ITERATION = """
import sys, time
import tensorflow, wgan_gp
config = wgan_gp.Config.preset(sys.argv[1])
dataset = wgan_gp.make_dataset(wgan_gp.load_images("synthetic", config.image_size), config)
start = time.perf_counter()
wgan_gp.build_model(config).fit(dataset, steps_per_epoch=1, verbose=0)
print(time.perf_counter() - start)
"""
PROCESSES = {
    "Python alone": ["-c", ""],
    "`wgan-gp --help`": ["-m", "wgan_gp", "--help"],
    "`import wgan_gp`": ["-c", "import wgan_gp"],
    "`import keras`": ["-c", "import keras"],
    "`import tensorflow`": ["-c", "import tensorflow"],
    "first iteration of `quick`, from `build_model` on": ["-c", FIRST_ITERATION, "quick"],
    "first iteration of `paper`, from `build_model` on": ["-c", FIRST_ITERATION, "paper"],
}


def seconds(arguments: list[str]) -> float:
    """What the process says that it took, or else its whole time."""
    start = time.perf_counter()
    command = [sys.executable, *arguments]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    whole = time.perf_counter() - start
    return float(result.stdout) if FIRST_ITERATION in arguments else whole


def main() -> None:
    times = {name: [] for name in PROCESSES}
    for _ in range(ROUNDS):
        for name, arguments in PROCESSES.items():
            times[name].append(seconds(arguments))
    for name, values in times.items():
        print(f"{name}: {statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f})")


if __name__ == "__main__":
    main()
