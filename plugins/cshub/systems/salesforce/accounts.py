"""Accounts behind references."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Set as AbstractSet

from cshub.core.ids import is_salesforce_id, to_18
from cshub.systems.salesforce.client import SalesforceClient
from cshub.systems.salesforce.options import AccountMatch
from cshub.systems.salesforce.queries import all_rows, insisted
from cshub.systems.salesforce.soql import any_of, select


class AccountFinder:
    """``parent``: the object that stands for accounts.

    ``warnings`` counts references left out: those that fit several accounts, and ids whose case is lost for good.
    """

    def __init__(self, client: SalesforceClient, parent: str, match: AccountMatch, warnings: Counter[str]) -> None:
        self._client = client
        self._parent = parent
        self._match = match
        self._warnings = warnings

    def find(self, references: AbstractSet[str]) -> dict[str, str]:
        """Reference → account id of 18 characters, as far as the account exists and is not deleted.

        Ids may have 15 or 18 characters, the latter in any case. Values of a field are compared without case.
        """
        usable = {reference for reference in references if reference.strip()}
        return self._by_field(usable, self._match.field) if self._match.field else self._by_id(usable)

    def _by_id(self, references: AbstractSet[str]) -> dict[str, str]:
        ids = {text: to_18(text.strip()) for text in references if is_salesforce_id(text.strip())}
        if not ids:
            return {}
        prefix = self._client.describe(self._parent).key_prefix
        asked = sorted({key for key in ids.values() if prefix is None or key.startswith(prefix)})
        answer = insisted(lambda: self._client.retrieve(self._parent, asked, ["Id"]))
        known = {key for key, row in answer.items() if row is not None}
        for text, key in ids.items():
            if key not in known and len(text.strip()) == 15 and text == text.lower():
                self._warnings["account_id_case_lost"] += 1
        return {text: key for text, key in ids.items() if key in known}

    def _by_field(self, references: AbstractSet[str], field: str) -> dict[str, str]:
        keys: dict[str, set[str]] = defaultdict(set)
        rest = select(self._parent, ["Id", field])
        for condition in any_of(field, sorted({text.strip() for text in references}), beside=rest):
            for row in all_rows(self._client, select(self._parent, ["Id", field], condition)):
                keys[str(row.get(field) or "").strip().lower()].add(to_18(str(row["Id"])))
        found: dict[str, str] = {}
        for text in references:
            owners = keys.get(text.strip().lower(), set())
            if len(owners) == 1:
                found[text] = next(iter(owners))
            elif owners:
                self._warnings["ambiguous_account"] += 1
        return found
