"""Folders of pictures of every kind, and the cache of decoded ones."""

import errno
import io
import json
import logging
import math
import os
import re
import shutil
import struct
import time
import zlib
from pathlib import Path

import filelock
import numpy as np
import pytest
from helpers.drawn import draw_flowers
from PIL import Image

import wgan_gp.data.folder
import wgan_gp.data.housekeeping
import wgan_gp.data.images
import wgan_gp.data.source
from wgan_gp.data import decoding, synthetic
from wgan_gp.data import images as loading
from wgan_gp.data.cache import PIXELS, find_entry, note_use, read_entry, write_entry
from wgan_gp.data.decoding import decode_file, to_square
from wgan_gp.data.housekeeping import remove_leftovers
from wgan_gp.data.images import load_images
from wgan_gp.data.source import Pictures, Source, file_fingerprint
from wgan_gp.support.errors import InputError

RED, GREEN, BLUE = (220, 30, 40), (20, 160, 60), (30, 50, 200)
WHITE, YELLOW = (255, 255, 255), (240, 220, 10)
SIZE = 8


@pytest.fixture
def folder(tmp_path) -> Path:
    path = tmp_path / "pictures"
    path.mkdir()
    return path


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def noise() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """The names of the files that were decoded so far."""
    names = []

    def decode_and_note(path: Path, image_size: int) -> np.ndarray | None:
        names.append(path.name)
        return decode_file(path, image_size)

    monkeypatch.setattr(wgan_gp.data.folder, "decode_file", decode_and_note)
    return names


def solid(colour: tuple[int, ...], mode: str = "RGB", size: tuple[int, int] = (5, 3)):
    return Image.new(mode, size, colour)


def save_solid(path: Path, colour: tuple[int, int, int], **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    solid(colour).save(path, **options)
    return path


def colours_of(images: np.ndarray) -> list[tuple[int, int, int]]:
    """The colour of each image, all of which must be of one colour."""
    np.testing.assert_array_equal(images, np.broadcast_to(images[:, :1, :1], images.shape))
    return [tuple(map(int, image[0, 0])) for image in images]


def quadrants(corners: list[tuple[int, int, int]], side: int) -> np.ndarray:
    """A square with a colour in each corner: top left, top right, bottom left, bottom right."""
    two_by_two = np.array(corners, np.uint8).reshape(2, 2, 3)
    return two_by_two.repeat(side // 2, axis=0).repeat(side // 2, axis=1)


def warnings_in(caplog) -> list[str]:
    return [
        record.getMessage()
        for record in caplog.records
        if record.name.startswith("wgan_gp") and record.levelno >= logging.WARNING
    ]


def grey_png(grey: np.ndarray) -> bytes:
    """A 16-bit grey PNG file written byte by byte, as the format's specification has it."""
    height, width = grey.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in grey)
    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


# Pictures of every kind


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.png", {}), ("a.bmp", {}), ("a.webp", {"lossless": True})],
)
def test_lossless_pictures_keep_every_pixel(folder, cache, noise, name, options):
    Image.fromarray(noise).save(folder / name, **options)
    images = load_images(folder, SIZE, cache_dir=cache)
    assert images.shape == (1, SIZE, SIZE, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[0], noise)


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.bmp"])
def test_palette_pictures_show_the_colours_of_the_palette(folder, cache, noise, name):
    numbers = np.arange(64, dtype=np.uint8).reshape(SIZE, SIZE)
    image = Image.fromarray(numbers)
    image.putpalette(noise.tobytes())
    image.save(folder / name)
    np.testing.assert_array_equal(load_images(folder, SIZE, cache_dir=cache)[0], noise)


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.webp"])
def test_lossy_pictures_keep_their_colour(folder, cache, name):
    solid(BLUE, size=(40, 30)).save(folder / name, quality=95)
    images = load_images(folder, SIZE, cache_dir=cache)
    np.testing.assert_allclose(images.astype(int), np.broadcast_to(BLUE, images.shape), atol=4)


def test_a_cmyk_jpeg_becomes_rgb(folder, cache):
    # Ink on paper: cyan 0, magenta and yellow full, black 0 is red; black 255 is black.
    solid((0, 255, 255, 0), "CMYK").save(folder / "1.jpg", quality=100)
    solid((255, 0, 0, 0), "CMYK").save(folder / "2.jpg", quality=100)
    solid((0, 0, 0, 255), "CMYK").save(folder / "3.jpg", quality=100)
    images = load_images(folder, SIZE, cache_dir=cache).astype(int)
    for image, colour in zip(images, [(255, 0, 0), (0, 255, 255), (0, 0, 0)], strict=True):
        np.testing.assert_allclose(image, np.broadcast_to(colour, image.shape), atol=3)


def test_grey_pictures_have_three_equal_channels(folder, cache, noise):
    grey = noise[..., 0]
    Image.fromarray(grey).save(folder / "1.png")
    Image.fromarray(grey > 127).save(folder / "2.png")  # one bit a pixel
    images = load_images(folder, SIZE, cache_dir=cache)
    np.testing.assert_array_equal(images[0], np.stack([grey] * 3, axis=-1))
    np.testing.assert_array_equal(images[1], np.stack([np.where(grey > 127, 255, 0)] * 3, axis=-1))


def test_a_grey_jpeg_has_three_equal_channels(folder, cache):
    solid(90, "L", (40, 30)).save(folder / "a.jpg", quality=100)
    (colour,) = colours_of(load_images(folder, SIZE, cache_dir=cache))
    np.testing.assert_allclose(colour, (90, 90, 90), atol=1)


def test_16_bit_grey_is_scaled_not_clipped(folder, cache):
    grey = np.linspace(0, 65535, SIZE * SIZE).astype(np.uint16).reshape(SIZE, SIZE)
    (folder / "a.png").write_bytes(grey_png(grey))
    (image,) = load_images(folder, SIZE, cache_dir=cache)
    expected = np.round(grey * 255.0 / 65535)
    np.testing.assert_array_equal(image, np.stack([expected] * 3, axis=-1))
    assert image.min() == 0
    assert image.max() == 255


def test_32_bit_grey_is_clipped_to_white():
    image = Image.fromarray(np.array([[0, 128 * 257], [65535, 200_000]], np.int32))
    np.testing.assert_array_equal(to_square(image, 2)[..., 1], [[0, 128], [255, 255]])


