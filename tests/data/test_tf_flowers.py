"""The Flowers photographs through TensorFlow Datasets, from a small prepared copy on disk."""

import contextlib
import itertools
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds

import wgan_gp.data.tf_flowers
from wgan_gp.data.decoding import to_square
from wgan_gp.data.images import load_images
from wgan_gp.support import reachable
from wgan_gp.support.errors import InputError

CLASSES = ["dandelion", "daisy", "tulips", "sunflowers", "roses"]
COLOURS = list(itertools.product((0, 130, 255), (20, 200), (5, 250)))  # 12


def prepare(data_dir: Path, colours: list[tuple[int, int, int]]) -> Path:
    """Store `colours` as the prepared data set tf_flowers, one small image (PNG) each."""
    examples = []
    for number, colour in enumerate(colours):
        image = np.full((9 + number, 14, 3), colour, np.uint8)
        examples.append((f"{number}.jpg", {"image": image, "label": number % len(CLASSES)}))
    tfds.dataset_builders.store_as_tfds_dataset(
        name="tf_flowers",
        version="3.0.1",
        features=tfds.features.FeaturesDict(
            {"image": tfds.features.Image(), "label": tfds.features.ClassLabel(names=CLASSES)}
        ),
        split_datasets={"train": examples},
        data_dir=data_dir,
    )
    return data_dir


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    return prepare(tmp_path_factory.mktemp("prepared"), COLOURS)


