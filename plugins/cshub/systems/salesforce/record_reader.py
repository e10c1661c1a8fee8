"""Records of one object by id, with proof of those that are gone; and the bodies of records however they were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from cshub.core.errors import GatewayTimeout, RequestRefused, ShortRead, SpecError
from cshub.core.ids import is_salesforce_id, to_18
from cshub.core.window import Window
from cshub.systems.salesforce.bodies import WHO, body_of
from cshub.systems.salesforce.catalog import PARTICIPANT_EMAILS
from cshub.systems.salesforce.client import SalesforceClient
from cshub.systems.salesforce.fields import ObjectFields, ParentField
from cshub.systems.salesforce.parents import Parents
from cshub.systems.salesforce.participants import ParticipantEmails
from cshub.systems.salesforce.queries import all_rows, insisted
from cshub.systems.salesforce.soql import any_of, select

BASE = ("Id", "CreatedDate", "LastModifiedDate", "LastModifiedById", "SystemModstamp", "IsDeleted")
LOG_REACH = timedelta(days=15) - timedelta(minutes=5)  # of the log of deletions (salesforce.md §2.4), with room
Row = dict[str, Any]


class RecordReader:
    """``paths``: fields to read beside :data:`BASE`, parents' and :data:`PARTICIPANT_EMAILS` among them.

    Those that the user does not see are left out.
    """

    def __init__(
        self, client: SalesforceClient, fields: ObjectFields, paths: Sequence[str], warnings: Counter[str]
    ) -> None:
        self._client = client
        self.fields = fields
        self._paths = paths
        self._participants = ParticipantEmails(client, fields.object_name, warnings)

    @cached_property
    def selected(self) -> list[str]:
        """Fields of a query, parents' among them."""
        return [*self._own, *(item.path for item in self._parent_fields)]

    def by_ids(self, keys: Sequence[str]) -> dict[str, Row | None]:
        """Id of 18 characters → record, None for one that is proven gone; what nothing is proven of is left out.

        ``keys`` in either form, in any case; what is no id of this object is left out.
        """
        prefix = self.fields.description.key_prefix
        wanted = dict.fromkeys(to_18(key) for key in keys if is_salesforce_id(key))
        ids = [key for key in wanted if prefix is None or key.startswith(prefix)]
        if not ids:
            return {}
        found = self._retrieved(ids) if self._is_retrievable else {}
        missing = [key for key in ids if key not in found]
        found.update(self._queried(missing))
        unproven = [key for key in missing if key not in found]
        if unproven:
            now = self._client.now()
            logged, _ = self.deleted_in_log(Window(now - LOG_REACH, now + timedelta(minutes=1)))
            found.update({key: None for key in unproven if key in logged})
        return found

    def bodies(self, rows: Sequence[Row]) -> list[dict[str, Any]]:
        """The rows as bodies, with the e-mails of their people where they are wanted."""
        description = self.fields.description
        found = [body_of(row, description) for row in rows]
        if self._wants_participants:
            emails = self._participants.of(found)
            for body in found:
                body[PARTICIPANT_EMAILS] = emails[body["Id"]]
        return found

    def deleted_in_log(self, window: Window) -> tuple[Mapping[str, datetime], bool]:
        """Id → when it was deleted, as the log of deletions tells of the window; and whether it tells of all of it."""
        start = max(window.start, self._client.now() - LOG_REACH)
        if start >= window.end:
            return {}, False
        try:
            log = self._client.deleted(self.fields.object_name, start, window.end)
        except (SpecError, RequestRefused, GatewayTimeout):
            return {}, False
        told = {item.id: item.deleted_at for item in log.deletions if item.deleted_at in window}
        return told, start == window.start and not log.has_gap

    @cached_property
    def _own(self) -> list[str]:
        paths = [*BASE, *(WHO,) * self._wants_participants, *self._paths]
        return list(dict.fromkeys(self.fields.own(paths)))

    @cached_property
    def _parent_fields(self) -> list[ParentField]:
        return [item for item in self.fields.parents(self._paths) if self.fields.is_readable(item.path)]

    @cached_property
    def _parents(self) -> Parents:
        return Parents(self._client, self._parent_fields)

    @property
    def _wants_participants(self) -> bool:
        return PARTICIPANT_EMAILS in self._paths and self.fields.has(WHO)

    @property
    def _is_retrievable(self) -> bool:
        return all(item.object_name is not None for item in self._parent_fields)

    def _retrieved(self, ids: Sequence[str]) -> dict[str, Row | None]:
        names = list(dict.fromkeys([*self._own, *self._parents.references]))
        answer = insisted(lambda: self._client.retrieve(self.fields.object_name, ids, names))
        rows = {key: row for key, row in answer.items() if row is not None and row.get("IsDeleted") is not True}
        self._parents.add_to(list(rows.values()))
        return dict(rows)

    def _queried(self, ids: Sequence[str]) -> dict[str, Row | None]:
        """What a query shows of these ids, archived and deleted ones included."""
        rows = self._all_of(ids, self.selected)
        return {row["Id"]: None if row.get("IsDeleted") is True else row for row in rows}

    def _all_of(self, ids: Sequence[str], names: Sequence[str]) -> Iterator[Row]:
        name, wanted = self.fields.object_name, set(ids)
        deletable = self.fields.has("IsDeleted")
        for condition in any_of("Id", ids, beside=select(name, names) if ids else ""):
            for row in all_rows(self._client, select(name, names, condition), include_deleted=deletable):
                row["Id"] = to_18(str(row.get("Id")))
                if row["Id"] not in wanted:
                    raise ShortRead("Salesforce answered with other records than those asked for. Run again.")
                yield row