@pytest.mark.parametrize("name", ["a.png", "a.webp"])
def test_transparent_parts_are_composited_on_white(folder, cache, noise, name):
    alpha = np.repeat([[0, 40, 128, 255]], SIZE, axis=0).repeat(2, axis=1)[..., None]
    rgba = np.concatenate([noise, alpha.astype(np.uint8)], axis=-1)
    Image.fromarray(rgba).save(folder / name, lossless=True, exact=True)
    (image,) = load_images(folder, SIZE, cache_dir=cache).astype(int)
    expected = noise * (alpha / 255) + 255 * (1 - alpha / 255)
    np.testing.assert_allclose(image, expected, atol=1)
    np.testing.assert_array_equal(image[:, :2], 255)  # wholly transparent
    np.testing.assert_array_equal(image[:, 6:], noise[:, 6:])  # opaque


def test_the_hidden_colour_of_transparent_pixels_does_not_bleed_at_resizing(folder, cache):
    rgba = np.zeros((24, 24, 4), np.uint8)  # transparent black
    rgba[5:19, 7:17] = 255  # opaque white
    Image.fromarray(rgba).save(folder / "a.png")
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [WHITE]


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_a_transparent_palette_entry_shows_white(folder, cache, name):
    image = Image.new("P", (SIZE, SIZE), 0)
    image.putpalette([*RED, *GREEN, *BLUE])
    image.paste(1, (2, 0, 4, SIZE))
    image.paste(2, (4, 0, SIZE, SIZE))
    image.save(folder / name, transparency=1)
    (row,) = np.unique(load_images(folder, SIZE, cache_dir=cache)[0], axis=0)
    np.testing.assert_array_equal(row, [RED] * 2 + [WHITE] * 2 + [BLUE] * 4)


def test_a_palette_may_have_an_opacity_for_every_entry(folder, cache):
    image = Image.new("P", (SIZE, SIZE), 0)
    image.putpalette([*RED, *GREEN])
    image.paste(1, (4, 0, SIZE, SIZE))
    image.save(folder / "a.png", transparency=bytes([255, 51]))  # a fifth of the green
    (row,) = np.unique(load_images(folder, SIZE, cache_dir=cache)[0], axis=0)
    faint = [round(0.2 * channel + 0.8 * 255) for channel in GREEN]
    np.testing.assert_array_equal(row[:4], [RED] * 4)
    np.testing.assert_allclose(row[4:].astype(int), [faint] * 4, atol=1)


def test_grey_with_opacity_and_a_transparent_colour_show_white(folder, cache):
    solid((10, 0), "LA").save(folder / "1.png")
    solid(RED).save(folder / "2.png", transparency=RED)
    solid(7, "L").save(folder / "3.png", transparency=7)
    solid((10, 255), "LA").save(folder / "4.png")
    images = load_images(folder, SIZE, cache_dir=cache)
    assert colours_of(images) == [WHITE, WHITE, WHITE, (10, 10, 10)]


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_of_an_animation_the_first_frame_is_taken(folder, cache, name):
    frames = [solid(colour) for colour in (GREEN, RED, BLUE)]
    options = {"lossless": True} if name == "a.webp" else {}
    frames[0].save(folder / name, save_all=True, append_images=frames[1:], **options)
    with Image.open(folder / name) as image:
        assert image.n_frames == 3
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [GREEN]


# What the first row and the first column of the stored picture are in the scene (Exif 2.3, tag
# 0x0112), so what a viewer shows for a picture stored as red, green / blue, yellow.
SHOWN = {
    1: [RED, GREEN, BLUE, YELLOW],  # top, left
    2: [GREEN, RED, YELLOW, BLUE],  # top, right
    3: [YELLOW, BLUE, GREEN, RED],  # bottom, right
    4: [BLUE, YELLOW, RED, GREEN],  # bottom, left
    5: [RED, BLUE, GREEN, YELLOW],  # left, top
    6: [BLUE, RED, YELLOW, GREEN],  # right, top
    7: [YELLOW, GREEN, BLUE, RED],  # right, bottom
    8: [GREEN, YELLOW, RED, BLUE],  # left, bottom
}


@pytest.mark.parametrize("orientation", SHOWN)
@pytest.mark.parametrize("stored_side", [16, 256])  # the larger one is read reduced
def test_a_camera_s_rotation_mark_is_obeyed(folder, cache, orientation, stored_side):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(quadrants([RED, GREEN, BLUE, YELLOW], stored_side))
    stored.save(folder / "a.jpg", exif=exif, quality=100, subsampling=0)
    (image,) = load_images(folder, 16, cache_dir=cache).astype(int)
    corners = image[np.ix_([2, 13], [2, 13])].reshape(4, 3)
    np.testing.assert_allclose(corners, SHOWN[orientation], atol=6)


@pytest.mark.parametrize("shape", [(16, 48), (48, 16), (24, 24), (1, 300), (3, 2)])
def test_any_aspect_ratio_is_stretched_to_the_square(folder, cache, shape):
    height, width = shape
    columns = np.where(np.arange(width)[:, None] < width / 2, RED, BLUE).astype(np.uint8)
    Image.fromarray(np.broadcast_to(columns, (height, width, 3)).copy()).save(folder / "a.png")
    (image,) = load_images(folder, SIZE, cache_dir=cache)
    (row,) = np.unique(image, axis=0)  # all rows are the same
    np.testing.assert_allclose(row[:2].astype(int), [RED] * 2, atol=24)
    np.testing.assert_allclose(row[-2:].astype(int), [BLUE] * 2, atol=24)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_fine_detail_is_averaged_not_picked_from(folder, cache, name):
    checkerboard = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Image.fromarray(checkerboard).save(folder / name, **({"quality": 100} if "j" in name else {}))
    images = load_images(folder, SIZE, cache_dir=cache).astype(int)
    np.testing.assert_allclose(images, 127.5, atol=12)


def test_a_reduced_jpeg_looks_like_the_whole_one(folder, cache):
    scene = draw_flowers(1, 256)[0]
    Image.fromarray(scene).save(folder / "a.jpg", quality=95)
    (image,) = load_images(folder, 16, cache_dir=cache).astype(int)
    expected = scene.reshape(16, 16, 16, 16, 3).mean(axis=(1, 3))
    assert np.abs(image - expected).mean() < 4


# Which files are pictures


