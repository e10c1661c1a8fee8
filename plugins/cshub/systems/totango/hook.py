"""From an Airflow connection of type ``totango`` to a client."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

from cshub.systems.hook import ApiHook, QuotaMaker
from cshub.systems.http import ApiSession
from cshub.systems.quota import LocalQuota
from cshub.systems.totango.client import BASE_URLS, CALLS_PER_MINUTE, POLICY, Region, TotangoClient

_REGIONS = {region.value: region for region in Region}


class TotangoHook(ApiHook):
    """Always keeps to a call budget; without a shared one, to one of this process alone."""

    conn_name_attr = "totango_conn_id"
    default_conn_name = "totango_default"
    conn_type = "totango"
    hook_name = "Totango"

    def __init__(self, totango_conn_id: str = default_conn_name, *, quotas: QuotaMaker | None = None) -> None:
        super().__init__(totango_conn_id, quotas=quotas)

    @cached_property
    def client(self) -> TotangoClient:
        """Raises :class:`~cshub.core.errors.ConnectionSpecError` for a wrong field."""
        fields = self.fields
        region = fields.choice("region", _REGIONS, Region.US.value)
        wire = self._wire(POLICY, CALLS_PER_MINUTE)
        if wire.quota is None:
            wire = replace(wire, quota=LocalQuota(fields.calls_per_minute(None) or CALLS_PER_MINUTE))
        return TotangoClient(
            fields.required_token(),
            base_url=fields.base_url(BASE_URLS[region]),
            service_id=fields.text("service_id") or None,
            label=f"Totango (connection {fields.conn_id})",
            wire=wire,
        )

    def http(self) -> ApiSession:
        return self.client.http

    def greeting(self) -> str:
        count = self.client.count_accounts()
        return f"Signed in to {self.client.http.base_url}: this token sees {count} accounts."
