"""Fields of a connection, as Airflow stores them, checked once and turned into types. No Airflow here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from cshub.core.errors import ConnectionSpecError
from cshub.systems.http import HttpPolicy

_HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class ConnectionFields:
    """What a connection form holds. ``token`` is never shown by ``repr``."""

    conn_id: str
    host: str = ""
    port: int | None = None
    scheme: str = ""
    login: str = ""
    token: str = field(default="", repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def required_token(self) -> str:
        """The token without white space around it. Raises :class:`ConnectionSpecError` when there is none."""
        token = self.token.strip()
        if not token:
            raise ConnectionSpecError(f"Connection {self.conn_id} has no API token: put it into the password field.")
        return token

    def token_digest(self) -> str:
        """Short digest that names a token without telling it, for shared call budgets."""
        return hashlib.sha256(self.required_token().encode()).hexdigest()[:16]

    def base_url(self, default: str) -> str:
        """Address from host and port, ``default`` without a host.

        The host may be a whole address (``http://127.0.0.1:8086``); a port inside it wins over the port field, and the
        443 that Airflow's form wants there does not spoil an ``http`` address.
        """
        host = self.host.strip()
        if not host:
            return default
        if "://" not in host:
            host = f"{self.scheme if self.scheme in ('http', 'https') else 'https'}://{host}"
        parts = urlsplit(host)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConnectionSpecError(
                f"Connection {self.conn_id}: the host {self.host!r} is no web address. Write it like {default}."
            )
        if parts.port is None and self.port not in (None, 0, _HTTPS_PORT):
            host = f"{parts.scheme}://{parts.netloc}:{self.port}{parts.path}"
        return host.rstrip("/")

    def text(self, name: str, default: str = "") -> str:
        value = self.extra.get(name)
        return default if value is None or str(value).strip() == "" else str(value).strip()

    def choice(self, name: str, allowed: Mapping[str, Any], default: str) -> Any:
        """One of ``allowed``, by name without regard to case. Raises :class:`ConnectionSpecError` for another value."""
        value = self.text(name, default)
        for known, meaning in allowed.items():
            if known.lower() == value.lower():
                return meaning
        raise self._wrong(name, value, f"one of {', '.join(allowed)}")

    def number(self, name: str, default: float, *, low: float, high: float) -> float:
        """A number within bounds. Raises :class:`ConnectionSpecError` for anything else."""
        value = self.extra.get(name)
        if value is None or value == "":
            return default
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if isinstance(value, bool) or not low <= number <= high:
            raise self._wrong(name, value, f"a number from {low:g} to {high:g}")
        return number

    def flag(self, name: str, default: bool) -> bool:
        """True or false, also as text. Raises :class:`ConnectionSpecError` for anything else."""
        value = self.extra.get(name)
        if value is None or value == "":
            return default
        if isinstance(value, bool):
            return value
        if str(value).strip().lower() in ("true", "false"):
            return str(value).strip().lower() == "true"
        raise self._wrong(name, value, "true or false")

    def policy(self, base: HttpPolicy) -> HttpPolicy:
        """``base`` with the time-outs and the TLS setting of the connection."""
        return replace(
            base,
            connect_s=self.number("connect_timeout_s", base.connect_s, low=1, high=120),
            read_s=self.number("read_timeout_s", base.read_s, low=1, high=600),
            verify=self.flag("verify_tls", base.verify),
        )

    def calls_per_minute(self, default: int | None) -> int | None:
        """The connection's own limit, else ``default`` (None: no limit is known)."""
        if self.text("calls_per_minute") == "":
            return default
        return int(self.number("calls_per_minute", 0, low=1, high=10_000))

    def _wrong(self, name: str, value: Any, allowed: str) -> ConnectionSpecError:
        return ConnectionSpecError(f"Connection {self.conn_id}: {name} is {value!r}; it must be {allowed}.")