def test_pictures_are_found_at_any_depth_under_any_name_and_sorted_by_path(folder, cache):
    rng = np.random.default_rng(3)
    names = [
        "a b.png", "B.PNG", "c.Bmp", "deep/er/still/x.png", "deep/a.gif", "e'\"$%#&.png",
        "x.y.z.bmp", "ältere Blüte.png", "花/牡丹.png", "z/1.png", "z/10.png", "z/2.png",
    ]  # fmt: skip
    colours = {name: tuple(map(int, rng.integers(0, 256, 3))) for name in names}
    for name in reversed(names):
        save_solid(folder / name, colours[name])
    images = load_images(folder, SIZE, cache_dir=cache)
    in_order = sorted(names, key=lambda name: Path(name).parts)
    assert colours_of(images) == [colours[name] for name in in_order]


@pytest.mark.parametrize("suffix", [".jpg", ".JPG", ".jpeg", ".Png", ".BMP", ".gif", ".WEBP"])
def test_the_suffix_may_be_in_capitals(folder, cache, suffix):
    save_solid(folder / f"a{suffix}", WHITE)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [WHITE]


def test_hidden_and_other_files_are_left_alone(folder, cache, caplog):
    save_solid(folder / "a.png", RED)
    save_solid(folder / ".b.png", BLUE)
    save_solid(folder / "deep" / "._a.png", BLUE)
    save_solid(folder / "d.png", BLUE).rename(folder / "d")
    save_solid(folder / "e.png", BLUE).rename(folder / "e.png.part")
    (folder / "notes.txt").write_text("not a picture", encoding="utf-8")
    (folder / "folder.png").mkdir()
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED]
    assert warnings_in(caplog) == []


def test_the_content_and_not_the_suffix_decides_how_a_file_is_read(folder, cache):
    save_solid(folder / "a.png", RED).rename(folder / "a.jpg")
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED]


def test_linked_files_and_folders_are_followed(folder, cache, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    save_solid(elsewhere / "deep" / "1.png", GREEN)
    single = save_solid(tmp_path / "single.png", BLUE)
    save_solid(folder / "a.png", RED)
    (folder / "link").symlink_to(elsewhere, target_is_directory=True)
    (folder / "single.png").symlink_to(single)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED, GREEN, BLUE]


def test_pictures_that_are_left_out_are_named(folder, cache, tmp_path, caplog):
    save_solid(folder / "a.jfif.png", RED).rename(folder / "a.jfif")
    save_solid(folder / "b.jpe.png", BLUE).rename(folder / "b.jpe")
    (folder / "broken.png").symlink_to(tmp_path / "nothing.png")
    save_solid(folder / "c.tiff", BLUE).rename(folder / "c.heic")
    save_solid(folder / "d.tiff", BLUE).rename(folder / "d.NEF")
    (folder / "notes.txt").touch()
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED, BLUE]
    assert warnings_in(caplog) == [
        "3 of 5 pictures are of formats that are not read, or links that lead nowhere, and are "
        "left out: broken.png, c.heic, d.NEF"
    ]


def test_a_folder_of_another_format_is_told_what_to_do(folder, cache):
    (folder / "c.heic").touch()
    with pytest.raises(InputError, match=r"no image found .*'c.heic' cannot be read: convert them"):
        load_images(folder, SIZE, cache_dir=cache)


def test_no_name_is_not_the_folder_one_is_in(folder, cache, monkeypatch):
    save_solid(folder / "a.png", RED)
    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match="data is empty"):
        load_images("", SIZE, cache_dir=cache)


def test_a_folder_below_that_cannot_be_listed_stops_the_program(folder, cache, monkeypatch):
    save_solid(folder / "a.png", RED)
    save_solid(folder / "below" / "b.png", RED)
    listed = os.scandir

    def refuse_one(path):
        if Path(path).name == "below":
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", refuse_one)
    with pytest.raises(InputError, match=r"cannot be read: .*Too many open files: '.*below'"):
        load_images(folder, SIZE, cache_dir=cache)


def test_a_link_may_itself_be_the_folder(folder, cache, tmp_path):
    save_solid(folder / "a.png", RED)
    link = tmp_path / "link"
    link.symlink_to(folder, target_is_directory=True)
    assert colours_of(load_images(link, SIZE, cache_dir=cache)) == [RED]


@pytest.mark.parametrize("target", [".", "deep", "deep/er", "loop"])
def test_a_link_in_a_circle_ends_and_every_picture_counts_once(folder, cache, target):
    save_solid(folder / "a.png", RED)
    save_solid(folder / "deep" / "er" / "b.png", BLUE)
    place = folder / ("loop" if target == "loop" else "deep/er/loop")
    place.symlink_to(folder / target, target_is_directory=True)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED, BLUE]


def test_links_in_several_circles_are_not_walked_over_and_over(folder, cache, monkeypatch):
    save_solid(folder / "a" / "1.png", RED)
    for name in ("a", "b", "c"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "up").symlink_to(folder, target_is_directory=True)
    listed = []
    scan = os.scandir

    def scan_and_count(path):
        listed.append(path)
        assert len(listed) < 100, "an endless walk"
        return scan(path)

    monkeypatch.setattr(os, "scandir", scan_and_count)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED]
    assert listed  # or another function lists folders now


# Unreadable files


def write_truncated_jpeg(path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def test_unreadable_files_are_left_out_and_named_at_every_start(folder, cache, caplog, decoded):
    save_solid(folder / "good.png", RED)
    save_solid(folder / "other.png", BLUE)
    write_truncated_jpeg(folder / "half.jpg")
    (folder / "text.jpg").write_text("this is not a picture", encoding="utf-8")
    (folder / "deep").mkdir()
    (folder / "deep" / "empty.png").touch()
    for start in range(2):
        caplog.clear()
        assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED, BLUE]
        (message,) = warnings_in(caplog)
        assert "3 of 5 images" in message
        for name in ("half.jpg", "text.jpg", str(Path("deep", "empty.png"))):
            assert name in message, f"start {start}"
        assert "good.png" not in message
        assert len(decoded) == 5  # the second start reads the cache


