"""Where a run's files go."""

import errno
import json
import os
import zipfile
from pathlib import Path
from unittest.mock import Mock

import keras
import numpy as np
import pytest

from wgan_gp import Config, InputError
from wgan_gp.runs.folder import RunFolder
from wgan_gp.runs.plan import Plan
from wgan_gp.support.errors import TooLittleMemoryError


def test_numbers_go_up_from_the_highest(tmp_path):
    (tmp_path / "0007-old").mkdir()
    (tmp_path / "notes").mkdir()
    assert RunFolder.create_numbered(tmp_path, "a").path == tmp_path / "0008-a"
    assert RunFolder.create_numbered(tmp_path, "b").path == tmp_path / "0009-b"


def test_a_number_that_another_run_took_just_now_is_left_to_it(tmp_path, monkeypatch):
    first = tmp_path / "0001-a"
    first.mkdir()
    monkeypatch.setattr("wgan_gp.runs.folder.numbered", Mock(side_effect=[{}, {1: first}]))
    assert RunFolder.create_numbered(tmp_path, "a").path == tmp_path / "0002-a"


def test_the_first_number_is_1(tmp_path):
    assert RunFolder.create_numbered(tmp_path / "runs", "a").path.name == "0001-a"


def test_a_named_folder_may_exist_only_if_empty(tmp_path):
    assert RunFolder.create(tmp_path / "a" / "b").path.is_dir()
    RunFolder.create(tmp_path / "a" / "b")
    with pytest.raises(InputError, match="already holds files: choose another run_dir"):
        RunFolder.create(tmp_path / "a")


@pytest.mark.parametrize("name", [".DS_Store", "desktop.ini", "Thumbs.db"])
def test_what_file_managers_leave_does_not_take_it(tmp_path, name):
    (tmp_path / name).write_bytes(b"icons")
    assert RunFolder.create(tmp_path).path == tmp_path


def test_a_home_folder_is_meant_by_its_sign(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert RunFolder.create(Path("~/runs/a")).path == tmp_path / "runs" / "a"
    assert RunFolder.find(Path("~/runs/a")).path == tmp_path / "runs" / "a"
    with pytest.raises(InputError, match="'~nobody-of-this-name/a' cannot be found"):
        RunFolder.create(Path("~nobody-of-this-name/a"))


def test_tiles_are_in_order_beyond_a_million_iterations(tmp_path):
    folder = RunFolder.create(tmp_path)
    folder.grids.mkdir()
    for iteration in (1_000_000, 999_999):
        (folder.grids / f"iteration-{iteration:06d}.png").touch()
    assert list(folder.tiles()) == [999_999, 1_000_000]


def test_a_generator_that_cannot_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path)
    folder.generator.write_bytes(b"")

    def refuse(path):
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr("wgan_gp.runs.generator_file.zipfile.ZipFile", refuse)
    with pytest.raises(InputError, match=r"generator\.keras' cannot be read: Input/output error"):
        folder.load_generator()


def test_a_generator_of_before_a_run_was_lengthened_is_told(tmp_path, caplog, monkeypatch):
    run = RunFolder(tmp_path)
    run.write_settings(Config(iterations=60))
    run.write_facts({**Plan(Config()).facts(), "images": 9, "images_crc32": 0})
    keras.Sequential([keras.Input((4,)), keras.layers.Reshape((2, 2, 1))]).save(run.generator)
    (run.checkpoints / "iteration-000040").mkdir(parents=True)
    run.load_generator()
    assert not caplog.text  # version 0.1.0 did not note of which iteration it is
    run.update_facts({"generator_iteration": 20})
    run.load_generator()
    said = f"'{run.generator}' is of iteration 20, and the run is at 40: finish it"
    assert caplog.messages == [said]
    run.best.touch()
    run.load_generator()
    assert caplog.messages == [said, f"{said}, or ask for the best"]
    caplog.clear()
    with monkeypatch.context() as closed:
        closed.setattr(run, "newest_checkpoint", Mock(side_effect=PermissionError))
        run.load_generator()
    run.update_facts({"generator_iteration": 40})
    run.load_generator()
    assert not caplog.text


