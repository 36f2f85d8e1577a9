"""Ports for the workers of a test."""

import contextlib
import socket


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens on, each another one."""
    with contextlib.ExitStack() as all_open:
        sockets = [all_open.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
