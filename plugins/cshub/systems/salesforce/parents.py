"""Fields of parents beside records that were read by id, where a query per 300 records would be dear."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from cshub.core.ids import to_18
from cshub.systems.salesforce.client import SalesforceClient
from cshub.systems.salesforce.fields import ParentField
from cshub.systems.salesforce.queries import insisted

USER_PREFIX = "005"


class Parents:
    """Adds parents to rows as a query would show them. Every parent is read once."""

    def __init__(self, client: SalesforceClient, fields: Sequence[ParentField]) -> None:
        self._client = client
        self._fields = [item for item in fields if item.object_name is not None]
        self._known: dict[tuple[str, str], dict[str, Any] | None] = {}

    @property
    def references(self) -> list[str]:
        """Fields of the records that must be read for it."""
        return list(dict.fromkeys(item.reference.name for item in self._fields))

    def add_to(self, rows: Sequence[dict[str, Any]]) -> None:
        """Set ``row["CreatedBy"] = {"Email": …}`` and the like; None where the reference is empty."""
        wanted: dict[str, set[str]] = defaultdict(set)
        for item in self._fields:
            name = str(item.object_name)
            wanted[name].update(key for row in rows if (key := self._parent_of(row, item)) is not None)
        for name, keys in wanted.items():
            self._read(name, sorted(key for key in keys if (name, key) not in self._known))
        for item in self._fields:
            for row in rows:
                self._add(row, item)

    def _read(self, object_name: str, keys: Sequence[str]) -> None:
        if keys:
            names = {item.name for item in self._fields if item.object_name == object_name}
            found = insisted(lambda: self._client.retrieve(object_name, keys, sorted(names)))
            self._known.update({(object_name, key): row for key, row in found.items()})

    def _parent_of(self, row: dict[str, Any], item: ParentField) -> str | None:
        """Id of the parent that holds the field; None when there is none, or none of that object."""
        value = row.get(item.reference.name)
        if not value or (item.reference.polymorphic and not str(value).startswith(USER_PREFIX)):
            return None
        return to_18(str(value))

    def _add(self, row: dict[str, Any], item: ParentField) -> None:
        key = self._parent_of(row, item)
        parent = None if key is None else self._known.get((str(item.object_name), key))
        if not row.get(item.reference.name) or (key is not None and parent is None):
            row.setdefault(item.relationship, None)
            return
        shown = row.get(item.relationship) or {}
        row[item.relationship] = {**shown, item.name: None if parent is None else parent.get(item.name)}
