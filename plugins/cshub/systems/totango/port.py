"""What every source and target on Totango has in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set as AbstractSet

from cshub.core.errors import ProtocolFault
from cshub.core.records import Presence, RecordKey, SourceRecord
from cshub.systems.totango.client import TotangoClient


def missing_record(key: RecordKey, is_gone: bool, vanished: AbstractSet[str]) -> SourceRecord:
    """A record that was asked for by id and is not there. ``vanished``: accounts that are not there either."""
    lost = Presence.ACCOUNT_GONE if key.account_id in vanished else Presence.ABSENT
    presence = Presence.DELETED if is_gone else lost
    return SourceRecord(key.key, None, None, presence, account_id=key.account_id, extra=key.extra)


class TotangoPort:
    """One client, its calls, whose tenant it is. ``warnings`` counts what was left out, by name."""

    def __init__(self, client: TotangoClient) -> None:
        self._client = client
        self.warnings: Counter[str] = Counter()

    @property
    def calls(self) -> int:
        return self._client.calls

    def forecast(self, calls: int) -> float:
        return self._client.http.forecast(calls)

    def user(self) -> str:
        """Nobody: Totango does not tell whose token is used."""
        return ""

    def identity(self) -> str:
        """``SP-<service id>`` when the connection names it, else the e-mail domain of most team members."""
        if self._client.service_id:
            return f"SP-{self._client.service_id}"
        domains = Counter(member.email.rpartition("@")[2].lower() for member in self._client.internal_users())
        if not domains:
            raise ProtocolFault("Totango lists no team members. Give the service id in the connection.")
        return min(domains, key=lambda domain: (-domains[domain], domain))
