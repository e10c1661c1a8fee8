"""Calls on one record: create, read, edit, delete, and the same by an external id (docs/vendors/salesforce.md §3.1)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from cshub_sandbox.kernel import Reply
from cshub_sandbox.salesforce.actors import Actor
from cshub_sandbox.salesforce.calls import NO_CONTENT, Behaviour, Call
from cshub_sandbox.salesforce.describe import describe, global_describe, summary
from cshub_sandbox.salesforce.errors import MEDIA_TYPE, SalesforceError, no_record, not_found
from cshub_sandbox.salesforce.incoming import no_such_column
from cshub_sandbox.salesforce.objects import FieldKind, FieldType, ObjectType
from cshub_sandbox.salesforce.rows import Row, record_json
from cshub_sandbox.salesforce.uniqueness import live_rows
from cshub_sandbox.salesforce.values import read_json

CREATED_IN_UPSERT_SINCE = 46.0  # earlier versions answer 204 to an upsert that updated (§3.1)


def list_objects(on: Behaviour, call: Call) -> Any:
    return global_describe(call.actor.view, api_version=call.version)


def read_object(on: Behaviour, call: Call) -> Any:
    kind = call.actor.sees(call.parts[0])
    return {"objectDescribe": summary(kind, api_version=call.version), "recentItems": []}


def describe_object(on: Behaviour, call: Call) -> Any:
    kind = call.actor.sees(call.parts[0])
    changed = on.org.schema_changed_at
    since = _http_date(call.request.headers.get("if-modified-since", ""))
    if since is not None and changed <= since:
        return Reply(304)
    value = describe(kind, call.actor.view, api_version=call.version)
    return Reply.json(
        200, value, media_type=MEDIA_TYPE, headers={"Last-Modified": format_datetime(changed, usegmt=True)}
    )


def _http_date(text: str) -> datetime | None:
    """The moment of a date header; None for one that cannot be read, which is then not regarded (RFC 9110, 13.1.3)."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def create_record(on: Behaviour, call: Call) -> Any:
    kind = call.actor.sees(call.parts[0])
    record_id = on.writer.insert(call.actor, kind, call.object_body())
    return _saved(call, kind, record_id, 201)


def read_record(on: Behaviour, call: Call) -> Any:
    kind = call.actor.sees(call.parts[0])
    return _shown(call, kind, on.writer.find(kind, call.parts[1]))


def update_record(on: Behaviour, call: Call) -> Any:
    kind = call.actor.sees(call.parts[0])
    on.writer.update(call.actor, kind, call.parts[1], call.object_body())
    return NO_CONTENT


def delete_record(on: Behaviour, call: Call) -> Any:
    on.writer.delete(call.actor, call.actor.sees(call.parts[0]), call.parts[1])
    return NO_CONTENT


def read_by_external_id(on: Behaviour, call: Call) -> Any:
    kind, field = _key_field(call)
    rows = matching(on, kind, field, call.parts[2])
    if len(rows) > 1:
        return _many(call, kind, rows)
    if not rows:
        raise no_record()
    return _shown(call, kind, rows[0])


def delete_by_external_id(on: Behaviour, call: Call) -> Any:
    kind, field = _key_field(call)
    rows = matching(on, kind, field, call.parts[2])
    if len(rows) > 1:
        return _many(call, kind, rows)
    if not rows:
        raise no_record()
    on.writer.delete(call.actor, kind, rows[0]["Id"])
    return NO_CONTENT


def upsert_record(on: Behaviour, call: Call) -> Any:
    kind, field = _key_field(call)
    body = call.object_body()
    for name in body:
        if name.lower() in ("id", field.key):
            raise SalesforceError(
                "INVALID_FIELD", f"The {name} field should not be specified in the sobject data.", fields=[name]
            )
    rows = matching(on, kind, field, call.parts[2])
    if len(rows) > 1:
        return _many(call, kind, rows)
    if not rows and (call.request.param("updateOnly") == "true" or field.kind is FieldKind.ID):
        raise no_record()
    record_id, created = upsert(on, call.actor, kind, field, call.parts[2], body, rows=rows)
    if created:
        return _saved(call, kind, record_id, 201, created=True)
    if call.actor.api_version < CREATED_IN_UPSERT_SINCE:
        return NO_CONTENT
    return _saved(call, kind, record_id, 200, created=False)


def upsert(
    on: Behaviour, actor: Actor, kind: ObjectType, field: FieldType, key: Any, body: Any, *, rows: list[Row]
) -> tuple[str, bool]:
    """Id and whether it is new, of the record that an external id names; ``rows`` are those that have it now."""
    if rows:
        return on.writer.update(actor, kind, rows[0]["Id"], body), False
    return on.writer.insert(actor, kind, {**body, field.name: key}), True


def matching(on: Behaviour, kind: ObjectType, field: FieldType, key: Any) -> list[Row]:
    """Records, not deleted, with this value of an external id."""
    if field.kind is FieldKind.ID:
        try:
            return [on.writer.find(kind, str(key))]
        except SalesforceError:
            return []
    return list(live_rows(on.org, kind, field, read_json(field, key)))


def key_field(kind: ObjectType, name: str) -> FieldType | None:
    """The field of this name when records can be named by it."""
    field = kind.field(name)
    return field if field is not None and field.id_lookup else None


def chosen_fields(kind: ObjectType, names: list[str]) -> list[FieldType]:
    """Fields by name. Raises INVALID_FIELD for one that the user does not see."""
    fields = []
    for name in names:
        field = kind.field(name)
        if field is None:
            raise no_such_column(kind, name)
        fields.append(field)
    return fields


def _key_field(call: Call) -> tuple[ObjectType, FieldType]:
    kind = call.actor.sees(call.parts[0])
    field = key_field(kind, call.parts[1])
    if field is None:
        raise not_found()
    return kind, field


def _shown(call: Call, kind: ObjectType, row: Row) -> Any:
    names = [name for name in (call.request.param("fields") or "").split(",") if name]
    fields = chosen_fields(kind, [name.strip() for name in names]) if names else None
    return record_json(kind, row, fields, api_version=call.version)


def _saved(call: Call, kind: ObjectType, record_id: str, status: int, **more: Any) -> Reply:
    body = {"id": record_id, "success": True, "errors": [], **more}
    location = {"Location": call.address(f"sobjects/{kind.name}/{record_id}")}
    return Reply.json(status, body, media_type=MEDIA_TYPE, headers=location)


def _many(call: Call, kind: ObjectType, rows: list[Row]) -> Reply:
    urls = [call.address(f"sobjects/{kind.name}/{row['Id']}") for row in rows]
    return Reply.json(300, urls, media_type=MEDIA_TYPE)
