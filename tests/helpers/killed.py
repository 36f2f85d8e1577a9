"""`wgan-gp`, killed on its way: python killed.py TEXT NUMBER SECONDS OPTION...

The process kills itself the given seconds after its file operation of that number, counting from 1
those whose path contains the text. Without so many it ends as usual.
"""

import os
import signal
import sys
import threading

_EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.listdir", "os.scandir"}


def main() -> None:
    text, number, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    sys.argv = ["wgan-gp", *sys.argv[4:]]
    count = 0

    def watch(event: str, arguments: tuple) -> None:
        nonlocal count
        if event in _EVENTS and text in str(arguments[0]):
            count += 1
            if count == number:
                kill_after(seconds)

    sys.addaudithook(watch)
    from wgan_gp.cli.main import main

    main()


def kill_after(seconds: float) -> None:
    if not seconds:
        os.kill(os.getpid(), signal.SIGKILL)
    timer = threading.Timer(seconds, os.kill, [os.getpid(), signal.SIGKILL])
    timer.daemon = True
    timer.start()


if __name__ == "__main__":
    main()
