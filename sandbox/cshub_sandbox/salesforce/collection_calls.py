"""sObject Collections: up to 200 records in one call, each with its own verdict (docs/vendors/salesforce.md §3.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any

from cshub_sandbox.salesforce.calls import Behaviour, Call
from cshub_sandbox.salesforce.errors import SalesforceError, bad_json, malformed_id, not_found, rolled_back
from cshub_sandbox.salesforce.objects import FieldType, ObjectType
from cshub_sandbox.salesforce.record_calls import chosen_fields, key_field, matching, upsert
from cshub_sandbox.salesforce.rows import record_json
from cshub_sandbox.salesforce.switches import UnreadableRecord

MOST_RECORDS = 200
MOST_CHUNKS = 10
MOST_RETRIEVED = 2_000
_UNREADABLE = frozenset({"INVALID_FIELD", "JSON_PARSER_ERROR", "INVALID_TYPE"})

Write = Callable[[], dict[str, Any]]


class _Undone(Exception):
    """All or none: one record failed, so that none is written."""


def create_records(on: Behaviour, call: Call) -> Any:
    all_or_none, records = _records(call)
    return _write(on, [_creation(on, call, record) for record in records], all_or_none=all_or_none)


def update_records(on: Behaviour, call: Call) -> Any:
    all_or_none, records = _records(call)
    return _write(on, [_edit(on, call, record) for record in records], all_or_none=all_or_none)


def delete_records(on: Behaviour, call: Call) -> Any:
    ids = [text.strip() for text in (call.request.param("ids") or "").split(",") if text.strip()]
    _check_count(len(ids))
    all_or_none = (call.request.param("allOrNone") or "false").lower() == "true"
    return _write(on, [_deletion(on, call, text) for text in ids], all_or_none=all_or_none)


def upsert_records(on: Behaviour, call: Call) -> Any:
    kind = call.actor.sees(call.parts[0])
    field = key_field(kind, call.parts[1])
    if field is None:
        raise not_found()
    all_or_none, records = _records(call, of=kind)
    keys = Counter(str(field.fold(key)) for record in records if (key := _key_of(field, record)) is not None)
    writes = [_upsertion(on, call, kind, field, record, keys) for record in records]
    return _write(on, writes, all_or_none=all_or_none)


def retrieve_records(on: Behaviour, call: Call) -> Any:
    """Records by id, in the order asked for; null for what is not there."""
    kind = call.actor.sees(call.parts[0])
    if call.request.method == "POST":
        body = call.object_body()
        ids, names = body.get("ids"), body.get("fields")
    else:
        ids, names = ((call.request.param(name) or "").split(",") for name in ("ids", "fields"))
    if not isinstance(ids, list) or not isinstance(names, list) or not names or names == [""]:
        raise SalesforceError("MISSING_ARGUMENT", "Both 'ids' and 'fields' are needed")
    if len(ids) > MOST_RETRIEVED:
        raise _too_many(MOST_RETRIEVED)
    fields = chosen_fields(kind, [str(name).strip() for name in names])
    found: list[Any] = []
    for text in ids:
        try:
            row = on.writer.find(kind, str(text).strip())
        except SalesforceError:
            found.append(None)
        else:
            found.append(record_json(kind, row, fields, api_version=call.version))
    return found


def _records(call: Call, *, of: ObjectType | None = None) -> tuple[bool, list[dict[str, Any]]]:
    body = call.object_body()
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise bad_json("'records' must be a list of objects")
    _check_count(len(records))
    names = [_type_of(record) for record in records]
    if of is not None and any(str(name).lower() != of.key for name in names):
        raise SalesforceError("INVALID_TYPE", f"All records of this call must be of the type {of.name}")
    if sum(1 for _ in groupby(names)) > MOST_CHUNKS:
        raise SalesforceError(
            "LIMIT_EXCEEDED", f"Cannot process more than {MOST_CHUNKS} chunks of different types in one call"
        )
    return bool(body.get("allOrNone", False)), records


def _type_of(record: dict[str, Any]) -> Any:
    attributes = record.get("attributes")
    name = attributes.get("type") if isinstance(attributes, dict) else None
    if not name:
        raise SalesforceError("INVALID_TYPE", "Every record needs 'attributes' with its 'type'")
    return name


def _write(on: Behaviour, writes: Sequence[Write], *, all_or_none: bool) -> list[dict[str, Any]]:
    verdicts: list[dict[str, Any] | SalesforceError] = []
    try:
        with on.org.records.transaction():
            for write in writes:
                try:
                    verdicts.append(write())
                except SalesforceError as refusal:
                    if refusal.code in _UNREADABLE and on.org.switches.unreadable_record is UnreadableRecord.CALL:
                        raise
                    verdicts.append(refusal)
            if all_or_none and any(isinstance(verdict, SalesforceError) for verdict in verdicts):
                raise _Undone
    except _Undone:
        verdicts = [verdict if isinstance(verdict, SalesforceError) else rolled_back() for verdict in verdicts]
    return [
        {"success": False, "errors": [verdict.row()]} if isinstance(verdict, SalesforceError) else verdict
        for verdict in verdicts
    ]


def _creation(on: Behaviour, call: Call, record: dict[str, Any]) -> Write:
    def write() -> dict[str, Any]:
        return _done(on.writer.insert(call.actor, call.actor.knows(_type_of(record)), record))

    return write


def _edit(on: Behaviour, call: Call, record: dict[str, Any]) -> Write:
    def write() -> dict[str, Any]:
        kind = call.actor.knows(_type_of(record))
        values = {name: value for name, value in record.items() if name.lower() != "id"}
        text = next((value for name, value in record.items() if name.lower() == "id"), None)
        if not text:
            raise SalesforceError("MISSING_ARGUMENT", "Id not specified in an update call", fields=["Id"])
        return _done(on.writer.update(call.actor, kind, str(text), values, in_row=True))

    return write


def _deletion(on: Behaviour, call: Call, text: str) -> Write:
    def write() -> dict[str, Any]:
        kind = call.actor.view.object_of(on.org.given_id(text))
        if kind is None:
            raise malformed_id(text)
        return _done(on.writer.delete(call.actor, kind, text, in_row=True))

    return write


def _upsertion(
    on: Behaviour, call: Call, kind: ObjectType, field: FieldType, record: dict[str, Any], keys: Counter[str]
) -> Write:
    def write() -> dict[str, Any]:
        key = _key_of(field, record)
        if key in (None, ""):
            raise SalesforceError("MISSING_ARGUMENT", f"{field.name} not specified", fields=[field.name])
        if keys[str(field.fold(key))] > 1:
            raise SalesforceError("DUPLICATE_VALUE", f"Duplicate external id specified: {key}", fields=[field.name])
        rows = matching(on, kind, field, key)
        if len(rows) > 1:
            raise SalesforceError("DUPLICATE_EXTERNAL_ID", f"{field.name}: more than one record found: {key}")
        values = {name: value for name, value in record.items() if name.lower() != field.key}
        record_id, created = upsert(on, call.actor, kind, field, key, values, rows=rows)
        return {**_done(record_id), "created": created}

    return write


def _key_of(field: FieldType, record: dict[str, Any]) -> Any:
    return next((value for name, value in record.items() if name.lower() == field.key), None)


def _done(record_id: str) -> dict[str, Any]:
    return {"id": record_id, "success": True, "errors": []}


def _check_count(count: int) -> None:
    if count > MOST_RECORDS:
        raise _too_many(MOST_RECORDS)


def _too_many(limit: int) -> SalesforceError:
    return SalesforceError(
        "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {limit} records into this call"
    )
