"""Row locks of accounts: a write keeps them for a while, and another session's write in that time fails."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from cshub_sandbox.salesforce.errors import SalesforceError


class AccountLocks:
    """Who holds which account, and until when (docs/vendors/salesforce.md §3.2)."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[str, datetime]] = {}

    def take(self, account_ids: Iterable[str], holder: str, now: datetime, *, hold_s: float) -> None:
        """Takes every lock, or raises UNABLE_TO_LOCK_ROW and takes none, when another session holds one of them."""
        wanted = sorted(set(account_ids))
        for account_id in wanted:
            other, until = self._held.get(account_id, (holder, now))
            if other != holder and until > now:
                raise SalesforceError(
                    "UNABLE_TO_LOCK_ROW",
                    f"unable to obtain exclusive access to this record or 1 records: {account_id}",
                    fields=[],
                )
        if hold_s:
            self._held.update(dict.fromkeys(wanted, (holder, now + timedelta(seconds=hold_s))))
