"""Carries the hub's HTTP requests into a sandbox of the same process, with all faults of the transport."""

from __future__ import annotations

import io
import threading
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3
from requests.adapters import BaseAdapter

from cshub_sandbox.inprocess import AnswerLost, AnswerTooSlow, AnswerTruncated, ConnectTimeout, call
from cshub_sandbox.kernel import Request
from cshub_sandbox.sandbox import Sandbox
from tests.pipeline.crashes import Fuse

ONE_CALL_AT_A_TIME = threading.Lock()  # a sandbox has one caller at a time


class GateAdapter(BaseAdapter):
    """Carries requests to a service of the sandbox, and its transport faults back, without a socket."""

    def __init__(self, sandbox: Sandbox, name: str, fuse: Fuse) -> None:
        super().__init__()
        self._sandbox = sandbox
        self._name = name
        self._fuse = fuse

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        place = f"{request.method} {urlsplit(request.url or '').path}"
        self._fuse.step(f"before {place}")
        try:
            return self._answer(request)
        finally:
            self._fuse.step(f"after {place}")

    def _answer(self, request: requests.PreparedRequest) -> requests.Response:
        parts = urlsplit(request.url or "")
        body = request.body or b""
        asked = Request(
            method=request.method or "GET",
            path=parts.path,
            query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): str(value) for name, value in request.headers.items()},
            body=body.encode() if isinstance(body, str) else bytes(body),
        )
        try:
            with ONE_CALL_AT_A_TIME:
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
        response = requests.Response()
        response.status_code = reply.status
        response.headers.update(reply.headers)
        response.url = request.url or ""
        response.request = request
        response.raw = urllib3.HTTPResponse(
            body=io.BytesIO(reply.body), headers=dict(reply.headers), status=reply.status, preload_content=False
        )
        return response

    def close(self) -> None:
        """Nothing is kept open."""
