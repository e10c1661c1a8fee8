"""Records of Salesforce as a target shows them: by id, external id, date, and those a lost create may have made."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any

from cshub.core.errors import DataError, GatewayTimeout, RequestRefused, SpecError
from cshub.core.ids import is_salesforce_id, may_be_same_salesforce_id, to_18
from cshub.core.objects import ObjectSpec
from cshub.core.records import TargetRecord
from cshub.core.values import cast
from cshub.core.window import Window
from cshub.systems.salesforce.bodies import moment_in, value_at
from cshub.systems.salesforce.catalog import TARGETS
from cshub.systems.salesforce.client import SalesforceClient
from cshub.systems.salesforce.event_times import READ_FIELDS, EventTimes
from cshub.systems.salesforce.fields import ObjectFields
from cshub.systems.salesforce.options import AnyTargetOptions, EventOptions, TaskOptions
from cshub.systems.salesforce.queries import WindowQuery, all_rows
from cshub.systems.salesforce.record_reader import RecordReader, Row
from cshub.systems.salesforce.soql import any_of, compare, select

_DATED_BY: Mapping[type, str] = {EventOptions: "StartDateTime", TaskOptions: "ActivityDate"}


class TargetReader:
    """``attributes``: what is shown of a record, () = all its own fields.

    ``warnings`` counts values that are not what the catalogue says of their field.
    """

    def __init__(
        self,
        client: SalesforceClient,
        fields: ObjectFields,
        options: AnyTargetOptions,
        attributes: Sequence[str],
        warnings: Counter[str],
    ) -> None:
        self._client = client
        self._fields = fields
        self._options = options
        self._attributes = tuple(attributes)
        self._warnings = warnings

    @property
    def spec(self) -> ObjectSpec:
        return TARGETS[type(self._options)]

    def by_ids(self, keys: Sequence[str]) -> dict[str, TargetRecord | None]:
        """Id of 18 characters → record; see :meth:`RecordReader.by_ids`."""
        found = self._reader.by_ids(keys)
        there = self._records([row for row in found.values() if row is not None], self._reader)
        return {**dict.fromkeys(found), **{record.key: record for record in there}}

    def by_external_id(self, external_ids: Sequence[str]) -> dict[str, TargetRecord]:
        """Id in lower case → the record that carries it; {} without an external id field."""
        field, wanted = self._options.external_id_field, sorted({text for text in external_ids if text.strip()})
        if field is None or not wanted:
            return {}
        rows = self._queried(self._reader, lambda rest: any_of(field, wanted, beside=rest))
        return {record.external_id: record for record in self._records(rows, self._reader) if record.external_id}

    def alike(self, external_ids: Mapping[str, AbstractSet[str]]) -> dict[tuple[str, str], list[TargetRecord]]:
        """Account id → ids that lost their case; back come the account's records that each may name, archived ones too.

        Salesforce minds the case of an id, so all ids of the account are read. An account whose records cannot be
        listed is left out, and so is what names a record that can then not be read.
        """
        prefix = (self._fields.description.key_prefix or "").lower()
        found: dict[tuple[str, str], list[TargetRecord]] = {}
        for account_id, wanted in external_ids.items():
            own = {text for text in wanted if text.lower().startswith(prefix)}
            found.update({(account_id, text): [] for text in wanted - own})
            ids = self._ids_of(account_id) if own else []
            if ids is None:
                continue
            fitting = {text: [key for key in ids if may_be_same_salesforce_id(key, text)] for text in own}
            records = self.by_ids(sorted({key for keys in fitting.values() for key in keys}))
            for text, keys in fitting.items():
                if all(key in records for key in keys):
                    found[account_id, text] = [record for key in keys if (record := records[key]) is not None]
        return found

    def dated_in(self, window: Window) -> Iterator[Sequence[TargetRecord]]:
        """Records by their own date: events by their start, tasks by the midnight in UTC of the day they are due.

        Records of other objects by when they were made.
        """
        by = _DATED_BY.get(type(self._options), "CreatedDate")
        is_date = self._fields.description.fields[by].type == "date"
        name, selected = self._options.object_name, self._reader.selected
        for rows in WindowQuery(self._client, name, selected, by=by, is_date=is_date).read(window):
            yield self._records(rows, self._reader)

    def made_by_us(self, account_ids: AbstractSet[str], names: AbstractSet[str]) -> dict[str, list[TargetRecord]]:
        """Account id → records that the signed-in user made for it, with ``names`` among their values.

        Everybody's where Salesforce does not tell who is signed in.
        """
        accounts = sorted({to_18(key) for key in account_ids if is_salesforce_id(key)})
        if not accounts:
            return {}
        reader = self._reader_of([*self._attributes, *names])
        mine = [compare("CreatedById", "=", self._client.user_id)] if self._client.user_id else []
        field = self._options.account_written_to
        rows = self._queried(reader, lambda rest: any_of(field, accounts, beside=rest), *mine)
        found: dict[str, list[TargetRecord]] = defaultdict(list)
        for record in self._records(rows, reader, also=names):
            found[record.account_id].append(record)
        return found

    def _ids_of(self, account_id: str) -> list[str] | None:
        """Ids of all records of an account that are not deleted; None where Salesforce does not list them."""
        field, is_marked = self._options.account_field, self._fields.has("IsDeleted")
        if not is_salesforce_id(account_id) or not self._fields.is_readable(field):
            return None
        names = ["Id", *(["IsDeleted"] if is_marked else [])]
        soql = select(self._options.object_name, names, compare(field, "=", to_18(account_id)))
        try:
            rows = all_rows(self._client, soql, include_deleted=is_marked)
        except (SpecError, RequestRefused, GatewayTimeout):
            return None
        return [to_18(str(row["Id"])) for row in rows if row.get("IsDeleted") is not True]

    @cached_property
    def _reader(self) -> RecordReader:
        return self._reader_of(self._shown)

    @property
    def _shown(self) -> Sequence[str]:
        return self._attributes or self._fields.readable()

    def _reader_of(self, paths: Sequence[str]) -> RecordReader:
        options = self._options
        more = [options.account_field, *(READ_FIELDS if isinstance(options, EventOptions) else ())]
        more += [options.external_id_field] if options.external_id_field else []
        return RecordReader(self._client, self._fields, [*paths, *more], self._warnings)

    def _queried(self, reader: RecordReader, conditions: Callable[[str], Iterator[str]], *more: str) -> list[Row]:
        name = self._options.object_name
        rest = select(name, reader.selected, *more)
        return [
            row
            for condition in conditions(rest)
            for row in all_rows(self._client, select(name, reader.selected, condition, *more))
        ]

    def _records(
        self, rows: Sequence[Row], reader: RecordReader, *, also: AbstractSet[str] = frozenset()
    ) -> list[TargetRecord]:
        shown = [*self._shown, *sorted(also)]
        return [self._record(row, body, shown) for row, body in zip(rows, reader.bodies(rows), strict=True)]

    def _record(self, row: Row, body: Mapping[str, Any], shown: Sequence[str]) -> TargetRecord:
        options = self._options
        external_id = body.get(options.external_id_field) if options.external_id_field else None
        return TargetRecord(
            key=body["Id"],
            account_id=str(body.get(options.account_field) or ""),
            values=self._values(body, shown),
            extra=EventTimes.of_body(body).as_extra() if isinstance(options, EventOptions) else {},
            external_id=str(external_id).lower() if external_id else None,
            created_at=moment_in(row, "CreatedDate"),
            modified_at=moment_in(row, "LastModifiedDate", "SystemModstamp"),
            modified_by=body.get("LastModifiedById"),
        )

    def _values(self, body: Mapping[str, Any], shown: Sequence[str]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for path in shown:
            is_told, value = value_at(body, path)
            if not is_told:
                continue
            try:
                values[path] = cast(value, self.spec.attribute(path).kind)
            except DataError:
                self._warnings["value_unreadable"] += 1
        return values
