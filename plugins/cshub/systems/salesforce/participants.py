"""E-mails of the people of activities: of WhoId, of everybody related, and of invited users."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from cshub.core.errors import NotFound
from cshub.core.ids import to_18
from cshub.systems.salesforce.bodies import WHO, ids_in
from cshub.systems.salesforce.client import SalesforceClient
from cshub.systems.salesforce.queries import all_rows, insisted
from cshub.systems.salesforce.soql import any_of, select

PEOPLE: Mapping[str, str] = {"003": "Contact", "00Q": "Lead", "005": "User"}
"""Key prefixes of the objects that have e-mails (docs/vendors/salesforce.md §2.3)."""


class ParticipantEmails:
    """People of events or tasks. ``warnings`` counts people whose e-mail is not known."""

    def __init__(self, client: SalesforceClient, object_name: str, warnings: Counter[str]) -> None:
        self._client = client
        self._object = object_name
        self._warnings = warnings
        self._known: dict[str, str | None] = {}

    def of(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
        """Id of a record → e-mails of its people in lower case, sorted. Rows must hold ``Id`` and ``WhoId``."""
        people: dict[str, set[str]] = {row["Id"]: {to_18(key) for key in ids_in(row.get(WHO))} for row in rows}
        for record_id, person in self._related(list(people)):
            people[record_id].add(person)
        self._learn({person for found in people.values() for person in found})
        return {
            record_id: sorted({email for person in found if (email := self._known.get(person)) is not None})
            for record_id, found in people.items()
        }

    @cached_property
    def _relation(self) -> str | None:
        """The object that holds relations, None where the org has none."""
        name = f"{self._object}Relation"
        try:
            return self._client.describe(name).name
        except NotFound:
            return None

    def _related(self, record_ids: Sequence[str]) -> list[tuple[str, str]]:
        relation, key = self._relation, f"{self._object}Id"
        if relation is None:
            return []
        found = []
        wanted = set(record_ids)
        for condition in any_of(key, record_ids):
            rows = all_rows(self._client, select(relation, ["Id", key, "RelationId"], condition))
            pairs = [(to_18(str(row[key])), to_18(str(row["RelationId"]))) for row in rows if row.get("RelationId")]
            found += [pair for pair in pairs if pair[0] in wanted]
        return found

    def _learn(self, people: set[str]) -> None:
        by_object: dict[str, list[str]] = defaultdict(list)
        for person in sorted(people - self._known.keys()):
            if name := PEOPLE.get(person[:3]):
                by_object[name].append(person)
        for name, ids in by_object.items():
            for person, row in insisted(partial(self._client.retrieve, name, ids, ["Email"])).items():
                email = str((row or {}).get("Email") or "").strip().lower()
                self._known[person] = email or None
                if not email:
                    self._warnings["person_without_email"] += 1
