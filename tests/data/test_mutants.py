"""A few hundred pictures made from sound ones of each format: each is either read or named."""

import json
import os
import random
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers.shell import errors
from PIL import Image

SEEDS = range(5)


def noise() -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((96, 72))


# Sound pictures: how each is saved.
KINDS = {
    "plain.jpg": {},
    "progressive.jpg": {"progressive": True},
    "reduced.jpg": {"size": (1200, 900)},
    "cmyk.jpg": {"mode": "CMYK"},
    "two.jpg": {"format": "MPO", "save_all": True, "append_images": [noise()]},
    "plain.png": {},
    "palette.png": {"mode": "P"},
    "transparent.png": {"mode": "RGBA"},
    "animated.png": {"save_all": True, "append_images": [noise()]},
    "plain.bmp": {},
    "palette.bmp": {"mode": "P"},
    "one bit.bmp": {"mode": "1"},
    "plain.gif": {},
    "animated.gif": {"save_all": True, "append_images": [noise()]},
    "plain.webp": {},
    "lossless.webp": {"lossless": True, "mode": "RGBA"},
    "animated.webp": {"save_all": True, "append_images": [noise()]},
}


def sound(folder: Path, kind: str) -> bytes:
    options = dict(KINDS[kind])
    picture = noise().resize(options.pop("size", (96, 72))).convert(options.pop("mode", "RGB"))
    picture.save(folder / kind, **options)
    content = (folder / kind).read_bytes()
    (folder / kind).unlink()
    return content


def cut(draw: random.Random, content: bytearray) -> bytes:
    return content[: draw.randrange(len(content))]


def flip(draw: random.Random, content: bytearray) -> bytes:
    for _ in range(draw.choice([1, 3, 30])):
        content[draw.randrange(len(content))] ^= draw.randrange(1, 256)
    return content


def flip_the_header(draw: random.Random, content: bytearray) -> bytes:
    for _ in range(3):
        content[draw.randrange(8, 64)] = draw.choice([0, 1, 0x7F, 0x80, 0xFF])
    return content


def repeat_a_part(draw: random.Random, content: bytearray) -> bytes:
    start, end = sorted(draw.sample(range(len(content)), 2))
    return content[:end] + content[start:end] * draw.randrange(1, 5) + content[end:]


MUTATIONS: tuple[Callable[[random.Random, bytearray], bytes], ...] = (
    cut,
    flip,
    flip_the_header,
    repeat_a_part,
)


def chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)


def png(width: int, height: int, *chunks: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(99)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + data + chunk(b"IEND", b"")


def bombs(folder: Path) -> dict[str, bytes]:
    """Small files that claim, or decompress, to far more than the memory."""
    bomb = zlib.compress(bytes(300_000_000), 9)
    jpeg, gif = bytearray(sound(folder, "plain.jpg")), bytearray(sound(folder, "plain.gif"))
    place = jpeg.index(b"\xff\xc0") + 5
    jpeg[place : place + 4] = b"\xff\xdc\xff\xdc"
    gif[6:10] = b"\xff\xff\xff\xff"
    bmp, webp = bytearray(sound(folder, "plain.bmp")), bytearray(sound(folder, "animated.webp"))
    bmp[18:26] = struct.pack("<ii", 2**31 - 1, -(2**31))
    webp[24:30] = b"\xff\x3f\x00\xff\x3f\x00"
    return {
        "wide.png": png(2**31 - 1, 1),
        "large.png": png(50_000, 50_000),
        "text.png": png(9, 9, chunk(b"zTXt", b"a\0\0" + bomb)),
        "profile.png": png(9, 9, chunk(b"iCCP", b"a\0\0" + bomb)),
        "large.jpg": bytes(jpeg),
        "large.gif": bytes(gif),
        "large.bmp": bytes(bmp),
        "large.webp": bytes(webp),
    }


def strangers(folder: Path) -> dict[str, bytes]:
    """Files of other formats under names of pictures."""
    found = {}
    for kind in ("EPS", "TIFF", "ICNS", "TGA", "JPEG2000", "PPM", "ICO", "PDF", "SGI", "DDS"):
        noise().resize((64, 64)).save(folder / "x", format=kind)
        found[f"{kind}.jpg"] = (folder / "x").read_bytes()
        (folder / "x").unlink()
    found["script.png"] = b"#!/bin/sh\ntouch started\n"
    found["vector.gif"] = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    return found


# As bytes, since not all of them are text.
NAMES = [
    b"\xff\xfe\xfa.png", b"latin-\xe9\xe8.png", "花 \u202e gnp.png".encode(), b"new\nline.png",
    b"\x1b[31mred.png", b"%s%n{0}.png", b"-rf.png", b"a" * 250 + b".png", b"$(touch started).png",
    b"`touch started`.png", b"a..png", b"con.png", "e\u0301.png".encode(), b"\xed\xa0\x80.png",
]  # fmt: skip


@pytest.fixture(scope="module")
def mutants(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mutants")
    for kind in KINDS:
        content = sound(folder, kind)
        for mutation in MUTATIONS:
            for seed in SEEDS:
                changed = mutation(random.Random(seed), bytearray(content))
                (folder / f"{mutation.__name__} {seed} {kind}").write_bytes(changed)
        suffix = random.Random(kind).choice([".jpg", ".png", ".gif", ".bmp", ".webp"])
        (folder / f"sound {kind}{suffix}").write_bytes(content)
    for name, content in {**bombs(folder), **strangers(folder)}.items():
        (folder / name).write_bytes(content)
    for name in NAMES:
        (folder / os.fsdecode(name)).write_bytes(sound(folder, "plain.png"))
    return folder


READ = """
import json, re, sys
from pathlib import Path
from wgan_gp.data.images import load_image_set

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn")
started = []
sys.addaudithook(lambda event, _: started.append(event) if event.startswith(STARTS) else None)
idle = peak()
images, _, unreadable = load_image_set(sys.argv[1], 64, cache_dir=sys.argv[2])
print(json.dumps({
    "read": len(images), "unreadable": unreadable, "started": started, "peak": peak() - idle,
}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from Linux's /proc")
def test_each_picture_is_read_or_named_and_nothing_is_started(mutants, tmp_path, environment):
    result = subprocess.run(
        [sys.executable, "-c", READ, mutants, tmp_path / "cache"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    names = {path.name for path in mutants.iterdir()}
    unreadable = set(found["unreadable"])
    assert len(names) > 380
    assert found["read"] + len(unreadable) == len(names)
    assert unreadable <= names
    assert unreadable >= {*bombs(tmp_path), *strangers(tmp_path)}
    for name in names:
        if os.fsencode(name) in NAMES or name.startswith("sound "):
            assert name not in unreadable
    assert found["started"] == []
    assert not (tmp_path / "started").exists()
    assert found["peak"] < 1000  # MB above the idle program
    (warning,) = errors(result)
    assert warning.startswith(f"{len(unreadable)} of {len(names)} images cannot be read")
