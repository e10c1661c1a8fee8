"""Choosing TCP ports of the loopback address."""

import socket

from cshub_runtime.settings import LOOPBACK

TRIES = 100


class NoFreePort(RuntimeError):
    """All ports that were tried are in use."""


def any_free_port() -> int:
    """A port that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def next_free_port(first: int) -> int:
    """The first port from `first` on that nobody uses. Raises NoFreePort when the next hundred are taken."""
    for port in range(first, min(first + TRIES, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise NoFreePort(f"No free port from {first} on. Choose another one with --port.")
