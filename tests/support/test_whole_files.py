"""Files and folders that are there whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from wgan_gp.support import whole_files
from wgan_gp.support.whole_files import replacing, write_whole


@pytest.fixture
def synced(monkeypatch) -> set[str]:
    """The names of what has reached the disk itself."""
    names = {}
    really_open, really_sync = os.open, os.fsync
    reached = set()

    def open_and_note(path, *arguments, **options):
        descriptor = really_open(path, *arguments, **options)
        names[descriptor] = Path(path).name
        return descriptor

    def sync_and_note(descriptor):
        reached.add(names[descriptor])
        really_sync(descriptor)

    monkeypatch.setattr(os, "open", open_and_note)
    monkeypatch.setattr(os, "fsync", sync_and_note)
    return reached


def write_folder(path: Path) -> None:
    with replacing(path) as unfinished:
        (unfinished / "deep").mkdir(parents=True)
        (unfinished / "a").write_text("a")
        (unfinished / "deep" / "b").write_text("b")


def test_all_in_a_written_folder_is_on_the_disk_before_it_takes_its_name(tmp_path, synced):
    write_folder(tmp_path / "folder")
    assert synced == {"a", "b", "deep", ".writing-folder", tmp_path.name}


def test_a_system_that_opens_no_folder_is_written_to(tmp_path, synced, monkeypatch):
    """As Windows does, which asks for the right to write before it syncs, too."""
    note = os.open

    def refuse_folders(path, flags, *arguments, **options):
        if Path(path).is_dir() or not flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied", str(path))
        return note(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse_folders)
    monkeypatch.setattr(whole_files, "_FOLDERS_SYNC", False)
    write_folder(tmp_path / "folder")
    with replacing(tmp_path / "file") as unfinished:
        unfinished.write_text("c")
    assert synced == {"a", "b", ".writing-file"}
    assert (tmp_path / "folder" / "deep" / "b").read_text() == "b"
    assert (tmp_path / "file").read_text() == "c"


def refuse_to_sync_folders(monkeypatch, number: int) -> None:
    really_sync = whole_files._sync

    def sync(path, flags):
        if path.is_dir():
            raise OSError(number, os.strerror(number), str(path))
        really_sync(path, flags)

    monkeypatch.setattr(whole_files, "_sync", sync)


def test_a_shared_folder_that_cannot_be_synced_is_written_to(tmp_path, monkeypatch):
    refuse_to_sync_folders(monkeypatch, errno.EINVAL)
    write_folder(tmp_path / "folder")
    assert (tmp_path / "folder" / "deep" / "b").read_text() == "b"


def test_a_folder_that_fails_to_be_synced_is_an_error(tmp_path, monkeypatch):
    refuse_to_sync_folders(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="Input/output error"):
        write_folder(tmp_path / "folder")


@pytest.mark.parametrize("refused", [2, 3])
def test_a_file_that_another_program_reads_is_waited_for(tmp_path, monkeypatch, refused):
    """On Windows it cannot be replaced meanwhile."""
    really_replace, waited, left = Path.replace, [], [refused]

    def replace(path, target):
        left[0] -= 1
        if left[0] >= 0:
            raise PermissionError(errno.EACCES, "in use", str(target))
        return really_replace(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    monkeypatch.setattr(whole_files, "_WAITS", (1, 2))
    monkeypatch.setattr(whole_files.time, "sleep", waited.append)
    (tmp_path / "a").write_text("before")
    if refused == 2:
        write_whole(tmp_path / "a", "after")
    else:
        with pytest.raises(PermissionError):
            write_whole(tmp_path / "a", "after")
    assert waited == [1, 2]
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a": "after" if refused == 2 else "before"
    }


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def replace_folder(path: Path) -> None:
    with replacing(path) as unfinished:
        unfinished.mkdir()
        (unfinished / "new").write_text("new")


def test_a_folder_takes_the_place_of_another(tmp_path):
    write_folder(tmp_path / "folder")
    replace_folder(tmp_path / "folder")
    assert contents(tmp_path) == {"folder/new": "new"}
    (tmp_path / "file").write_text("a file")
    replace_folder(tmp_path / "file")
    assert contents(tmp_path) == {"folder/new": "new", "file/new": "new"}


@pytest.mark.parametrize("is_replaced", [False, True])
def test_what_a_kill_left_of_a_folder_that_was_replaced_is_put_back_or_removed(
    tmp_path, is_replaced
):
    folder, former = tmp_path / "folder", tmp_path / ".writing-folder-former"
    write_folder(folder if is_replaced else former)
    if is_replaced:
        former.mkdir()
    with pytest.raises(ZeroDivisionError), replacing(folder):
        raise ZeroDivisionError
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert (folder / "deep" / "b").read_text() == "b"


def test_a_folder_that_was_being_removed_does_not_come_back(tmp_path, monkeypatch):
    write_folder(tmp_path / "folder")

    def be_killed(folder: Path) -> None:
        (folder / "a").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as killing:
        killing.setattr(whole_files.shutil, "rmtree", be_killed)
        with pytest.raises(KeyboardInterrupt):
            replace_folder(tmp_path / "folder")
    (tmp_path / "folder").rename(tmp_path / "elsewhere")
    whole_files.recover(tmp_path / "folder")
    assert not (tmp_path / "folder").exists()
    replace_folder(tmp_path / "folder")
    assert contents(tmp_path) == {"folder/new": "new", "elsewhere/new": "new"}


@pytest.mark.parametrize("number", [1, 2])
def test_a_stop_as_a_folder_takes_the_place_of_another_leaves_one_of_them(
    tmp_path, monkeypatch, number
):
    write_folder(tmp_path / "folder")
    rename, left = whole_files._rename, [number]

    def be_stopped(old: Path, new: Path) -> None:
        rename(old, new)
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(whole_files, "_rename", be_stopped)
    with pytest.raises(KeyboardInterrupt):
        replace_folder(tmp_path / "folder")
    former = {"folder/a": "a", "folder/deep/b": "b"}
    assert contents(tmp_path) == (former if number == 1 else {"folder/new": "new"})
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_what_a_killed_process_left_is_no_part_of_a_folder(tmp_path):
    (tmp_path / ".writing-folder").mkdir()
    (tmp_path / ".writing-folder" / "stale").write_text("stale")
    write_folder(tmp_path / "folder")
    assert contents(tmp_path) == {"folder/a": "a", "folder/deep/b": "b"}


@pytest.mark.parametrize("failing", [1, 2])
def test_a_folder_that_cannot_be_replaced_stays_as_it_was(tmp_path, monkeypatch, failing):
    write_folder(tmp_path / "folder")
    really_replace, calls = Path.replace, []

    def replace(path, target):
        calls.append(target)
        if len(calls) == failing:
            raise KeyboardInterrupt
        return really_replace(path, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        replace_folder(tmp_path / "folder")
    assert contents(tmp_path) == {"folder/a": "a", "folder/deep/b": "b"}


def test_a_folder_whose_removal_is_interrupted_has_been_replaced(tmp_path, monkeypatch):
    write_folder(tmp_path / "folder")
    really_remove = whole_files.shutil.rmtree

    def remove_a_part(path):
        (path / "a").unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(whole_files.shutil, "rmtree", remove_a_part)
    with pytest.raises(KeyboardInterrupt):
        replace_folder(tmp_path / "folder")
    assert contents(tmp_path / "folder") == {"new": "new"}
    monkeypatch.setattr(whole_files.shutil, "rmtree", really_remove)
    replace_folder(tmp_path / "folder")
    assert contents(tmp_path) == {"folder/new": "new"}


@pytest.mark.parametrize("ending", [".png", "x.png"])
def test_a_name_may_be_as_long_as_names_can_be(tmp_path, ending):
    path = tmp_path / ("ü" * 125 + ending)
    with replacing(path) as unfinished:
        str(unfinished).encode()  # no half of a letter is left
        unfinished.touch()
    write_whole(path, "whole")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["whole"]


def test_lines_end_alike_on_every_system(tmp_path, monkeypatch):
    """Windows ends them in two characters where nothing else is asked for."""
    really_write = Path.write_text

    def write_as_windows(path, text, encoding, newline=None):
        return really_write(path, text, encoding, newline=newline or "\r\n")

    monkeypatch.setattr(Path, "write_text", write_as_windows)
    write_whole(tmp_path / "a", "1\n2\n")
    assert (tmp_path / "a").read_bytes() == b"1\n2\n"
