"""Files and folders that are there whole or not at all."""

import os
from pathlib import Path

import pytest

from wgan_gp.support import files
from wgan_gp.support.files import replacing


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
    monkeypatch.setattr(files, "_FOLDERS_SYNC", False)
    write_folder(tmp_path / "folder")
    with replacing(tmp_path / "file") as unfinished:
        unfinished.write_text("c")
    assert synced == {"a", "b", ".writing-file"}
    assert (tmp_path / "folder" / "deep" / "b").read_text() == "b"
    assert (tmp_path / "file").read_text() == "c"
