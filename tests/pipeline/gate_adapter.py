"""Carries the hub's HTTP requests into a sandbox of the same process; a fuse may blow before and after each call."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import requests

from cshub_sandbox.sandbox import Sandbox
from tests.pipeline.crashes import Fuse
from tests.systems.wire import GateAdapter

ONE_CALL_AT_A_TIME = threading.Lock()  # a sandbox has one caller at a time


class FusedGateAdapter(GateAdapter):
    """A gate adapter whose every call takes ``takes_s`` seconds and is two boundaries at which a process may die."""

    def __init__(self, sandbox: Sandbox, name: str, fuse: Fuse, *, takes_s: float = 0.0) -> None:
        super().__init__(sandbox, name)
        self._fuse = fuse
        self._takes = timedelta(seconds=takes_s)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        place = f"{request.method} {urlsplit(request.url or '').path}"
        self._fuse.step(f"before {place}")
        try:
            with ONE_CALL_AT_A_TIME:
                return super().send(request, *args, **kwargs)
        finally:
            if self._takes:
                self._sandbox.clock.advance(self._takes)
            self._fuse.step(f"after {place}")
