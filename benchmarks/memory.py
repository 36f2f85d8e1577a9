"""Peak of memory of a run on few and on many photographs: it must hardly grow with their number.

    python benchmarks/memory.py

The pictures are JPEGs of the drawn flowers, 128x128, many of them links to the same file: what
is read and kept is as much as if all were different. The first start decodes them, the second reads
the cache; both train `quick` for 10 iterations. Counted is what the process has for itself
("anonymous"); pages of the memory-mapped cache are the system's, which takes them back at will.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from wgan_gp import load_images

COUNTS = (4_000, 200_000)
DIFFERENT = 500
OPTIONS = ["--iterations=10", "--preset=quick"]


def write_pictures(folder: Path, count: int) -> None:
    for index, pixels in enumerate(load_images("synthetic", 128)[:DIFFERENT]):
        Image.fromarray(pixels).save(folder / f"{index}.jpg")
    for index in range(DIFFERENT, count):
        os.link(folder / f"{index % DIFFERENT}.jpg", folder / f"{index}.jpg")


def peak_of_training(folder: Path, cache: Path) -> tuple[float, float]:
    """Peak of anonymous memory in MB, and the seconds that it took."""
    command = [sys.executable, "-m", "wgan_gp", "train", "--data", folder, "--cache-dir", cache]
    start, peak = time.perf_counter(), 0
    with tempfile.TemporaryDirectory() as runs:
        process = subprocess.Popen(
            [*command, *OPTIONS, "--run-dir", f"{runs}/run"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None:
            peak = max(peak, anonymous_kilobytes(process.pid))
            time.sleep(0.02)
    if process.returncode:
        raise SystemExit(f"training on {folder} failed")
    return peak / 1024, time.perf_counter() - start


def anonymous_kilobytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in lines if line.startswith("RssAnon:")), 0)


def main() -> None:
    print("| images | first start | second start |\n| --- | --- | --- |", flush=True)
    for count in COUNTS:
        with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
            write_pictures(Path(folder), count)
            starts = [peak_of_training(Path(folder), Path(cache)) for _ in range(2)]
        cells = " | ".join(f"{peak:,.0f} MB in {seconds:.0f} s" for peak, seconds in starts)
        print(f"| {count:,} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
