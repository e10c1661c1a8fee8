"""The ingestion hub: accounts created or updated in batches, some seconds after they were accepted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from cshub_sandbox.totango.errors import bad_request
from cshub_sandbox.totango.records import Account
from cshub_sandbox.totango.tenant import FOREIGN_KEYS, Tenant, iso_ms

ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,480}")  # the vendor's requirements for unique ids


@dataclass(frozen=True, slots=True)
class _Upsert:
    due_at: datetime
    account_id: str
    attributes: Mapping[str, str]


class IngestionHub:
    """Accounts sent in batches: accepted at once, there some seconds later."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant
        self._waiting: list[_Upsert] = []

    def accept(self, entries: Any) -> dict[str, Any]:
        """Take a batch of ``{"id", "attributes": {...}}``; the whole batch is refused when one entry is malformed."""
        if not isinstance(entries, list) or not entries:
            raise bad_request("accounts must be a list of objects")
        due = self._tenant.clock.now() + timedelta(seconds=self._tenant.switches.ingestion_lag_s)
        self._waiting += [self._read(entry, due) for entry in entries]
        received = iso_ms(self._tenant.now_ms())
        return {"status": "success", "time_received": received, "batch_id": self._tenant.new_uuid()}

    def settle(self) -> None:
        """Create or update the accounts whose time has come."""
        if not self._waiting:
            return
        now = self._tenant.clock.now()
        due = [upsert for upsert in self._waiting if upsert.due_at <= now]
        self._waiting = [upsert for upsert in self._waiting if upsert.due_at > now]
        for upsert in due:
            upsert_account(self._tenant, upsert.account_id, upsert.attributes)

    @staticmethod
    def _read(entry: Any, due: datetime) -> _Upsert:
        account_id = entry.get("id") if isinstance(entry, dict) else None
        if not isinstance(account_id, str) or not ACCOUNT_ID.fullmatch(account_id):
            raise bad_request("An account id has 1 to 480 letters, digits, _ or -")
        attributes = entry.get("attributes", {})
        if not isinstance(attributes, dict):
            raise bad_request(f"attributes of account {account_id} must be an object")
        return _Upsert(due, account_id, {name: str(value) for name, value in attributes.items()})


def upsert_account(tenant: Tenant, account_id: str, attributes: Mapping[str, str]) -> Account:
    """Create an account or set attributes of an existing one. ``Name`` names it; foreign keys turn lower case."""
    now = tenant.now_ms()
    account = tenant.accounts.get(account_id) or Account(account_id, account_id, now, now)
    keys = {name: value.lower() for name, value in attributes.items() if name in FOREIGN_KEYS}
    others = {name: value for name, value in attributes.items() if name not in FOREIGN_KEYS and name != "Name"}
    tenant.accounts[account_id] = replace(
        account,
        name=attributes.get("Name", account.name),
        attributes={**account.attributes, **others},
        foreign_keys={**account.foreign_keys, **keys},
    )
    return tenant.accounts[account_id]