@pytest.fixture
def offline(monkeypatch) -> None:
    """The download's address refuses every connection."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(wgan_gp.data.tf_flowers, "_URL", "http://127.0.0.1:9/")


@pytest.fixture
def serve(monkeypatch) -> Iterator[Callable[[Callable[[socket.socket], None]], threading.Event]]:
    """Make the download's address one where `answer` deals with each connection.

    The event it returns is set once somebody has connected.
    """
    monkeypatch.setenv("no_proxy", "*")
    with contextlib.ExitStack() as stack:

        def start(answer: Callable[[socket.socket], None]) -> threading.Event:
            asked = threading.Event()
            server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))

            def run() -> None:
                with contextlib.suppress(OSError):  # closed
                    while True:
                        connection, _ = server.accept()
                        asked.set()
                        with connection:
                            answer(connection)

            thread = threading.Thread(target=run, daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            stack.callback(server.shutdown, socket.SHUT_RDWR)
            address = f"http://127.0.0.1:{server.getsockname()[1]}/"
            monkeypatch.setattr(wgan_gp.data.tf_flowers, "_URL", address)
            return asked

        yield start


def colours_of(images: np.ndarray) -> list[tuple[int, int, int]]:
    """The colour of each image, all of which must be of one colour."""
    np.testing.assert_array_equal(images, np.broadcast_to(images[:, :1, :1], images.shape))
    return sorted(tuple(map(int, image[0, 0])) for image in images)


def expect_unreachable(data_dir: Path, cache_dir: Path) -> None:
    with pytest.raises(InputError, match="out of reach") as error:
        load_images("tf_flowers", 32, data_dir=data_dir, cache_dir=cache_dir)
    assert "use 'synthetic', a folder" in str(error.value)
    assert str(data_dir) in str(error.value)
    assert list(data_dir.iterdir()) == []


def test_a_prepared_copy_is_read(prepared, tmp_path, offline):
    images = load_images("tf_flowers", 32, data_dir=prepared, cache_dir=tmp_path)
    assert images.shape == (12, 32, 32, 3)
    assert images.dtype == np.uint8
    assert isinstance(images, np.memmap)
    assert colours_of(images) == sorted(COLOURS)


def test_a_second_call_reads_the_cache(prepared, tmp_path, offline, monkeypatch):
    converted = []

    def convert_and_note(image, image_size: int) -> np.ndarray:
        converted.append(image)
        return to_square(image, image_size)

    monkeypatch.setattr(wgan_gp.data.tf_flowers, "to_square", convert_and_note)
    first = load_images("tf_flowers", 32, data_dir=str(prepared), cache_dir=tmp_path)
    assert len(converted) == 12
    second = load_images("tf_flowers", 32, data_dir=str(prepared), cache_dir=tmp_path)
    assert len(converted) == 12
    np.testing.assert_array_equal(second, first)
    smaller = load_images("tf_flowers", 16, data_dir=str(prepared), cache_dir=tmp_path)
    assert len(converted) == 24
    assert smaller.shape == (12, 16, 16, 3)


def test_what_a_file_server_adds_to_a_prepared_copy_is_passed_over(prepared, tmp_path, offline):
    first = load_images("tf_flowers", 32, data_dir=prepared, cache_dir=tmp_path / "cache")
    copy = Path(shutil.copytree(prepared, tmp_path / "copy"))
    (description,) = copy.rglob("dataset_info.json")
    (description.parent / "@eaDir").mkdir()
    (description.parent / ".DS_Store").touch()
    again = load_images("tf_flowers", 32, data_dir=copy, cache_dir=tmp_path / "cache")
    np.testing.assert_array_equal(again, first)
    assert len(list((tmp_path / "cache").iterdir())) == 1  # it is the same set


def test_the_order_is_the_same_without_the_cache(prepared, tmp_path, offline):
    first, second = (
        load_images("tf_flowers", 16, data_dir=prepared, cache_dir=tmp_path / name)
        for name in ("a", "b")
    )
    np.testing.assert_array_equal(first, second)


def test_another_prepared_copy_is_not_mistaken_for_the_first(prepared, tmp_path, offline):
    (tmp_path / "other").mkdir()
    other = prepare(tmp_path / "other", COLOURS[:3])
    for data_dir, colours in ((prepared, COLOURS), (other, COLOURS[:3]), (prepared, COLOURS)):
        images = load_images("tf_flowers", 16, data_dir=data_dir, cache_dir=tmp_path / "cache")
        assert colours_of(images) == sorted(colours)


def test_a_tilde_stands_for_the_home_folder(prepared, tmp_path, offline, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    shutil.copytree(prepared, tmp_path / "sets")
    images = load_images("tf_flowers", 16, data_dir="~/sets", cache_dir=tmp_path / "cache")
    assert colours_of(images) == sorted(COLOURS)


def test_a_missing_data_folder_is_an_error_that_names_it(tmp_path, offline):
    missing = tmp_path / "missing"
    with pytest.raises(InputError, match="data_dir must be an existing one") as error:
        load_images("tf_flowers", 32, data_dir=missing, cache_dir=tmp_path / "cache")
    assert str(missing) in str(error.value)
    assert not missing.exists()


def test_a_refused_download_is_an_error_that_names_the_alternatives(tmp_path, offline):
    (tmp_path / "data").mkdir()
    expect_unreachable(tmp_path / "data", tmp_path / "cache")


def test_a_download_that_is_not_there_is_an_error(tmp_path, serve):
    def answer(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    asked = serve(answer)
    (tmp_path / "data").mkdir()
    expect_unreachable(tmp_path / "data", tmp_path / "cache")
    assert asked.is_set()


def test_a_server_that_hangs_up_is_an_error(tmp_path, serve):
    asked = serve(lambda connection: None)
    (tmp_path / "data").mkdir()
    expect_unreachable(tmp_path / "data", tmp_path / "cache")
    assert asked.is_set()


def test_a_server_that_never_answers_is_not_waited_for(tmp_path, serve, monkeypatch):
    released = threading.Event()
    hung_up = threading.Event()

    def stay_silent(connection: socket.socket) -> None:
        released.wait(8)
        hung_up.set()

    asked = serve(stay_silent)
    monkeypatch.setattr(reachable, "SECONDS", 0.3)
    (tmp_path / "data").mkdir()
    try:
        expect_unreachable(tmp_path / "data", tmp_path / "cache")
        assert not hung_up.is_set()
        assert asked.wait(8)
    finally:
        released.set()


def test_a_name_server_that_never_answers_is_not_waited_for(tmp_path, monkeypatch):
    asked, released, given_up = threading.Event(), threading.Event(), threading.Event()

    def look_up(*arguments, **options) -> None:
        asked.set()
        released.wait(8)
        given_up.set()
        raise OSError("no answer from the name server")

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(wgan_gp.data.tf_flowers, "_URL", "http://flowers.invalid/")
    monkeypatch.setattr(reachable, "SECONDS", 0.3)
    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    (tmp_path / "data").mkdir()
    try:
        expect_unreachable(tmp_path / "data", tmp_path / "cache")
        assert not given_up.is_set()
        assert asked.wait(8)
    finally:
        released.set()


@pytest.mark.parametrize("text", ["garbage", "{}", '{"name": "tf_flowers", "version": "3.0.1"}'])
def test_a_damaged_description_is_named(tmp_path, offline, text):
    prepare(tmp_path, COLOURS[:3])
    (description,) = tmp_path.rglob("dataset_info.json")
    description.write_text(text)
    with pytest.raises(InputError, match=f"^tf_flowers in '{tmp_path}.*' is damaged: take that"):
        load_images("tf_flowers", 16, data_dir=tmp_path, cache_dir=tmp_path / "cache")


@pytest.mark.parametrize("damage", [lambda file: os.truncate(file, 99), Path.unlink])
def test_a_damaged_copy_is_named(tmp_path, offline, damage):
    prepare(tmp_path, COLOURS[:3])
    (records,) = tmp_path.rglob("*.tfrecord*")
    damage(records)
    with pytest.raises(InputError, match=f"^tf_flowers in '{records.parent}' is damaged: take"):
        load_images("tf_flowers", 16, data_dir=tmp_path, cache_dir=tmp_path / "cache")