@pytest.mark.parametrize(
    ("count", "names"),
    [
        (5, "bad0.png, bad1.png, bad2.png, bad3.png, bad4.png"),
        (7, "bad0.png, bad1.png, bad2.png, bad3.png, bad4.png, ... (all: '"),
    ],
)
def test_of_many_unreadable_files_the_first_five_are_named(folder, cache, caplog, count, names):
    save_solid(folder / "good.png", RED)
    for number in range(count):
        (folder / f"bad{number}.png").touch()
    load_images(folder, SIZE, cache_dir=cache)
    (message,) = warnings_in(caplog)
    assert message.startswith(f"{count} of {count + 1} images")
    assert f": {names}" in message
    assert message.endswith("about.json')" if count > 5 else names)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_a_name_that_would_command_the_terminal_is_shown_in_plain_letters(folder, cache, caplog):
    save_solid(folder / "good.png", RED)
    (folder / "\x1b[31m\nx.png").touch()
    load_images(folder, SIZE, cache_dir=cache)
    (message,) = warnings_in(caplog)
    assert message.endswith(r": '\x1b[31m\nx.png'")
    assert message.isprintable()


def test_nothing_is_logged_when_every_file_can_be_read(folder, cache, caplog):
    save_solid(folder / "good.png", RED)
    load_images(folder, SIZE, cache_dir=cache)
    load_images(folder, SIZE, cache_dir=cache)
    assert warnings_in(caplog) == []


def test_a_picture_too_large_for_the_memory_is_unreadable(folder, cache, caplog, monkeypatch):
    save_solid(folder / "a.png", RED)  # 15 pixels
    solid(GREEN, size=(11, 10)).save(folder / "bomb.png")  # Pillow would only warn
    solid(BLUE, size=(30, 10)).save(folder / "huge.png")  # Pillow would refuse
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    monkeypatch.setattr(decoding, "MAX_PIXELS", 50)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED]
    (message,) = warnings_in(caplog)
    assert "2 of 3 images" in message
    assert "bomb.png, huge.png" in message


@pytest.mark.parametrize(("progressive", "is_read"), [(False, True), (True, False)])
def test_a_large_jpeg_counts_as_it_is_read(folder, cache, monkeypatch, progressive, is_read):
    solid(RED, size=(16 * SIZE, 16 * SIZE)).save(
        folder / "a.jpg", quality=100, subsampling=0, progressive=progressive
    )
    save_solid(folder / "b.png", BLUE)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", (16 * SIZE) ** 2 - 1)  # Pillow would warn
    monkeypatch.setattr(decoding, "MAX_PIXELS", (16 * SIZE) ** 2 - 1)
    assert len(load_images(folder, SIZE, cache_dir=cache)) == (2 if is_read else 1)


def jpeg_of_three_scans(size: int) -> bytes:
    """A grey picture, one scan a colour: no progressive JPEG, and yet kept whole by its decoder."""

    def segment(marker: int, content: bytes) -> bytes:
        return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content

    colours = b"".join(bytes([number, 0x11, 0]) for number in (1, 2, 3))
    tables = [segment(0xC4, bytes([kind, 1, *[0] * 15, 0])) for kind in (0x00, 0x10)]
    blocks = bytes(2 * (size // 8) ** 2 // 8)  # two bits each
    scans = [segment(0xDA, bytes([1, number, 0, 0, 63, 0])) + blocks for number in (1, 2, 3)]
    frame = segment(0xC0, struct.pack(">BHHB", 8, size, size, 3) + colours)
    whole = [b"\xff\xd8", segment(0xDB, bytes([0, *[1] * 64])), frame, *tables, *scans]
    return b"".join(whole) + b"\xff\xd9"


def test_a_jpeg_of_several_scans_counts_as_it_is_kept(folder, cache, monkeypatch):
    (folder / "a.jpg").write_bytes(jpeg_of_three_scans(16 * SIZE))
    assert len(load_images(folder, SIZE, cache_dir=cache)) == 1
    save_solid(folder / "b.png", BLUE)
    monkeypatch.setattr(decoding, "MAX_PIXELS", (16 * SIZE) ** 2 - 1)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [BLUE]


@pytest.mark.parametrize("limit", ["_MOST_SIDE", "_MOST_BYTES"])
def test_a_picture_too_long_or_a_file_too_large_is_unreadable(folder, cache, monkeypatch, limit):
    solid(RED, size=(5000, 1)).save(folder / "a.bmp")
    save_solid(folder / "b.png", BLUE)
    monkeypatch.setattr(decoding, limit, 4000)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [BLUE]


def test_a_large_picture_in_a_large_file_is_read(folder, cache, monkeypatch):
    """One at a time, for the one reason and for the other."""
    save_solid(folder / "a.png", RED)
    monkeypatch.setattr(decoding, "_LARGE", 0)
    monkeypatch.setattr(decoding, "_LARGE_FILE", 0)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED]


def test_folders_too_deep_are_one_sentence(folder, monkeypatch):
    def walk(*arguments, **options):
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(os, "walk", walk)
    with pytest.raises(InputError, match=f"'{folder}' cannot be read: maximum recursion depth"):
        load_images(folder, SIZE)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
@pytest.mark.parametrize("exif", [b"Exif\0\0rubbish", b"Exif\0\0II*\0", b"Exif\0\0"])
def test_a_damaged_exif_block_does_not_make_a_picture_unreadable(folder, cache, exif, suffix):
    exact = {"jpg": {"quality": 100, "subsampling": 0}, "webp": {"lossless": True}}
    solid(RED).save(folder / f"a.{suffix}", exif=exif, **exact.get(suffix, {}))
    (colour,) = colours_of(load_images(folder, SIZE, cache_dir=cache))
    np.testing.assert_allclose(colour, RED, atol=3)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EIO, errno.EACCES])
def test_a_passing_error_of_the_system_is_raised_and_nothing_is_cached(
    folder, cache, monkeypatch, number
):
    for name, colour in (("1.png", RED), ("2.png", BLUE)):
        save_solid(folder / name, colour)

    def refuse(path, mode="r", *arguments, **options):
        if Path(path).name == "2.png":
            raise OSError(number, os.strerror(number), str(path))
        return Path(path).open(mode, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", refuse)
        with pytest.raises(InputError, match=r"2\.png' cannot be read \(") as error:
            load_images(folder, SIZE, cache_dir=cache)
    assert os.strerror(number) in str(error.value)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED, BLUE]


@pytest.mark.parametrize("name", ["about.json", "images.uint8"])
def test_a_cache_that_cannot_be_read_is_not_taken_for_an_empty_one(
    folder, cache, monkeypatch, decoded, name
):
    save_solid(folder / "1.png", RED)
    load_images(folder, SIZE, cache_dir=cache)
    (entry,) = cache.iterdir()
    really_open = io.open

    def refuse(path, *arguments, **options):
        if Path(path) == entry / name:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return really_open(path, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(io, "open", refuse)
        with pytest.raises(InputError, match=r"image cache '.*' cannot be read \(Input/output"):
            load_images(folder, SIZE, cache_dir=cache)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED]
    assert decoded == ["1.png"]


