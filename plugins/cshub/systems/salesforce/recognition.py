"""Recognising the record that a create with a lost answer made, though somebody may have edited it since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from cshub.core.objects import Kind, ObjectSpec
from cshub.core.records import TargetRecord
from cshub.core.values import fingerprint

_TELLING = frozenset({Kind.TEXT, Kind.RICH_TEXT, Kind.DATE, Kind.DATETIME, Kind.ANY})
_SAID_OFTEN = frozenset({"Type", "Status", "Priority", "ShowAs", "TaskSubtype", "Location"})
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def marks_of(values: Mapping[str, Any], spec: ObjectSpec) -> dict[str, str]:
    """Fingerprints of what is sent; nulls say nothing."""
    return {name: _mark(name, value, spec) for name, value in values.items() if value is not None}


def recognised(records: Iterable[TargetRecord], marks: Mapping[str, str], spec: ObjectSpec) -> list[TargetRecord]:
    """Those that hold all that was sent, oldest first; then those changed since that still hold half of what tells."""
    ordered = sorted(records, key=lambda record: (record.created_at or _LONG_AGO, record.key))
    matching, edited = [], []
    for record in ordered:
        alike = _alike(record, marks, spec)
        if all(alike.values()):
            matching.append(record)
        elif _was_edited(record) and _tells_enough(alike, spec):
            edited.append(record)
    return [*matching, *edited]


def _alike(record: TargetRecord, marks: Mapping[str, str], spec: ObjectSpec) -> dict[str, bool]:
    """Name → whether the record holds what was sent; names it does not show are left out."""
    shown = record.values
    return {name: _mark(name, shown[name], spec) == mark for name, mark in marks.items() if name in shown}


def _tells_enough(alike: Mapping[str, bool], spec: ObjectSpec) -> bool:
    telling = [same for name, same in alike.items() if name not in _SAID_OFTEN and _kind(name, spec) in _TELLING]
    return any(telling) and 2 * sum(telling) >= len(telling)


def _was_edited(record: TargetRecord) -> bool:
    made, changed = record.created_at, record.modified_at
    return made is not None and changed is not None and changed > made


def _mark(name: str, value: Any, spec: ObjectSpec) -> str:
    kind = _kind(name, spec)
    return fingerprint(value, Kind.TEXT if kind is Kind.ANY and isinstance(value, str) else kind)


def _kind(name: str, spec: ObjectSpec) -> Kind:
    return spec.attribute(name).kind
