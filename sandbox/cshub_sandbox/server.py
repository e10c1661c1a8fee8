"""Carries the services over HTTP: one asyncio process, one port per service and one for control, on 127.0.0.1.

Calls of one service are handled strictly one after the other; faults of the transport are really carried out.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage

from .control import Control
from .gate import Ending, Outcome
from .kernel import Reply, Request
from .sandbox import Sandbox

HOST = "127.0.0.1"
CONTROL = "control"
LARGEST_BODY = 160 * 1024 * 1024  # a bulk upload, docs/vendors/salesforce.md §3.2
LONGEST_LINE = 256 * 1024  # bytes; a service that takes less says so itself


class Handle(Protocol):
    def __call__(self, request: Request) -> Outcome: ...


class SandboxServer:
    """The running sandbox. ``start`` binds the ports; ``urls`` then says where each service listens."""

    def __init__(self, sandbox: Sandbox, *, ports: Mapping[str, int] | None = None) -> None:
        self.sandbox = sandbox
        self.urls: dict[str, str] = {}
        self._ports = dict(ports or {})
        self._runners: list[web.ServerRunner] = []

    async def start(self) -> None:
        """Binds every port. Raises ``OSError`` when a wanted port is taken."""
        for name in self.sandbox.gates:
            await self._listen(name, self._gate_handle(name))
        control = Control(self.sandbox)
        await self._listen(CONTROL, lambda request: Outcome(control.handle(request)))

    async def stop(self) -> None:
        """Closes every port and connection."""
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    def _gate_handle(self, name: str) -> Handle:
        return lambda request: self.sandbox.gates[name].handle(request)

    async def _listen(self, name: str, handle: Handle) -> None:
        runner = web.ServerRunner(
            web.Server(
                _handler(handle),
                access_log=None,
                request_factory=_make_request,
                max_line_size=LONGEST_LINE,
                max_field_size=LONGEST_LINE,
            ),
            shutdown_timeout=0.2,
        )
        await runner.setup()
        self._runners.append(runner)
        site = web.TCPSite(runner, HOST, self._ports.get(name, 0))
        await site.start()
        address = runner.addresses[0]
        self.urls[name] = f"http://{address[0]}:{address[1]}"


def _handler(handle: Handle) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    async def answer(raw: web.BaseRequest) -> web.StreamResponse:
        outcome = handle(await _read(raw))
        if outcome.transport is None:
            return _response(outcome.reply)
        return await _carry_out(raw, outcome)

    return answer


def _make_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    return web.BaseRequest(
        message, payload, protocol, writer, task, asyncio.get_running_loop(), client_max_size=LARGEST_BODY
    )


async def _read(raw: web.BaseRequest) -> Request:
    return Request(
        method=raw.method,
        path=raw.path,
        query=tuple(raw.query.items()),
        headers={name.lower(): value for name, value in raw.headers.items()},
        body=await raw.read() if raw.can_read_body else b"",
    )


def _response(reply: Reply) -> web.Response:
    return web.Response(status=reply.status, body=reply.body, headers=reply.headers)


async def _carry_out(raw: web.BaseRequest, outcome: Outcome) -> web.StreamResponse:
    transport, reply = outcome.transport, outcome.reply
    assert transport is not None
    if transport.delay_s:
        await asyncio.sleep(transport.delay_s)
    if transport.ending in (Ending.RESET, Ending.CLOSED):
        _end(raw, reset=transport.ending is Ending.RESET)
        return web.Response()
    if transport.ending is Ending.ANSWERED and not transport.byte_delay_s:
        return _response(reply)
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    response.content_length = len(reply.body)
    with contextlib.suppress(ConnectionError):
        await response.prepare(raw)
        if transport.ending is Ending.TRUNCATED:
            await response.write(reply.body[: len(reply.body) // 2])
            _end(raw, reset=False)
        else:
            for byte in reply.body:
                await response.write(bytes([byte]))
                await asyncio.sleep(transport.byte_delay_s)
            await response.write_eof()
    return response


def _end(raw: web.BaseRequest, *, reset: bool) -> None:
    """Ends the connection of a call; ``reset`` makes the kernel send RST instead of FIN."""
    if raw.transport is None:
        return
    if reset:
        connection: socket.socket | None = raw.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.transport.abort()
    else:
        raw.transport.close()