def test_too_little_memory_is_raised_and_condemns_no_picture(folder, cache, monkeypatch):
    save_solid(folder / "1.png", RED)

    def exhaust(*arguments) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("wgan_gp.data.decoding.to_square", exhaust)
        with pytest.raises(InputError, match=r"1\.png' cannot be read: out of memory"):
            load_images(folder, SIZE, cache_dir=cache)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED]


@pytest.mark.parametrize("kind", ["EPS", "TIFF", "ICNS", "TGA", "JPEG2000", "PPM", "ICO", "PCX"])
def test_only_the_documented_formats_are_opened(folder, cache, caplog, monkeypatch, kind):
    def start(*arguments, **options) -> None:
        raise AssertionError("a program is started")

    save_solid(folder / "sound.png", RED)
    solid(BLUE, size=(64, 64)).save(folder / "a.jpg", format=kind)
    monkeypatch.setattr("subprocess.Popen", start)
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", start)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED]
    (message,) = warnings_in(caplog)
    assert message == "1 of 2 images cannot be read and are left out: a.jpg"


# Sources that cannot be used


def test_a_missing_folder_is_an_error_that_names_it(tmp_path, cache):
    missing = tmp_path / "no such folder"
    with pytest.raises(InputError, match="there is no folder") as error:
        load_images(missing, SIZE, cache_dir=cache)
    assert str(missing) in str(error.value)
    assert "synthetic" in str(error.value)


def test_a_user_without_a_home_is_asked_for_a_place_of_the_cache(folder, monkeypatch):
    save_solid(folder / "a.png", RED)

    def refuse(name):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.setattr("wgan_gp.data.images.platformdirs.user_cache_path", refuse)
    with pytest.raises(InputError, match="the image cache needs a cache_dir given: could not"):
        load_images(folder, SIZE)


def test_a_file_in_place_of_the_folder_is_an_error_that_names_it(tmp_path, cache):
    file = save_solid(tmp_path / "a.png", RED)
    with pytest.raises(InputError, match="there is no folder") as error:
        load_images(str(file), SIZE, cache_dir=cache)
    assert str(file) in str(error.value)


def test_a_folder_without_pictures_is_an_error_that_names_it(folder, cache):
    (folder / "notes.txt").write_text("nothing here", encoding="utf-8")
    with pytest.raises(InputError, match="no image found") as error:
        load_images(folder, SIZE, cache_dir=cache)
    assert str(folder) in str(error.value)
    assert ".jpg" in str(error.value)


def test_a_folder_of_unreadable_pictures_is_an_error_that_names_it(folder, cache):
    write_truncated_jpeg(folder / "a.jpg")
    (folder / "b.png").touch()
    for _ in range(2):
        with pytest.raises(
            InputError, match=r"none of the images in .* can be read \(2 tried\)"
        ) as error:
            load_images(folder, SIZE, cache_dir=cache)
        assert str(folder) in str(error.value)
        assert list(cache.iterdir()) == []


# The cache


def test_a_second_call_reads_the_cache_and_not_the_files(folder, cache, decoded):
    save_solid(folder / "1.png", RED)
    save_solid(folder / "2.png", BLUE)
    first = load_images(folder, SIZE, cache_dir=cache)
    assert sorted(decoded) == ["1.png", "2.png"]
    second = load_images(str(folder), SIZE, cache_dir=str(cache))
    assert sorted(decoded) == ["1.png", "2.png"]
    np.testing.assert_array_equal(second, first)
    assert second.dtype == first.dtype == np.uint8
    assert second.shape == first.shape == (2, SIZE, SIZE, 3)


def test_images_are_mapped_from_disk_and_cannot_be_written_to(folder, cache):
    save_solid(folder / "1.png", RED)
    for _ in range(2):
        images = load_images(folder, SIZE, cache_dir=cache)
        assert isinstance(images, np.memmap)
        assert cache in Path(images.filename).parents
        with pytest.raises(ValueError, match="read-only"):
            images[0, 0, 0, 0] = 1


def test_adding_changing_renaming_and_removing_a_file_change_the_images(folder, cache):
    def colours() -> list[tuple[int, int, int]]:
        return colours_of(load_images(folder, SIZE, cache_dir=cache))

    save_solid(folder / "1.png", RED)
    assert colours() == [RED]
    save_solid(folder / "2.png", BLUE)
    assert colours() == [RED, BLUE]
    save_solid(folder / "1.png", YELLOW)
    assert colours() == [YELLOW, BLUE]
    (folder / "1.png").rename(folder / "3.png")
    assert colours() == [BLUE, YELLOW]
    (folder / "2.png").unlink()
    assert colours() == [YELLOW]


def test_the_same_pictures_have_one_entry_whatever_their_dates_rights_and_place(
    folder, cache, decoded
):
    file = save_solid(folder / "1.png", RED)
    first = load_images(folder, SIZE, cache_dir=cache)
    for change in (
        lambda: os.utime(file, ns=(1, 1)),
        lambda: file.chmod(0o600),
        lambda: save_solid(file, RED),
        lambda: folder.rename(folder.with_name("moved")),
    ):
        change()
        place = folder if folder.is_dir() else folder.with_name("moved")
        np.testing.assert_array_equal(load_images(place, SIZE, cache_dir=cache), first)
    assert decoded == ["1.png"]
    assert len(list(cache.iterdir())) == 1


def test_a_known_state_of_the_files_is_recognised_without_reading_them(folder, cache, monkeypatch):
    save_solid(folder / "1.png", RED)
    load_images(folder, SIZE, cache_dir=cache)

    def fail(*arguments) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr(wgan_gp.data.source, "digest", fail)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED]


def test_a_cache_that_is_removed_meanwhile_needs_no_housekeeping(cache):
    wgan_gp.data.housekeeping.remove_oldest(cache, cache / "entry")
    assert not cache.exists()


