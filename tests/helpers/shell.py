"""`wgan-gp` as a user runs it: in a process of its own, or quicker in this one."""

import contextlib
import io
import logging
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wgan_gp.cli.main import main

# A run of seconds: 20 small pictures, 3 iterations.
TINY = [
    "--image-size=32", "--base-filters=2", "--batch-size=4", "--n-critic=2", "--iterations=3",
    "--monitor-every=2", "--holdout=0", "--final-learning-rate=1",
]  # fmt: skip


class Shell:
    """A folder to run `wgan-gp` in."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment

    def __call__(
        self, *arguments: str, status: int = 0, preexec: Callable[[], None] | None = None
    ) -> subprocess.CompletedProcess:
        """Run the command to its end; `preexec` sets limits on its process."""
        result = subprocess.run(
            self._command(arguments),
            capture_output=True,
            timeout=300,
            check=False,
            preexec_fn=preexec,
            **self._options(),
        )
        assert result.returncode == status, result.stdout + result.stderr
        assert "Traceback" not in result.stderr
        return result

    def start(self, *arguments: str, stderr: int = subprocess.PIPE) -> subprocess.Popen:
        """Start the command and leave it running, to be interrupted like one in the foreground."""
        return subprocess.Popen(
            self._command(arguments),
            stdout=subprocess.PIPE,
            stderr=stderr,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            **self._options(),
        )

    def mistake(self, *arguments: str, **options: Any) -> str:
        """The one line that a user's mistake is answered with."""
        lines = errors(self(*arguments, status=2, **options))
        assert len(lines) == 1
        assert lines[0].startswith("wgan-gp: ")
        return lines[0]

    def _command(self, arguments: tuple[str, ...]) -> list[str]:
        return [sys.executable, "-m", "wgan_gp", *map(str, arguments)]

    def _options(self) -> dict[str, Any]:
        return {"cwd": self.folder, "env": self.environment, "text": True}


class InProcess(Shell):
    """The same in this process: `main` is called, and TensorFlow need not start once more.

    Its folder has to be the current one, or every path absolute.
    """

    def __call__(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess:
        result = self.attempt(*arguments)
        assert result.returncode == status, result.stdout + result.stderr
        return result

    def attempt(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run the command, however it ends."""
        out, err = io.StringIO(), io.StringIO()
        log, handler = logging.getLogger("wgan_gp"), logging.StreamHandler(err)
        log.addHandler(handler)
        code = 0
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                main([*map(str, arguments)])
        except SystemExit as exit_:
            code = exit_.code or 0
        finally:
            log.removeHandler(handler)
        return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def errors(result: subprocess.CompletedProcess) -> list[str]:
    """The lines on standard error, without the progress of reading images."""
    return [x for x in result.stderr.splitlines() if x and not x.startswith("Reading images")]
