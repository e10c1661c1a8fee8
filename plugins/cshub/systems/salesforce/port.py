"""What every source and target on Salesforce has in common."""

from __future__ import annotations

from collections import Counter

from cshub.systems.salesforce.client import SalesforceClient


class SalesforcePort:
    """One client, its calls, whose org it is. ``warnings`` counts what was left out or not proven, by name."""

    def __init__(self, client: SalesforceClient) -> None:
        self._client = client
        self.warnings: Counter[str] = Counter()

    @property
    def calls(self) -> int:
        return self._client.calls

    def forecast(self, calls: int) -> float:
        return self._client.forecast(calls)

    def identity(self) -> str:
        """Id of the org."""
        return self._client.org_id

    def user(self) -> str:
        """Id of the signed-in user."""
        return self._client.user_id