def test_the_cache_keeps_what_was_used_last_within_its_limit(folder, cache, monkeypatch):
    monkeypatch.setattr(wgan_gp.data.housekeeping, "MOST_BYTES", 6 * SIZE * SIZE * 3)
    cache.mkdir()
    (cache / "notes.txt").write_text("of the user")
    (cache / ("a" * 32)).write_text("of the user, too")
    (cache / "mine").mkdir()
    for number in range(6):  # 1 + 2 + ... + 6 images
        save_solid(folder / f"{number}.png", (number, 0, 0))
        images = load_images(folder, SIZE, cache_dir=cache)
        for age, file in enumerate(sorted(cache.glob("*/about.json"), key=modified, reverse=True)):
            os.utime(file, (1e9 - age, 1e9 - age))
        assert len(images) == number + 1
    sizes = [file.stat().st_size // (SIZE * SIZE * 3) for file in cache.glob("*/images.uint8")]
    assert sizes == [6]
    assert {path.name for path in cache.iterdir()} > {"notes.txt", "a" * 32, "mine"}
    (folder / "5.png").unlink()
    assert len(load_images(folder, SIZE, cache_dir=cache)) == 5


def modified(file: Path) -> float:
    return file.stat().st_mtime


def test_what_a_killed_write_left_is_removed_and_a_running_one_is_not(folder, cache):
    save_solid(folder / "1.png", RED)
    for name in ("left", "running"):
        (cache / f".writing-{name}" / "entry").mkdir(parents=True)
        (cache / f".writing-{name}" / "entry" / "images.uint8").write_bytes(bytes(99))
    with filelock.FileLock(cache / ".writing-running" / "lock"):
        for name in ("left", "running"):
            os.utime(cache / f".writing-{name}", (0, 0))
        load_images(folder, SIZE, cache_dir=cache)
        assert [path.name for path in cache.glob(".writing-*")] == [".writing-running"]
        assert (cache / ".writing-running" / "entry" / "images.uint8").is_file()


def test_a_decode_that_is_running_is_not_taken_for_a_leftover(cache, noise):
    def pictures() -> Pictures:
        (running,) = cache.glob(".writing-*")
        os.utime(running, (0, 0))
        remove_leftovers(cache)
        assert running.is_dir()
        yield "a", noise

    write_entry(cache / "entry", pictures())
    assert len(read_entry(cache / "entry").images) == 1


@pytest.mark.parametrize(
    ("age", "is_leftover"), [(1e9, True), (-1e9, True), (0, False), (-2, False)]
)
def test_a_process_that_has_just_begun_has_time_to_lock_its_folder(cache, age, is_leftover):
    begun = cache / ".writing-new"
    begun.mkdir(parents=True)
    os.utime(begun, times=(time.time() - age,) * 2)
    remove_leftovers(cache)
    assert begun.exists() != is_leftover


def test_an_entry_remembers_the_last_states_of_its_files(cache, noise):
    write_entry(cache / "entry", iter([("a", noise)]))
    for number in range(20):
        note_use(cache / "entry", f"state {number}")
    assert find_entry(cache, "state 19") == cache / "entry"
    assert find_entry(cache, "state 0") is None


def test_files_that_change_while_they_are_read_are_not_kept(folder, cache, monkeypatch):
    file = save_solid(folder / "1.png", RED)

    def read_late(path: Path, image_size: int) -> np.ndarray | None:
        save_solid(file, YELLOW)
        return decode_file(path, image_size)

    with monkeypatch.context() as patch:
        patch.setattr(wgan_gp.data.folder, "decode_file", read_late)
        with pytest.raises(InputError, match="changed while they were read: start again"):
            load_images(folder, SIZE, cache_dir=cache)
    assert list(cache.iterdir()) == []
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [YELLOW]
    save_solid(file, RED)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED]


def test_a_rewritten_file_of_the_same_size_and_date_is_noticed(folder, cache):
    file = save_solid(folder / "1.bmp", RED)
    before = file.stat()
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED]
    while file.stat().st_ctime_ns == before.st_ctime_ns:  # until the clock has ticked
        save_solid(file, BLUE)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [BLUE]


def test_every_image_size_has_an_entry_of_its_own(folder, cache, decoded):
    save_solid(folder / "1.png", RED)
    for _ in range(2):
        for image_size in (4, np.int64(8), 32):
            images = load_images(folder, image_size, cache_dir=cache)
            assert images.shape == (1, image_size, image_size, 3)
            assert colours_of(images) == [RED]
    assert len(decoded) == 3


def test_folders_with_the_same_file_names_do_not_mix(tmp_path, cache):
    for name, colour in (("a", RED), ("b", BLUE)):
        save_solid(tmp_path / name / "1.bmp", colour)
    for name, colour in (("a", RED), ("b", BLUE), ("a", RED)):
        assert colours_of(load_images(tmp_path / name, SIZE, cache_dir=cache)) == [colour]


def cut_short(entry: Path) -> None:
    pixels = (entry / "images.uint8").read_bytes()
    (entry / "images.uint8").write_bytes(pixels[:-1])


def lengthen(entry: Path) -> None:
    with (entry / "images.uint8").open("ab") as file:
        file.write(b"\0")


