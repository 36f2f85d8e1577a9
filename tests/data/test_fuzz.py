"""A folder of 200 pictures, most of them broken or strange in some way."""

import json
import random
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from helpers.shell import TINY
from PIL import Image

SOUND, BROKEN, EITHER = "sound", "broken", "either"


def photograph(draw: random.Random, mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(draw.randrange(1 << 32))
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    return coarse.resize((80, 60)).convert(mode)


def encoded(draw: random.Random, folder: Path) -> bytes:
    """The bytes of a picture in one of the formats."""
    file = folder / f".encoded.{draw.choice(['jpg', 'png', 'gif', 'webp', 'bmp'])}"
    photograph(draw).save(file)
    content = file.read_bytes()
    file.unlink()
    return content


def png_of_size(width: int, height: int) -> bytes:
    """A PNG file that claims to be of that size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return (
        b"\x89PNG\r\n\x1a\n"
        + header
        + chunk(b"IDAT", zlib.compress(bytes(99)))
        + chunk(b"IEND", b"")
    )


def truncated(draw, path):
    content = encoded(draw, path.parent)
    path.write_bytes(content[: draw.randrange(len(content) // 2)])
    return BROKEN if path.stat().st_size < 12 else EITHER  # a GIF may do with its first half


def flipped(draw, path):
    content = bytearray(encoded(draw, path.parent))
    for _ in range(5):
        content[draw.randrange(len(content))] ^= draw.randrange(1, 256)
    path.write_bytes(content)
    return EITHER


def misnamed(draw, path):
    path.write_bytes(encoded(draw, path.parent))
    return SOUND


def empty(draw, path):
    path.write_bytes(b"")
    return BROKEN


def text(draw, path):
    path.write_text("<!DOCTYPE html><title>404</title>")
    return BROKEN


def dot(draw, path):
    photograph(draw).resize((1, 1)).save(path, "PNG")
    return SOUND


def line(draw, path):
    photograph(draw).resize(draw.choice([(20_000, 1), (1, 20_000)])).save(path, "PNG")
    return SOUND


def animated(draw, path):
    frames = [photograph(draw) for _ in range(3)]
    frames[0].save(path, "GIF", save_all=True, append_images=frames[1:])
    return SOUND


def grey_16_bit(draw, path):
    grey = np.asarray(photograph(draw, "L"), np.uint16) * 257
    Image.fromarray(grey).save(path, "PNG")
    return SOUND


def cmyk(draw, path):
    photograph(draw, "CMYK").save(path, "JPEG")
    return SOUND


def bomb(draw, path):
    path.write_bytes(png_of_size(50_000, 50_000))
    return BROKEN


def loop(draw, path):
    path.symlink_to(path.name)
    # not even a file


def dangling(draw, path):
    path.symlink_to("nothing.png")
    return


def strange_name(draw, path):
    name = draw.choice(["Blüte {} schön", "花 {}", "a {}\n b", "🌷{}", "%s {}", "'; {} --", "{0}."])
    photograph(draw).save(path.with_name(name.format(path.stem) + ".PNG"), "PNG")
    return SOUND


# How many of each kind: 196 altogether, and four of the large ones.
KINDS = {
    truncated: 40, flipped: 40, misnamed: 16, empty: 10, text: 10, dot: 10, line: 10, animated: 10,
    grey_16_bit: 10, cmyk: 10, bomb: 10, loop: 5, dangling: 3, strange_name: 12,
}  # fmt: skip


def save_large(folder: Path) -> None:
    """Sound pictures of 49 million pixels, small as files."""
    size = (7_000, 7_000)
    Image.new("RGBA", size, (1, 2, 3, 100)).save(folder / "large.png", compress_level=1)
    Image.fromarray(np.zeros(size, np.uint16)).save(folder / "large grey.png", compress_level=1)
    Image.new("RGB", size, "red").save(folder / "large.jpg", progressive=True)
    Image.new("CMYK", size).save(folder / "large cmyk.jpg")


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory) -> tuple[Path, dict[str, list[str]]]:
    """The folder, and the names of the files in it by what is to become of them."""
    folder = tmp_path_factory.mktemp("fuzzed")
    draw = random.Random(0)
    fates = {SOUND: [], BROKEN: [], EITHER: []}
    for kind, count in KINDS.items():
        for number in range(count):
            suffix = draw.choice([".jpg", ".PNG", ".gif", ".webp", ".bmp"])
            before = set(folder.iterdir())
            fate = kind(draw, folder / f"{kind.__name__} {number}{suffix}")
            (path,) = set(folder.iterdir()) - before
            if fate:
                fates[fate].append(path.name)
    save_large(folder)
    (folder / "around").symlink_to(".")
    assert len(list(folder.iterdir())) == 201
    fates[SOUND] += ["large.png", "large grey.png", "large.jpg", "large cmyk.jpg"]
    return folder, fates


def test_training_takes_the_good_ones_and_lists_the_others(wgan_gp, fuzzed, environment):
    folder, fates = fuzzed
    result = wgan_gp("train", "--data", folder, "--run-dir", "run", "--cache-dir", "cache", *TINY)
    (about,) = wgan_gp.folder.glob("cache/*/about.json")
    unreadable = set(json.loads(about.read_text())["unreadable"])
    assert unreadable >= set(fates[BROKEN])
    assert not unreadable & set(fates[SOUND])
    used = json.loads((wgan_gp.folder / "run" / "run.json").read_text())["images"]
    assert used == sum(map(len, fates.values())) - len(unreadable)
    warning = result.stderr.splitlines()[-1]
    assert warning.startswith(
        f"{len(unreadable)} of {used + len(unreadable)} images cannot be read"
    )
    assert str(about.relative_to(wgan_gp.folder)) in warning
    assert (wgan_gp.folder / "run" / "samples.png").is_file()


MEASURE = """
import re, sys
from pathlib import Path
from wgan_gp.data.images import load_images

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

idle = peak()
load_images(sys.argv[1], 64, cache_dir=sys.argv[2])
print(peak() - idle)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from Linux's /proc")
def test_memory_stays_below_1_gb_whatever_the_pictures(fuzzed, tmp_path, environment):
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, fuzzed[0], tmp_path],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert 50 < int(result.stdout) < 1000  # MB above the idle program