def test_a_generator_in_the_place_of_another_is_of_no_known_iteration(tmp_path):
    run = RunFolder(tmp_path)
    run.write_settings(Config(iterations=60))
    run.write_facts({**Plan(Config()).facts(), "images": 9, "images_crc32": 0})
    assert run.generator_iteration() == 60  # version 0.1.0 noted none
    run.generator.write_text("one")
    run.update_facts({"generator_sha256": None})  # as each run begins with
    assert run.generator_iteration() is None
    run.note_generator(20)
    assert run.generator_iteration() == 20
    run.generator.write_text("another")
    assert run.generator_iteration() is None


def test_an_unfinished_run_says_that_its_best_generator_is_there(tmp_path):
    folder = RunFolder.create(tmp_path)
    with pytest.raises(InputError, match=r"no generator\.keras: has its training finished\?"):
        folder.load_generator()
    folder.generator_file(best=True).touch()
    with pytest.raises(InputError, match=r"the best one so far is there: ask for the best\): "):
        folder.load_generator()


def test_a_generator_whose_parts_claim_to_be_encrypted_is_damaged(tmp_path):
    folder = RunFolder.create(tmp_path)
    with zipfile.ZipFile(folder.generator, "w") as parts:
        parts.writestr("config.json", "{}")
    content = bytearray(folder.generator.read_bytes())
    content[content.index(b"PK\1\2") + 8] ^= 1  # the flag in the list of parts
    folder.generator.write_bytes(content)
    with pytest.raises(InputError, match=r"generator\.keras' is damaged and cannot be loaded"):
        folder.load_generator()


def test_a_generator_whose_parts_make_no_sense_is_damaged(tmp_path):
    folder = RunFolder.create(tmp_path)
    with zipfile.ZipFile(folder.generator, "w", zipfile.ZIP_LZMA) as parts:
        parts.writestr("config.json", "{}" * 100)
    content = bytearray(folder.generator.read_bytes())
    content[60:70] = bytes(10)
    folder.generator.write_bytes(content)
    with pytest.raises(InputError, match=r"generator\.keras' is damaged and cannot be loaded"):
        folder.load_generator()
    with zipfile.ZipFile(folder.generator, "w") as parts:
        parts.writestr("config.json", "{}")
    content = bytearray(folder.generator.read_bytes())
    at = content.index(b"PK\5\6") + 16  # where the list of parts begins
    content[at : at + 4] = (1 << 30).to_bytes(4, "little")  # and with it, before the file
    folder.generator.write_bytes(content)
    with pytest.raises(InputError, match=r"generator\.keras' is damaged and cannot be loaded"):
        folder.load_generator()


def test_too_little_memory_does_not_make_a_generator_unknown(tmp_path, monkeypatch):
    folder = RunFolder.create(tmp_path)
    with zipfile.ZipFile(folder.generator, "w") as parts:
        parts.writestr("config.json", "{}")
    monkeypatch.setattr(keras.saving, "load_model", Mock(side_effect=MemoryError))
    with pytest.raises(TooLittleMemoryError, match="not enough memory"):
        folder.load_generator()


def test_what_is_left_of_a_start_that_was_killed_does_not_take_the_folder(tmp_path):
    for name in (".lock", ".writing-run.json", "run.json", "config.json"):
        (tmp_path / name).write_text("")
        assert RunFolder.create(tmp_path).path == tmp_path


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"no run folder can be made at '.*below'"):
        RunFolder.create(tmp_path / "file" / "below")
    with pytest.raises(InputError, match=r"no run folder can be made in '.*file'"):
        RunFolder.create_numbered(tmp_path / "file", "a")


def test_the_name_of_a_folder_of_photographs_need_not_be_utf_8(tmp_path):
    data = os.fsdecode(b"/fotos-\xe9t\xe9")
    folder = RunFolder.create(tmp_path / "run")
    folder.write_settings(Config())
    plan = Plan(Config(), preset="matlab", data=data)
    folder.write_facts({**plan.facts(), "images": 1, "images_crc32": 0})
    assert Plan.of_run(folder) == plan


def test_numpy_s_whole_numbers_are_facts_and_no_fraction_is_cut_to_one(tmp_path):
    folder = RunFolder.create(tmp_path / "run")
    folder.write_facts({"checkpoint_every": np.int64(2)})
    assert json.loads(folder.facts_file.read_text()) == {"checkpoint_every": 2}
    with pytest.raises(TypeError):
        folder.write_facts({"seconds": np.float32(2.5)})
