"""What the hooks of all HTTP systems share: an Airflow connection becomes a client, and nothing unexpected is sent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import requests
from airflow.providers.http.hooks.http import HttpHook
from airflow.sdk.exceptions import AirflowNotFoundException

from cshub.core.errors import ConnectionSpecError, HubError, TransientError
from cshub.core.quota import Quota
from cshub.systems.connection import ConnectionFields
from cshub.systems.http import ApiSession, HttpPolicy, Wire
from cshub.systems.retry import RetryPolicy

QuotaMaker = Callable[[str, int], Quota]
"""Token and calls a minute → the budget shared by all who use that token."""


class ApiHook(HttpHook):
    """The HTTP provider's hook with the token in the password and every setting read by name.

    The provider's hook sends every unknown field of the connection's extra as a header; this one sends none.
    ``quotas`` makes the shared call budget; without it, the subclass decides.
    """

    def __init__(self, conn_id: str, *, quotas: QuotaMaker | None = None) -> None:
        super().__init__(method="GET", http_conn_id=conn_id)
        self._quotas = quotas
        self._retries = True

    @cached_property
    def fields(self) -> ConnectionFields:
        """The connection, looked up once. Raises :class:`ConnectionSpecError` when there is none."""
        try:
            connection = self.get_connection(self.http_conn_id)
        except AirflowNotFoundException as error:
            raise ConnectionSpecError(
                f"There is no connection {self.http_conn_id}: add it under Admin, Connections, type {self.conn_type}."
            ) from error
        return ConnectionFields(
            conn_id=self.http_conn_id,
            host=connection.host or "",
            port=connection.port,
            scheme=connection.schema or "",
            login=connection.login or "",
            token=connection.password or "",
            extra=connection.extra_dejson,
        )

    def http(self) -> ApiSession:
        """The session of the client."""
        raise NotImplementedError

    def budget_name(self) -> str:
        """What the shared call budget is kept by: the token."""
        return self.fields.required_token()

    def greeting(self) -> str:
        """Proof that the token works, from one real call."""
        raise NotImplementedError

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> requests.Session:
        """The client's session, signed in, for calls of one's own below ``base_url``."""
        http = self.http()
        self.base_url, self._base_url_initialized = http.base_url, True
        http.session.headers.update(headers or {})
        return http.session

    def test_connection(self) -> tuple[bool, str]:
        """What the Test button shows: whom the token belongs to and what it sees, or what to correct.

        Every call is sent once: a person is waiting.
        """
        self._retries = False
        try:
            return True, self.greeting()
        except TransientError as error:
            return False, f"{error} The connection leads to {self.http().base_url}."
        except HubError as error:
            return False, str(error)

    def _wire(self, policy: HttpPolicy, calls_per_minute: int | None) -> Wire:
        fields = self.fields
        limit = fields.calls_per_minute(calls_per_minute)
        quota = self._quotas(self.budget_name(), limit) if self._quotas and limit else None
        chosen = fields.policy(policy)
        if not self._retries:
            chosen = replace(chosen, retry=RetryPolicy(attempts=1, gateway_timeout_attempts=1, rate_limit_attempts=1))
        return Wire(policy=chosen, quota=quota, adapter=self.keep_alive_adapter)
