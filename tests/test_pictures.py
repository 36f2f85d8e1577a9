"""Grids, PNG files and films."""

import errno
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from wgan_gp import image_grid, pictures
from wgan_gp.pictures import save_film, save_png, save_pngs
from wgan_gp.sampling import to_uint8
from wgan_gp.support.errors import InputError


def numbered(count: int) -> np.ndarray:
    """2x3 images, image number i filled with i + 1."""
    return np.broadcast_to(
        np.arange(1, count + 1, dtype=np.uint8).reshape(count, 1, 1, 1), (count, 2, 3, 3)
    )


def test_a_grid_reads_row_by_row():
    grid = image_grid(numbered(6))
    assert grid.shape == (2 * 2, 3 * 3, 3)
    assert grid[::2, ::3, 0].tolist() == [[1, 2, 3], [4, 5, 6]]


def test_every_tile_keeps_its_pixels():
    images = np.random.default_rng(0).integers(0, 256, (4, 5, 7, 3), dtype=np.uint8)
    grid = image_grid(images)
    np.testing.assert_array_equal(grid[5:, :7], images[2])


@pytest.mark.parametrize(("count", "tiles"), [(1, (1, 1)), (2, (1, 2)), (25, (5, 5)), (26, (5, 6))])
def test_a_grid_is_as_square_as_it_can_be(count, tiles):
    grid = image_grid(numbered(count))
    assert (grid.shape[0] // 2, grid.shape[1] // 3) == tiles


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((0, 2, 2, 3), np.uint8),
        np.zeros((2, 2, 3), np.uint8),  # one image
        np.zeros((4, 2, 2, 2), np.uint8),
        np.zeros((4, 2, 2, 4), np.uint8),  # with transparency
        np.zeros((4, 2, 2, 3), np.int64),  # pixels, or -1..1?
        [],
    ],
)
def test_what_is_no_images_makes_no_grid(images):
    with pytest.raises(InputError, match="images to lay out are "):
        image_grid(images)


def test_places_left_over_are_black():
    assert image_grid(numbered(5))[::2, ::3, 0].tolist() == [[1, 2, 3], [4, 5, 0]]


def test_floats_map_from_the_same_range_whatever_the_images_hold():
    images = np.array([-1.0, -0.5, 0.0, 0.5, 1.0, 3.0]).reshape(6, 1, 1, 1).repeat(3, axis=3)
    assert image_grid(images)[..., 0].ravel().tolist() == [0, 64, 128, 191, 255, 255]


def test_half_precision_has_no_fewer_shades():
    values = tf.cast(np.linspace(-1, 1, 500).reshape(1, 10, 50, 1), "bfloat16")
    expected = np.round((np.float32(values) + 1) * 127.5)
    np.testing.assert_array_equal(to_uint8(values), expected)


def test_a_png_file_keeps_the_pixels(tmp_path):
    grid = image_grid(numbered(4))
    save_png(grid, tmp_path / "grid.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "grid.png")), grid)


def test_grey_pictures_are_written_too(tmp_path):
    images = numbered(2)[..., :1]
    save_pngs(images, tmp_path / "new")
    for number, image in enumerate(images):
        written = Image.open(tmp_path / "new" / f"{number:05d}.png")
        np.testing.assert_array_equal(np.asarray(written), image[..., 0])


def test_pictures_replace_those_of_before(tmp_path):
    for count in (3, 2):
        save_pngs(numbered(count), tmp_path / "new")
    assert [path.name for path in sorted((tmp_path / "new").iterdir())] == [
        "00000.png",
        "00001.png",
    ]


def test_a_new_folder_of_pictures_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    def be_full(picture: np.ndarray, path: Path, *others) -> None:
        if path.name == "00002.png":
            raise OSError(errno.ENOSPC, "no space left")
        save_png(picture, path, *others)

    with monkeypatch.context() as filling:
        filling.setattr(pictures, "save_png", be_full)
        with pytest.raises(OSError, match="no space left"):
            save_pngs(numbered(4), tmp_path / "far" / "new")
    assert list((tmp_path / "far").iterdir()) == []
    save_pngs(numbered(4), tmp_path / "far" / "new")
    assert len(list((tmp_path / "far" / "new").iterdir())) == 4


@pytest.mark.parametrize("number", [1, 3])
def test_a_picture_that_cannot_be_read_is_neither_ours_nor_another_s(tmp_path, monkeypatch, number):
    save_pngs(numbered(4), tmp_path)
    unreadable, really_open = tmp_path / f"0000{number}.png", Image.open

    def refuse(path: Path, **options):
        if path == unreadable:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return really_open(path, **options)

    monkeypatch.setattr(pictures.Image, "open", refuse)
    with pytest.raises(InputError, match=f"{number}.png' cannot be read .Permission denied"):
        save_pngs(255 - numbered(2), tmp_path)
    monkeypatch.undo()
    assert np.asarray(Image.open(tmp_path / "00000.png")).tolist() == numbered(1)[0].tolist()


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(errno.ENOSPC, "no space left")])
def test_pictures_that_replace_others_do_so_all_or_none(tmp_path, monkeypatch, error):
    save_pngs(numbered(4), tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def stop(picture: np.ndarray, path: Path, *others) -> None:
        if path.name == "00002.png":
            raise error
        save_png(picture, path, *others)

    with monkeypatch.context() as stopping:
        stopping.setattr(pictures, "save_png", stop)
        with pytest.raises(BaseException, match=r"no space left|^$"):
            save_pngs(255 - numbered(4), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    save_pngs(255 - numbered(4), tmp_path)
    after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert after.keys() == before.keys()
    assert [name for name in after if after[name] == before[name]] == ["notes.txt"]


def test_a_link_whose_folder_is_away_stays_a_link(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "unmounted" / "pictures")
    with pytest.raises(OSError, match="No such file"):
        save_pngs(numbered(2), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()


def test_a_film_shows_the_frames_in_order_and_repeats(tmp_path):
    frames = []
    for i, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)]):
        frames.append(tmp_path / f"{i}.png")
        Image.new("RGB", (4, 4), colour).save(frames[-1])
    save_film(frames, tmp_path / "film.gif", seconds_per_frame=0.2)
    with Image.open(tmp_path / "film.gif") as film:
        assert (film.n_frames, film.info["loop"]) == (3, 0)
        shown = []
        for number in range(3):
            film.seek(number)
            shown.append((film.convert("RGB").getpixel((0, 0)), film.info["duration"]))
    assert shown == [((255, 0, 0), 200), ((0, 255, 0), 200), ((0, 0, 255), 2000)]


def test_a_film_of_too_many_frames_keeps_the_first_and_the_last(tmp_path):
    frames = [tmp_path / f"{i}.png" for i in range(9)]
    for i, frame in enumerate(frames):
        Image.new("RGB", (4, 4), (25 * i, 0, 0)).save(frame)
    save_film(frames, tmp_path / "film.gif", at_most=3)
    with Image.open(tmp_path / "film.gif") as film:
        reds = []
        for number in range(film.n_frames):
            film.seek(number)
            reds.append(film.convert("RGB").getpixel((0, 0))[0])
    assert reds == [0, 100, 200]


def test_pictures_of_an_earlier_time_do_not_stay_whatever_their_number(tmp_path):
    save_pngs(numbered(2), tmp_path)
    for number in ("99999", "100000", "1234567"):
        shutil.copy(tmp_path / "00001.png", tmp_path / f"{number}.png")
    (tmp_path / "100001.png").write_text("mine")
    save_pngs(numbered(1), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000.png", "100001.png"]
