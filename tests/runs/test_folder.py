"""Where a run's files go."""

import pytest

from wgan_gp import InputError
from wgan_gp.runs.folder import RunFolder


def test_numbers_go_up_from_the_highest(tmp_path):
    (tmp_path / "0007-old").mkdir()
    (tmp_path / "notes").mkdir()
    assert RunFolder.create_numbered(tmp_path, "a").path == tmp_path / "0008-a"
    assert RunFolder.create_numbered(tmp_path, "b").path == tmp_path / "0009-b"


def test_the_first_number_is_1(tmp_path):
    assert RunFolder.create_numbered(tmp_path / "runs", "a").path.name == "0001-a"


def test_a_named_folder_may_exist_only_if_empty(tmp_path):
    assert RunFolder.create(tmp_path / "a" / "b").path.is_dir()
    RunFolder.create(tmp_path / "a" / "b")
    with pytest.raises(InputError, match="already holds files: choose another run_dir"):
        RunFolder.create(tmp_path / "a")


def test_what_is_left_of_a_start_that_was_killed_does_not_take_the_folder(tmp_path):
    for name in (".lock", ".writing-run.json", "run.json"):
        (tmp_path / name).write_text("")
        assert RunFolder.create(tmp_path).path == tmp_path


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"no run folder can be made at '.*below'"):
        RunFolder.create(tmp_path / "file" / "below")
    with pytest.raises(InputError, match=r"no run folder can be made in '.*file'"):
        RunFolder.create_numbered(tmp_path / "file", "a")
