"""Events, tasks and records of any other object of Salesforce as a source of records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property

from cshub.core.ids import is_salesforce_id, to_18
from cshub.core.objects import ObjectSpec
from cshub.core.ports import ById, Lookup, Reading
from cshub.core.records import Page, Presence, RecordKey, SourceRecord
from cshub.core.validate_online import OptionFault, refuse_options
from cshub.core.window import Window
from cshub.systems.salesforce.bodies import moment_in
from cshub.systems.salesforce.catalog import PARTICIPANT_EMAILS, SOURCES
from cshub.systems.salesforce.client import MOST_RETRIEVED, SalesforceClient
from cshub.systems.salesforce.condition_fields import check_fields, unknown_values
from cshub.systems.salesforce.conditions import check_filter
from cshub.systems.salesforce.described import described_source
from cshub.systems.salesforce.fields import ObjectFields
from cshub.systems.salesforce.options import ActivitySourceOptions, AnySourceOptions
from cshub.systems.salesforce.port import SalesforcePort
from cshub.systems.salesforce.queries import WindowQuery, all_rows
from cshub.systems.salesforce.record_reader import RecordReader, Row
from cshub.systems.salesforce.soql import any_of, compare, select

STAMP = "SystemModstamp"


class SalesforceRecords(SalesforcePort):
    """Implements :class:`cshub.core.ports.Source`. A key is the id of 18 characters.

    A body is the record as Salesforce sends it, parents nested, without its ``attributes``; moments are in UTC with
    milliseconds, ``WhoId`` is a list. ``fields``: what is read beside the record's own id and times; () = everything
    that the user sees, and those of parents that the catalogue names.
    """

    reading = Reading.BY_CHANGE
    lookup = Lookup(ById.IN_BATCHES, MOST_RETRIEVED, beside=3)  # descriptions of objects, accounts, people

    def __init__(self, client: SalesforceClient, options: AnySourceOptions, fields: Sequence[str] = ()) -> None:
        super().__init__(client)
        self._options = options
        self._named = tuple(fields)
        self._fields = ObjectFields(client, options.object_name)

    def check_options(self) -> None:
        """Raises :class:`SpecError` for an object, field or filter that the org does not have or the user not see."""
        _ = self._reader
        refuse_options(self.option_faults(), "source.options")

    def option_faults(self) -> list[OptionFault]:
        """Every fault of the filter's fields. Raises :class:`SpecError` when the user sees no such object."""
        _ = self._fields.description
        text = self._options.filter
        faults = check_fields(check_filter(text), self._options.object_name, self._client.describe) if text else []
        return [OptionFault("filter", f"column {item.column}: {item.reason}", item.remedy) for item in faults]

    def option_warnings(self) -> list[OptionFault]:
        """What is valid in the filter and finds nothing. Raises as :meth:`option_faults` does."""
        _ = self._fields.description
        text = self._options.filter
        found = unknown_values(check_filter(text), self._options.object_name, self._client.describe) if text else []
        return [OptionFault("filter", f"column {item.column}: {item.reason}", item.remedy) for item in found]

    def described(self, paths: Sequence[str]) -> ObjectSpec:
        """See :func:`described_source`."""
        return described_source(SOURCES[type(self._options)], self._fields, paths)

    def read_window(self, window: Window) -> Iterator[Page]:
        """Records changed in the window that pass the filter; then those deleted in it, whatever the filter.

        Deletions are told by the recycle bin and by the log of deletions. What the log does not reach any more is
        counted as ``deletions_gap``: a full sync asks for every record by id instead.
        """
        query = self._query(self._conditions, include_deleted=self._reads_archived)
        for rows in query.read(window):
            yield Page(self._records(rows))
        if self._fields.has("IsDeleted"):
            deleted = self._deletions(window)
            yield Page([_gone(key, at) for key, at in deleted.items() if key not in query.seen])

    def read_keys(self, keys: Sequence[RecordKey]) -> Iterator[Page]:
        """These records, whatever the filter. DELETED is told of what the recycle bin or the log of deletions proves.

        A key of 15 characters whose case was lost names no record, and is ABSENT.
        """
        for at in range(0, len(keys), MOST_RETRIEVED):
            batch = {_full(key.key): key for key in keys[at : at + MOST_RETRIEVED]}
            found = self._reader.by_ids(list(batch))
            present = self._records([row for row in found.values() if row is not None])
            yield Page([*present, *(_missing(key, key in found) for key in batch if found.get(key) is None)])

    def sample(self, window: Window, limit: int) -> list[SourceRecord]:
        """Up to ``limit`` of the records changed last in the window that pass the filter, in one query."""
        bounds = [compare(STAMP, ">=", window.start), compare(STAMP, "<", window.end)]
        soql = select(
            self._options.object_name,
            self._reader.selected,
            *self._conditions,
            *bounds,
            order_by=[f"{STAMP} DESC", "Id"],
            limit=limit,
        )
        return self._records(all_rows(self._client, soql, include_deleted=self._reads_archived))

    @cached_property
    def _reader(self) -> RecordReader:
        """Raises :class:`SpecError` for a field that is named and cannot be read, before any record is."""
        named = [path for path in self._named if path != PARTICIPANT_EMAILS]
        self._fields.check_readable(named)
        if self._named:
            paths = [*named, *(PARTICIPANT_EMAILS,) * (PARTICIPANT_EMAILS in self._named or self._reads_people)]
        else:
            known = [path for path in SOURCES[type(self._options)].fields if "." in path]
            paths = [*self._fields.readable(), *filter(self._fields.is_readable, known)]
            paths += [PARTICIPANT_EMAILS] * self._reads_people
        return RecordReader(self._client, self._fields, paths, self.warnings)

    @property
    def _reads_people(self) -> bool:
        return isinstance(self._options, ActivitySourceOptions) and self._options.participants

    @property
    def _reads_archived(self) -> bool:
        return isinstance(self._options, ActivitySourceOptions) and self._options.include_archived

    @property
    def _conditions(self) -> list[str]:
        """The filter, and what keeps copies, patterns and deleted records out (docs/vendors/salesforce.md §2.3)."""
        options = self._options
        unwanted = []
        if not getattr(options, "include_child_events", True):
            unwanted.append("IsChild")
        if not getattr(options, "include_recurrence_patterns", True):
            unwanted += ["IsRecurrence", "IsRecurrence2"]
        if self._reads_archived:
            unwanted.append("IsDeleted")
        return [options.filter or "", *(f"{name} = false" for name in unwanted if self._fields.has(name))]

    def _query(self, conditions: Sequence[str], *, include_deleted: bool) -> WindowQuery:
        return WindowQuery(
            self._client,
            self._options.object_name,
            self._reader.selected,
            conditions,
            include_deleted=include_deleted,
        )

    def _deletions(self, window: Window) -> dict[str, datetime | None]:
        """Id → when it was deleted, of everything deleted in the window, each proven by id."""
        name = self._options.object_name
        bin_ = WindowQuery(self._client, name, ["IsDeleted"], ["IsDeleted = true"], include_deleted=True)
        found: dict[str, datetime | None] = {}
        for rows in bin_.read(window):
            found.update({row["Id"]: moment_in(row, STAMP) for row in rows if row.get("IsDeleted") is True})
        logged, is_whole = self._reader.deleted_in_log(window)
        if not is_whole:
            self.warnings["deletions_gap"] += 1
        unknown = [key for key in logged if key not in found]
        restored = self._present_among(unknown)
        found.update({key: logged[key] for key in unknown if key not in restored})
        return found

    def _present_among(self, ids: Sequence[str]) -> set[str]:
        name = self._options.object_name
        there = set()
        for condition in any_of("Id", ids):
            rows = all_rows(self._client, select(name, ["Id", "IsDeleted"], condition), include_deleted=True)
            there |= {to_18(row["Id"]) for row in rows if row.get("IsDeleted") is False}
        return there

    def _records(self, rows: Sequence[Row]) -> list[SourceRecord]:
        return [
            SourceRecord(
                key=body["Id"],
                body=body,
                modified_at=moment_in(row, "LastModifiedDate", STAMP),
                created_at=moment_in(row, "CreatedDate"),
            )
            for row, body in zip(rows, self._reader.bodies(rows), strict=True)
        ]


def _full(key: str) -> str:
    return to_18(key) if is_salesforce_id(key) else key


def _missing(key: str, is_gone: bool) -> SourceRecord:
    return SourceRecord(key, None, None, Presence.DELETED if is_gone else Presence.ABSENT)


def _gone(key: str, at: datetime | None) -> SourceRecord:
    return SourceRecord(key, None, at, Presence.DELETED)
