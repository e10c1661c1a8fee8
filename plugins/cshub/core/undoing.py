"""Taking back what a run did: one plan row per record it wrote, made from the audit, refused where it changed since."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cshub.core.objects import Kind
from cshub.core.planning import PlanRow, Rule
from cshub.core.records import (
    Action,
    Change,
    DecisionEntry,
    Link,
    LinkSide,
    LinkState,
    Origin,
    Outcome,
    TargetRecord,
)
from cshub.core.values import fingerprint, fingerprints

CHANGED_SINCE = "changed_since_the_run"
NOT_LINKED = "no_longer_linked"
WRITTEN = frozenset({Outcome.CREATED, Outcome.UPDATED, Outcome.DELETED})


def take_back(
    entry: DecisionEntry, link: Link | None, record: TargetRecord | None, *, kinds: Mapping[str, Kind]
) -> PlanRow:
    """The row that takes back one write. ``record``: the target record now, None when it is proven gone.

    Created → deleted; updated → the values before; deleted → made again. A record that is taken back in whole is not
    synced again by itself, in either direction, until somebody asks for it by name.
    """
    if link is None or not link.is_linked or link.target.key != entry.target_key:
        return _row(entry, link, Action.SKIP, reason=NOT_LINKED)
    return _TAKERS[entry.outcome](entry, link, record, kinds)


def _take_back_create(
    entry: DecisionEntry, link: Link, record: TargetRecord | None, kinds: Mapping[str, Kind]
) -> PlanRow:
    if record is None:
        return _row(entry, link, Action.UNCHANGED, **_set_aside(link))
    if not _is_as_written(entry, record, kinds):
        return _row(entry, link, Action.SKIP, reason=CHANGED_SINCE)
    changes = [Change(name, value, None) for name, value in record.values.items() if value is not None]
    return _row(entry, link, Action.DELETE, changes=changes, target_extra=_extra(link, record), **_set_aside(link))


def _take_back_update(
    entry: DecisionEntry, link: Link, record: TargetRecord | None, kinds: Mapping[str, Kind]
) -> PlanRow:
    if record is None or not _is_as_written(entry, record, kinds):
        return _row(entry, link, Action.SKIP, reason=CHANGED_SINCE)
    changes = [Change(item.field, item.after, item.before) for item in entry.changes if item.winner == "source"]
    values = {**record.values, **{change.field: change.after for change in changes}}
    fields = {change.field for change in changes}
    now = fingerprints(record.values, kinds)
    target = replace(
        link.target,
        extra=_extra(link, record),
        marks={name: mark for name, mark in {**now, **(link.target.marks or {})}.items() if name not in fields},
        mapped={},
        modified_at=record.modified_at,
    )
    extra: dict[str, Any] = {"target_extra": target.extra, "source": link.source, "target": target}
    return _row(entry, link, Action.UPDATE, values=values, changes=changes, **extra)


def _take_back_delete(
    entry: DecisionEntry, link: Link, record: TargetRecord | None, kinds: Mapping[str, Kind]
) -> PlanRow:
    if record is not None:
        return _row(entry, link, Action.SKIP, reason=CHANGED_SINCE)
    values = {item.field: item.before for item in entry.changes if item.field in kinds and item.before is not None}
    changes = [Change(name, None, value) for name, value in values.items()]
    source = replace(link.source, state=LinkState.DELETED)
    target = LinkSide(account_id=link.target.account_id, state=LinkState.DELETED)
    facts: dict[str, Any] = {"target_key": None, "target_extra": {}, "source": source, "target": target}
    return _row(entry, link, Action.CREATE, values=values, changes=changes, **facts)


_TAKERS = {
    Outcome.CREATED: _take_back_create,
    Outcome.UPDATED: _take_back_update,
    Outcome.DELETED: _take_back_delete,
}


def _row(entry: DecisionEntry, link: Link | None, action: Action, *, reason: str = "", **more: Any) -> PlanRow:
    facts: dict[str, Any] = {
        "account_id": link.target.account_id if link else None,
        "target_key": entry.target_key,
        "target_extra": link.target.extra if link else {},
    }
    return PlanRow(
        source_key=entry.source_key,
        origin=Origin.NAMED,
        action=action,
        rule=Rule.UNDONE,
        reason=reason or Rule.UNDONE.value,
        external_id=entry.source_key,
        link_version=link.version if link else None,
        **{**facts, **more, "changes": tuple(more.get("changes", ()))},
    )


def _set_aside(link: Link) -> dict[str, Any]:
    return {
        "source": replace(link.source, state=LinkState.DELETED),
        "target": replace(link.target, state=LinkState.DELETED),
    }


def _extra(link: Link, record: TargetRecord) -> dict[str, str]:
    return {**link.target.extra, **record.extra}


def _is_as_written(entry: DecisionEntry, record: TargetRecord, kinds: Mapping[str, Kind]) -> bool:
    """Whether every field that the run wrote still holds what it wrote."""
    return all(
        fingerprint(record.values.get(item.field), kinds[item.field]) == fingerprint(item.after, kinds[item.field])
        for item in entry.changes
        if item.winner == "source" and item.field in kinds and item.field in record.values
    )
