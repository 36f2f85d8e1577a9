"""Seconds and peak memory of the sliced Wasserstein distance, by the number of images.

    python benchmarks/metrics.py [COUNT ...]

By default 512, 2,048 and 10,000 images of 64x64 against as many; the peak is that of the whole
process above what it held before, the images not counted.
"""

import resource
import subprocess
import sys
import time

import numpy as np

from wgan_gp.metrics.swd import SlicedWasserstein, sliced_wasserstein_distance

COUNTS = (512, 2048, 10_000)


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def seconds(function, *arguments) -> str:
    wall, processor = time.perf_counter(), time.process_time()
    function(*arguments)
    return f"{time.perf_counter() - wall:.1f} s ({time.process_time() - processor:.1f} s of CPU)"


def main() -> None:
    counts = [int(count) for count in sys.argv[1:]] or COUNTS
    if len(counts) > 1:  # each in a process of its own, since a peak never falls
        for count in counts:
            subprocess.run([sys.executable, __file__, str(count)], check=True)
        return
    (count,) = counts
    rng = np.random.default_rng(0)
    real, generated = rng.integers(0, 256, (2, count, 64, 64, 3), dtype=np.uint8)
    before = peak_megabytes()
    taken = seconds(sliced_wasserstein_distance, real, generated)
    print(f"{count:,} images: {taken}, {peak_megabytes() - before:,.0f} MB", flush=True)
    if count == COUNTS[0]:
        prepared = SlicedWasserstein(real)
        print(f"{count:,} images, prepared: {seconds(prepared, generated)}", flush=True)


if __name__ == "__main__":
    main()
