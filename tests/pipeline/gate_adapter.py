"""Carries the hub's HTTP requests into a sandbox of the same process; a fuse may blow before and after each call."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import urlsplit

import requests

from cshub_sandbox.sandbox import Sandbox
from tests.pipeline.crashes import Fuse
from tests.systems.wire import GateAdapter

ONE_CALL_AT_A_TIME = threading.Lock()  # a sandbox has one caller at a time


class FusedGateAdapter(GateAdapter):
    """A gate adapter every call of which is two boundaries at which a process may die."""

    def __init__(self, sandbox: Sandbox, name: str, fuse: Fuse) -> None:
        super().__init__(sandbox, name)
        self._fuse = fuse

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        place = f"{request.method} {urlsplit(request.url or '').path}"
        self._fuse.step(f"before {place}")
        try:
            with ONE_CALL_AT_A_TIME:
                return super().send(request, *args, **kwargs)
        finally:
            self._fuse.step(f"after {place}")
