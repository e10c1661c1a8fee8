"""Calls a gate without sockets: an answer comes back, or the exception that a caller over a network would see.

No time passes: an answer that would come too late is an exception at once.

    TransportError
    ├── ConnectTimeout      nobody answered the connection; the service never saw the call
    ├── AnswerLost          the connection ended without an answer; the call may have been carried out
    ├── AnswerTooSlow       the answer did not come within the caller's patience; it was carried out
    └── AnswerTruncated     the connection ended in the middle of the body; ``received`` is what came
"""

from __future__ import annotations

from .gate import Ending, Gate
from .kernel import Reply, Request


class TransportError(Exception):
    """The call did not end with a complete answer."""


class ConnectTimeout(TransportError):
    """Nobody answered the connection."""


class AnswerLost(TransportError):
    """The connection ended without an answer."""


class AnswerTooSlow(TransportError):
    """The answer did not come in time."""


class AnswerTruncated(TransportError):
    """The connection ended in the middle of the answer."""

    def __init__(self, message: str, received: Reply) -> None:
        super().__init__(message)
        self.received = received


def call(gate: Gate, request: Request, *, timeout_s: float = 60.0) -> Reply:
    """The answer of the service behind ``gate``, for a caller that waits at most ``timeout_s`` seconds for all of it.

    Raises ``TransportError`` (see the tree above) where a fault of the transport was scripted.
    """
    outcome = gate.handle(request)
    transport, reply = outcome.transport, outcome.reply
    if transport is None:
        return reply
    where = f"{request.method} {request.path}"
    if not transport.connected:
        raise ConnectTimeout(f"{where}: no connection")
    if transport.ending in (Ending.RESET, Ending.CLOSED):
        raise AnswerLost(f"{where}: the connection was {transport.ending} without an answer")
    if transport.delay_s + transport.byte_delay_s * len(reply.body) > timeout_s:
        raise AnswerTooSlow(f"{where}: no complete answer within {timeout_s:g} s")
    if transport.ending is Ending.TRUNCATED:
        half = Reply(reply.status, reply.body[: len(reply.body) // 2], reply.headers)
        raise AnswerTruncated(f"{where}: {len(half.body)} of {len(reply.body)} bytes came", half)
    return reply
