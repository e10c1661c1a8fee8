"""The sandbox of the three services as a child process of the demo."""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from cshub_runtime.processes import Component

READY_LIMIT_S = 60.0
_SECRET = ("secret", "password", "token")


@dataclass(frozen=True)
class Service:
    """Address and token of one simulated service, and what else it takes to sign in there, by name."""

    url: str
    token: str
    login: Mapping[str, str] = field(default_factory=dict)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be shown: the token, and of the sign-in everything that is no name."""
        return (self.token, *(text for name, text in self.login.items() if name.endswith(_SECRET)))

    @classmethod
    def parse(cls, told: Mapping[str, str]) -> "Service":
        """Read what the sandbox tells of a service."""
        login = {name: text for name, text in told.items() if name not in ("url", "token")}
        return cls(told["url"], told["token"], login)


@dataclass(frozen=True)
class SandboxAddresses:
    """Where a running sandbox answers: one address per service by name, and the control address."""

    services: Mapping[str, Service]
    control_url: str

    @classmethod
    def parse(cls, line: str) -> "SandboxAddresses":
        """Read the line the sandbox prints when it is ready."""
        told = json.loads(line)
        control = told.pop("control")
        return cls({name: Service.parse(item) for name, item in told.items()}, control["url"])


class SandboxFailure(RuntimeError):
    """The sandbox did not start; the message holds the end of its log."""


class SandboxProcess:
    """`python -m cshub_sandbox` in its own session; entering the context waits until all its services answer."""

    def __init__(self, arguments: Sequence[str], *, environment: Mapping[str, str], log_path: Path) -> None:
        command = [sys.executable, "-m", "cshub_sandbox", "--json", *arguments]
        self.component = Component("sandbox", command, environment=environment, log_path=log_path)
        self._addresses: SandboxAddresses | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def addresses(self) -> SandboxAddresses:
        """Where it answers. Raises SandboxFailure when it is not running."""
        if self._addresses is None:
            raise SandboxFailure("The sandbox is not running; call start() first.")
        return self._addresses

    def start(self) -> None:
        """Start it and wait for the line with its addresses. Raises SandboxFailure when none comes within a minute."""
        self.component.log_path.unlink(missing_ok=True)
        self.component.start()
        try:
            self._addresses = self._await_addresses()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it."""
        self.component.end()
        self._addresses = None

    def _await_addresses(self) -> SandboxAddresses:
        deadline = time.monotonic() + READY_LIMIT_S
        while time.monotonic() < deadline:
            alive = self.component.alive()
            for line in self.component.log_tail(100_000).splitlines(keepends=True):
                if line.startswith('{"') and line.endswith("\n"):
                    return SandboxAddresses.parse(line)
            if not alive:
                break
            time.sleep(0.1)
        raise SandboxFailure(
            f"The sandbox did not start; the end of {self.component.log_path}:\n{self.component.log_tail()}"
        )