def flip_a_byte(entry: Path) -> None:
    pixels = bytearray((entry / "images.uint8").read_bytes())
    pixels[len(pixels) // 2] ^= 1
    (entry / "images.uint8").write_bytes(pixels)


def empty_the_pixels(entry: Path) -> None:
    (entry / "images.uint8").write_bytes(b"")


def remove_the_pixels(entry: Path) -> None:
    (entry / "images.uint8").unlink()


def remove_the_description(entry: Path) -> None:
    (entry / "about.json").unlink()


def cut_the_description_short(entry: Path) -> None:
    text = (entry / "about.json").read_text(encoding="utf-8")
    (entry / "about.json").write_text(text[: len(text) // 2], encoding="utf-8")


def scribble_over_the_description(entry: Path) -> None:
    (entry / "about.json").write_bytes(b"\xff\xfe\x00garbage")


def describe_nothing(entry: Path) -> None:
    (entry / "about.json").write_text("{}", encoding="utf-8")


def describe_with_a_list(entry: Path) -> None:
    (entry / "about.json").write_text("[]", encoding="utf-8")


def describe_too_many(entry: Path) -> None:
    about = json.loads((entry / "about.json").read_text(encoding="utf-8"))
    about["shape"][0] += 1
    (entry / "about.json").write_text(json.dumps(about), encoding="utf-8")


def remove_both_files(entry: Path) -> None:
    shutil.rmtree(entry)
    entry.mkdir()


@pytest.mark.parametrize(
    "damage",
    [
        cut_short,
        lengthen,
        flip_a_byte,
        empty_the_pixels,
        remove_the_pixels,
        remove_the_description,
        cut_the_description_short,
        scribble_over_the_description,
        describe_nothing,
        describe_with_a_list,
        describe_too_many,
        remove_both_files,
    ],
)
def test_a_damaged_entry_is_made_anew(folder, cache, decoded, damage):
    save_solid(folder / "1.png", RED)
    save_solid(folder / "2.png", BLUE)
    load_images(folder, SIZE, cache_dir=cache)
    (entry,) = cache.iterdir()
    damage(entry)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED, BLUE]
    assert len(decoded) == 4
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED, BLUE]
    assert len(decoded) == 4
    assert list(cache.iterdir()) == [entry]


def test_no_temporary_folder_stays_behind(folder, cache):
    save_solid(folder / "1.png", RED)
    load_images(folder, SIZE, cache_dir=cache)
    (entry,) = cache.iterdir()
    assert not entry.name.startswith(".")
    assert sorted(file.name for file in entry.iterdir()) == ["about.json", "images.uint8"]


@pytest.mark.parametrize("exception", [RuntimeError, KeyboardInterrupt, MemoryError])
def test_reading_that_breaks_off_leaves_nothing_behind(folder, cache, monkeypatch, exception):
    colours = [(number, 0, 0) for number in range(6)]
    for number, colour in enumerate(colours):
        save_solid(folder / f"{number}.png", colour)

    def break_off(path: Path, image_size: int) -> np.ndarray | None:
        if path.name == "3.png":
            raise exception("in the middle")
        return decode_file(path, image_size)

    with monkeypatch.context() as patch:
        patch.setattr(wgan_gp.data.folder, "decode_file", break_off)
        with pytest.raises(exception, match="in the middle"):
            load_images(folder, SIZE, cache_dir=cache)
    assert list(cache.iterdir()) == []
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == colours


def test_a_sound_entry_of_another_process_is_kept(tmp_path, noise):
    write_entry(tmp_path / "entry", iter([("a", noise)]))
    before = {path: path.stat().st_ino for path in (tmp_path / "entry").iterdir()}
    write_entry(tmp_path / "entry", iter([("a", noise)]))
    assert {path: path.stat().st_ino for path in (tmp_path / "entry").iterdir()} == before


def test_an_entry_written_meanwhile_by_another_process_is_used(tmp_path, monkeypatch, noise):
    entry, of_the_other = tmp_path / "entry", tmp_path / "other"
    write_entry(of_the_other, iter([("a", noise)]))
    remove = shutil.rmtree

    def remove_and_let_the_other_finish(path, *arguments, **options) -> None:
        remove(path, *arguments, **options)
        if path == entry:
            shutil.copytree(of_the_other, entry)

    monkeypatch.setattr(shutil, "rmtree", remove_and_let_the_other_finish)
    write_entry(entry, iter([("a", noise)]))
    images, _, unreadable = read_entry(entry)
    np.testing.assert_array_equal(images, noise[None])
    assert unreadable == []
    assert set(tmp_path.iterdir()) == {entry, of_the_other}


@pytest.mark.parametrize("place", ["file", "file/below", "file/far/below"])
def test_a_cache_that_cannot_be_written_is_an_error_that_names_it(folder, tmp_path, place):
    save_solid(folder / "1.png", RED)
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written") as error:
        load_images(folder, SIZE, cache_dir=tmp_path / place)
    assert str(tmp_path / place) in str(error.value)
    assert "cache_dir" in str(error.value)


def test_a_full_disk_is_an_error_that_says_so(folder, cache, monkeypatch):
    save_solid(folder / "1.png", RED)

    def fill_up(file, pictures) -> None:
        next(iter(pictures))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("wgan_gp.data.cache._write_pixels", fill_up)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        load_images(folder, SIZE, cache_dir=cache)
    assert list(cache.iterdir()) == []


def test_without_a_cache_folder_the_user_s_is_taken(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / "user" / name)
    save_solid(folder / "1.png", RED)
    images = load_images(folder, SIZE)
    assert tmp_path / "user" / "wgan_gp" in Path(images.filename).parents


def test_a_tilde_stands_for_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    save_solid(tmp_path / "mine" / "1.png", RED)
    images = load_images("~/mine", SIZE, cache_dir="~/kept")
    assert colours_of(images) == [RED]
    assert tmp_path / "kept" in Path(images.filename).parents


def test_the_order_in_which_files_are_listed_does_not_change_the_fingerprint(folder):
    files = [save_solid(folder / f"{number}.png", RED) for number in range(3)]
    fingerprint = file_fingerprint(files, folder)
    assert file_fingerprint(files[::-1], folder) == fingerprint
    assert file_fingerprint(files[:2], folder) != fingerprint
    assert file_fingerprint([], folder) != fingerprint


def test_a_source_with_another_fingerprint_has_another_entry(cache, monkeypatch, noise):
    def load(fingerprint: str, picture: np.ndarray) -> np.ndarray:
        source = Source("name", 1, fingerprint, lambda image_size: iter([("a", picture)]))
        monkeypatch.setattr(wgan_gp.data.images, "open_folder", lambda folder: source)
        return load_images("anything", SIZE, cache_dir=cache)

    np.testing.assert_array_equal(load("a", noise), noise[None])
    np.testing.assert_array_equal(load("b", 255 - noise), 255 - noise[None])
    np.testing.assert_array_equal(load("a", 255 - noise), noise[None])  # from the cache


# The embedded data and real photographs


def test_synthetic_images_are_the_drawn_flowers(cache, monkeypatch):
    monkeypatch.setattr(wgan_gp.data.images, "SYNTHETIC_COUNT", 5)
    images = load_images("synthetic", 32, cache_dir=cache)
    np.testing.assert_array_equal(images, draw_flowers(5, 32))

    def fail(*arguments) -> None:
        raise AssertionError("drawn again")

    monkeypatch.setattr("wgan_gp.data.synthetic.draw_picture", fail)
    np.testing.assert_array_equal(load_images("synthetic", 32, cache_dir=cache), images)


def test_all_of_3673_flower_photographs_are_read(flower_photographs, cache, caplog):
    images = load_images(flower_photographs, 64, cache_dir=cache)
    assert images.shape == (3673, 64, 64, 3)
    assert warnings_in(caplog) == []

    files = sorted(flower_photographs.rglob("*.jpg"))
    assert len(files) == 3673
    for number in range(0, 3673, 400):
        with Image.open(files[number]) as image:
            height, width = image.height, image.width
            whole = np.asarray(image.convert("RGB"), np.float64)
        # The mean over each of 16x16 parts, give or take a row.
        rows = [math.floor(height * part / 16) for part in range(17)]
        columns = [math.floor(width * part / 16) for part in range(17)]
        sums = np.add.reduceat(np.add.reduceat(whole, rows[:-1], axis=0), columns[:-1], axis=1)
        expected = sums / np.outer(np.diff(rows), np.diff(columns))[..., None]
        seen = images[number].reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
        assert np.abs(seen - expected).mean() < 4, files[number].name

    distinct = {image.tobytes() for image in images}
    assert len(distinct) > 3600
    assert images[::10].std(axis=0).min() > 40
    assert images[::10].std(axis=(1, 2, 3)).min() > 5


# ---------------------------------------------------------------------------------------------
# Mishaps


def test_hidden_folders_are_left_alone(folder, cache):
    save_solid(folder / "a.png", RED)
    save_solid(folder / ".thumbnails" / "b.png", BLUE)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED]


