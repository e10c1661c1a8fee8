"""Stand-ins for network and time: scripted answers, the sandbox without sockets, a clock that only sleeps move."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import requests
import urllib3
from requests.adapters import BaseAdapter

from cshub.systems.http import HttpPolicy, Wire
from cshub_sandbox.inprocess import AnswerLost, AnswerTooSlow, AnswerTruncated, ConnectTimeout, call
from cshub_sandbox.kernel import Request
from cshub_sandbox.sandbox import Sandbox


@dataclass
class FakeTime:
    """Seconds that pass only while something sleeps. ``move`` also moves what else shall feel it."""

    now: float = 1_000_000_000.0
    slept: list[float] = field(default_factory=list)
    move: Callable[[float], None] = lambda seconds: None

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self.move(seconds)

    def wire(self, adapter: BaseAdapter, *, policy: HttpPolicy | None = None, quota: Any = None) -> Wire:
        return Wire(policy=policy, quota=quota, adapter=adapter, sleep=self.sleep, clock=self.clock, wall=self.clock)


@dataclass(frozen=True)
class Say:
    """One scripted answer. ``body``: bytes as they are, anything else as JSON."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Script(BaseAdapter):
    """Answers with the given steps in order, the last one for ever. A step may be an exception to raise."""

    def __init__(self, *steps: Say | Exception) -> None:
        super().__init__()
        self._steps = list(steps)
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        self.requests.append(request)
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        if isinstance(step, Exception):
            raise step
        is_json = not isinstance(step.body, bytes)
        headers = {"Content-Type": "application/json"} if is_json else {}
        return response_of(
            request, step.status, orjson.dumps(step.body) if is_json else step.body, {**headers, **step.headers}
        )

    def close(self) -> None:
        """Nothing is kept open."""


class GateAdapter(BaseAdapter):
    """Carries requests to a service of the sandbox, and its transport faults back, without a socket."""

    def __init__(self, sandbox: Sandbox, name: str) -> None:
        super().__init__()
        self._sandbox, self._name = sandbox, name

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        body = request.body or b""
        asked = Request(
            method=request.method or "GET",
            path=parts.path,
            query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): str(value) for name, value in request.headers.items()},
            body=body if isinstance(body, bytes) else str(body).encode(),
        )
        try:
            reply = call(self._sandbox.gates[self._name], asked)
        except ConnectTimeout as error:
            raise requests.ConnectTimeout(str(error)) from error
        except AnswerTooSlow as error:
            raise requests.ReadTimeout(str(error)) from error
        except AnswerTruncated as error:
            raise requests.exceptions.ChunkedEncodingError(str(error)) from error
        except AnswerLost as error:
            raise requests.ConnectionError(
                urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, str(error)))
            ) from error
        return response_of(request, reply.status, reply.body, reply.headers)

    def close(self) -> None:
        """Nothing is kept open."""


def response_of(
    request: requests.PreparedRequest, status: int, body: bytes, headers: Mapping[str, str]
) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.headers.update(headers)
    response.url = request.url or ""
    response.request = request
    response.raw = urllib3.HTTPResponse(
        body=io.BytesIO(body), headers=dict(headers), status=status, preload_content=False
    )
    return response
