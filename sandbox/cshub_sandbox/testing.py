"""Starts the sandbox inside a test: the real server on real ports, in a thread of the same process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests

from .sandbox import SERVICES, Sandbox, WorldSize, login_of
from .server import CONTROL, SandboxServer

START_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a simulated service listens, and a token that it accepts."""

    url: str
    token: str


class ControlClient:
    """The control address as methods. Every method raises ``requests.HTTPError`` when the sandbox refuses."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def log(
        self, service: str | None = None, *, writes: bool | None = None, since: datetime | None = None
    ) -> list[Any]:
        """Calls received so far, oldest first, as the JSON objects of ``GET /log``."""
        params = {
            "service": service,
            "writes": None if writes is None else str(writes).lower(),
            "since": since.isoformat() if since else None,
        }
        answer: list[Any] = self._call("GET", "/log", params={k: v for k, v in params.items() if v is not None})
        return answer

    def clear_log(self) -> None:
        self._call("DELETE", "/log")

    def state(self, service: str) -> Any:
        return self._call("GET", f"/state/{service}")

    def world(self) -> Any:
        return self._call("GET", "/world")

    def reset(self, **size: Any) -> Any:
        """A new world: ``seed``, ``accounts``, ``meetings``, ``cases`` (left out = as before), ``now`` (ISO text).

        Tokens may change; the answer has them as ``tokens``.
        """
        return self._call("POST", "/reset", json=size)

    def now(self) -> datetime:
        return datetime.fromisoformat(self._call("GET", "/clock")["now"])

    def advance(self, seconds: float) -> None:
        self._call("POST", "/clock", json={"advance_s": seconds})

    def set_clock(self, at: datetime) -> None:
        self._call("POST", "/clock", json={"set": at.isoformat()})

    def freeze(self, frozen: bool = True) -> None:
        self._call("POST", "/clock", json={"freeze": frozen})

    def add_fault(self, kind: str, **conditions: Any) -> None:
        """A fault from now on; the conditions are the fields of ``FaultRule``."""
        self._call("POST", "/faults", json={"kind": kind, **conditions})

    def faults(self) -> list[Any]:
        answer: list[Any] = self._call("GET", "/faults")
        return answer

    def clear_faults(self) -> None:
        self._call("DELETE", "/faults")

    def switch(self, service: str, **switches: Any) -> Any:
        """Changes switches of a service; without any, says how they are set."""
        if not switches:
            return self._call("GET", f"/switches/{service}")
        return self._call("POST", f"/switches/{service}", json=switches)

    def act(self, service: str, action: str, **arguments: Any) -> Any:
        """An edit as a user of that service would make it; gives what the action gives."""
        return self._call("POST", f"/act/{service}/{action}", json=arguments)["result"]

    def close(self) -> None:
        self._session.close()

    def _call(self, method: str, path: str, *, params: Mapping[str, str] | None = None, json: Any = None) -> Any:
        response = self._session.request(method, self.url + path, params=params, json=json, timeout=60)
        if response.status_code >= 400:
            raise requests.HTTPError(f"{method} {path}: {response.status_code} {response.text}", response=response)
        return response.json()


@dataclass(frozen=True, slots=True)
class RunningSandbox:
    """A sandbox that listens. ``sandbox`` is the live object: read it freely, change it through ``control``."""

    sandbox: Sandbox
    urls: Mapping[str, str]
    control: ControlClient

    def endpoint(self, name: str) -> Endpoint:
        """Address and present token of a service. Raises ``KeyError`` when it does not run here."""
        return Endpoint(self.urls[name], self.sandbox.service(name).token)

    @property
    def chorus(self) -> Endpoint:
        return self.endpoint("chorus")

    @property
    def totango(self) -> Endpoint:
        return self.endpoint("totango")

    @property
    def salesforce(self) -> Endpoint:
        return self.endpoint("salesforce")

    @property
    def salesforce_login(self) -> Mapping[str, str]:
        """client_id, client_secret, domain, username, password, security_token of the integration user."""
        return login_of(self.sandbox.service("salesforce"))


@contextmanager
def start_sandbox(
    services: Iterable[str] = SERVICES,
    *,
    seed: int = 1,
    accounts: int = 12,
    meetings: int = 60,
    cases: bool = True,
    now: datetime | None = None,
) -> Iterator[RunningSandbox]:
    """The named services on free ports of 127.0.0.1, as long as the ``with`` block runs."""
    size = WorldSize(seed, accounts, meetings, cases)
    server = SandboxServer(Sandbox(services, size=size, now=now))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="sandbox", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(START_TIMEOUT_S)
        control = ControlClient(server.urls[CONTROL])
        try:
            yield RunningSandbox(server.sandbox, server.urls, control)
        finally:
            control.close()
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(START_TIMEOUT_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_TIMEOUT_S)
        loop.close()