@pytest.mark.parametrize(
    "change",
    [
        lambda about: about.pop("unreadable"),
        lambda about: about.update(unreadable=5),
        lambda about: about.update(shape=[-1, -SIZE, SIZE, 3]),
        lambda about: about.update(shape=[2**70, SIZE, SIZE, 3]),
        lambda about: about.update(shape=[1, SIZE, SIZE, 3]),
    ],
)
def test_a_wrong_description_of_an_entry_makes_it_anew(folder, cache, change):
    for name, colour in (("a.png", RED), ("b.png", BLUE)):
        save_solid(folder / name, colour)
    load_images(folder, SIZE, cache_dir=cache)
    (file,) = cache.glob("*/about.json")
    about = json.loads(file.read_text())
    change(about)
    file.write_text(json.dumps(about))
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED, BLUE]


def test_reading_that_is_given_up_does_not_decode_the_rest(folder, monkeypatch):
    for number in range(200):
        save_solid(folder / f"{number:03d}.png", RED)
    decoded = []

    def decode_slowly(path: Path, image_size: int) -> np.ndarray:
        decoded.append(path)
        time.sleep(0.05)
        return decode_file(path, image_size)

    monkeypatch.setattr(wgan_gp.data.folder, "decode_file", decode_slowly)
    pictures = wgan_gp.data.folder.open_folder(folder).read(SIZE)
    next(pictures)
    pictures.close()
    assert len(decoded) < 150


def test_more_pixels_than_there_is_memory_for_are_unreadable(folder, cache, caplog, monkeypatch):
    monkeypatch.setattr("wgan_gp.data.decoding.MAX_PIXELS", 300)
    for name, side, options in (
        ("a.png", 17, {}),
        ("b.png", 18, {}),
        ("c.jpg", 64, {}),  # is read as 16x16
        ("d.jpg", 64, {"progressive": True}),
    ):
        solid(RED, size=(side, side)).save(folder / name, **options)
    assert len(load_images(folder, SIZE, cache_dir=cache)) == 2
    (message,) = warnings_in(caplog)
    assert message.endswith("left out: b.png, d.jpg")


@pytest.mark.parametrize("name", ["~nobody-of-that-name/x", "x" * 300])
def test_an_impossible_name_is_an_error_that_names_it(name, cache):
    with pytest.raises(InputError, match=re.escape(name)):
        load_images(name, SIZE, cache_dir=cache)


def test_a_cache_of_a_user_who_does_not_exist_is_an_error_that_names_it(folder):
    save_solid(folder / "a.png", RED)
    with pytest.raises(InputError, match="'~nobody-of-that-name/x' cannot be found"):
        load_images(folder, SIZE, cache_dir="~nobody-of-that-name/x")


@pytest.mark.parametrize("size", [0, 64.0, "64"])
def test_an_image_size_that_is_none_is_refused_before_any_picture_is_read(tmp_path, size):
    with pytest.raises(InputError, match=f"^image_size must be .*, not {size!r}$"):
        load_images("synthetic", size, cache_dir=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_images_in_memory_are_no_source(tmp_path):
    for source in (np.zeros((2, 32, 32, 3), np.uint8), None, [tmp_path]):
        with pytest.raises(InputError, match="data is 'synthetic', 'tf_flowers' or a folder of"):
            load_images(source, 32)


def test_what_a_run_has_drawn_among_the_photographs_is_not_one_of_them(folder, cache):
    save_solid(folder / "red.png", RED)
    run = folder / "runs" / "0001-paper-photographs"
    (run / "grids").mkdir(parents=True)
    save_solid(run / "grids" / "iteration-000001.png", BLUE)
    save_solid(run / "reals.png", BLUE)
    (run / "config.json").write_text("{}")
    assert len(load_images(folder, SIZE, cache_dir=cache)) == 3  # a folder like any other
    (run / "run.json").write_text("{}")
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED]


def test_a_set_that_another_process_removes_while_it_is_verified_can_be_read(
    folder, cache, monkeypatch
):
    save_solid(folder / "red.png", RED)
    load_images(folder, SIZE, cache_dir=cache)
    verify = wgan_gp.data.cache._checksum

    def verify_and_lose(chunks) -> int:
        checksum = verify(chunks)
        (pixels,) = cache.rglob(PIXELS)
        pixels.unlink()
        return checksum

    monkeypatch.setattr("wgan_gp.data.cache._checksum", verify_and_lose)
    assert colours_of(load_images(folder, SIZE, cache_dir=cache)) == [RED]


def test_drawn_flowers_are_drawn_anew_when_the_code_changes(tmp_path, monkeypatch):
    changed = tmp_path / "synthetic.py"
    changed.write_text("other code")
    before = loading._synthetic_source().fingerprint
    monkeypatch.setattr(synthetic, "__file__", str(changed))
    assert loading._synthetic_source().fingerprint != before


def test_images_are_decoded_anew_when_the_format_is_raised(tmp_path, monkeypatch):
    (tmp_path / "pictures").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "pictures" / "a.png")
    for form in (3, 4):
        monkeypatch.setattr(loading, "_CACHE_FORMAT", form)
        load_images(tmp_path / "pictures", 8, cache_dir=tmp_path / "cache")
    assert len([x for x in (tmp_path / "cache").iterdir() if x.is_dir()]) == 2
