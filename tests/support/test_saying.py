"""Nobody reading does not end what is being done."""

import io
import os
from pathlib import Path

import pytest

from wgan_gp.support.progress_bar import progress_bar
from wgan_gp.support.saying import answer, be_able_to_say, say


def unread_pipe():
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w")


def test_a_line_is_printed_at_once():
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    with os.fdopen(writing, "w") as pipe:
        say("a line", pipe)
        assert os.read(reading, 99) == b"a line\n"
    os.close(reading)


def test_a_pipe_that_nobody_reads_swallows_what_is_said():
    with unread_pipe() as pipe:
        say("a line", pipe)
        say("another", pipe)
        pipe.write("and what the end of the program flushes")


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [("ascii", b"\xe9\\xfc\\u82b1\n"), ("utf-8", b"\xe9\xc3\xbc\xe8\x8a\xb1\n")],
)
def test_a_name_is_said_as_it_can_be_pasted(monkeypatch, encoding, expected):
    said = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(said, encoding=encoding))
    be_able_to_say()
    say(os.fsdecode(b"\xe9") + "\u00fc\u82b1")
    assert said.getvalue() == expected


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_swallows_what_is_said_and_not_what_was_asked_for(monkeypatch):
    with Path("/dev/full").open("w") as full:
        say("a line", full)
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr("sys.stdout", full)
        say("a line")
    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr("sys.stdout", full)
        with pytest.raises(OSError, match="No space left on device: 'standard output'"):
            answer("what was asked for")


def test_a_bar_without_standard_error_leaves_standard_output_alone(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr", None)
    assert list(progress_bar([1, 2])) == [1, 2]
    assert capsys.readouterr().out == ""


def test_a_line_of_a_log_is_not_said_again_before_the_next_is_due():
    bar = progress_bar([1, 2], file=io.StringIO())
    assert bar.maxinterval == bar.mininterval == 60
