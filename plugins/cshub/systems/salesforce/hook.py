"""From an Airflow connection of type ``salesforce``, as Airflow's own provider stores it, to a client."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import requests
from airflow.sdk.log import mask_secret

from cshub.core.errors import ConnectionSpecError, HubError
from cshub.systems.connection import ConnectionFields
from cshub.systems.hook import ApiHook, QuotaMaker
from cshub.systems.http import ApiSession
from cshub.systems.salesforce.auth import DEFAULT_VERSION, Credentials
from cshub.systems.salesforce.client import SalesforceClient
from cshub.systems.salesforce.session import POLICY
from cshub.systems.salesforce.writes import MOST_ROWS

_PREFIX = "extra__salesforce__"


class SalesforceHook(ApiHook):
    """Keeps to a call budget a minute only where the connection names one: Salesforce counts by the day."""

    conn_name_attr = "salesforce_conn_id"
    default_conn_name = "salesforce_default"
    conn_type = "salesforce"
    hook_name = "Salesforce"

    def __init__(self, salesforce_conn_id: str = default_conn_name, *, quotas: QuotaMaker | None = None) -> None:
        super().__init__(salesforce_conn_id, quotas=quotas)

    @cached_property
    def fields(self) -> ConnectionFields:
        """The connection, its extras without the prefix that older Airflow versions gave them."""
        found = super().fields
        extra = {name.removeprefix(_PREFIX): value for name, value in found.extra.items()}
        return replace(found, extra=extra)

    @cached_property
    def credentials(self) -> Credentials:
        fields = self.fields
        found = Credentials(
            domain=fields.text("domain"),
            consumer_key=fields.text("consumer_key"),
            consumer_secret=fields.text("consumer_secret"),
            username=fields.login,
            password=fields.token,
            security_token=fields.text("security_token"),
            private_key=fields.text("private_key"),
            private_key_file_path=fields.text("private_key_file_path"),
            organization_id=fields.text("organization_id"),
            session_id=fields.text("session_id"),
            instance_url=fields.text("instance_url"),
        )
        for secret in found.secrets:
            mask_secret(secret)
        return found

    @cached_property
    def client(self) -> SalesforceClient:
        """Raises :class:`~cshub.core.errors.ConnectionSpecError` for a field that is missing or wrong."""
        fields = self.fields
        threshold = fields.text("bulk_threshold")
        try:
            self.credentials.flow()
            return SalesforceClient(
                self.credentials,
                version=fields.text("version", DEFAULT_VERSION),
                chunk_size=int(fields.number("chunk_size", MOST_ROWS, low=1, high=MOST_ROWS)),
                bulk_threshold=int(fields.number("bulk_threshold", 0, low=1, high=100_000_000)) if threshold else None,
                endpoint_override=fields.text("endpoint_override") or None,
                label=f"Salesforce (connection {fields.conn_id})",
                wire=self._wire(POLICY, None),
            )
        except ConnectionSpecError as error:
            if str(error).startswith("Connection "):
                raise
            raise ConnectionSpecError(f"Connection {fields.conn_id}: {error}") from error

    def budget_name(self) -> str:
        """All who sign in to one org as one app or user share a budget."""
        its = self.credentials
        return f"{its.address()} {its.consumer_key or its.username or its.session_id}"

    def http(self) -> ApiSession:
        return self.client.http

    def get_conn(
        self, headers: dict[Any, Any] | None = None, extra_options: dict[str, Any] | None = None
    ) -> requests.Session:
        """A session that is signed in, for calls of one's own below ``base_url``."""
        access = self.client.access
        session = access.session()
        self.base_url, self._base_url_initialized = f"https://{access.sf.sf_instance}", True
        session.headers.update(headers or {})
        return session

    def greeting(self) -> str:
        client = self.client
        org, user = client.org_id, client.user_id
        return (
            f"Signed in to https://{client.sf.sf_instance}: org {org}, user {user or 'not told'}.{_calls_left(client)}"
        )


def _calls_left(client: SalesforceClient) -> str:
    try:
        daily = client.limits()["DailyApiRequests"]
    except (HubError, KeyError):
        return ""
    return f" {daily.remaining:,} of {daily.largest:,} API calls are left today."
