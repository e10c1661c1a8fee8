"""Recognising the record that a create with a lost answer made, though somebody may have edited it since."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from cshub.core.objects import Kind, ObjectSpec
from cshub.core.ports import Candidate
from cshub.core.records import TargetRecord
from cshub.core.values import fingerprint

_TELLING = frozenset({Kind.TEXT, Kind.RICH_TEXT, Kind.DATE, Kind.DATETIME, Kind.ANY})
_SAID_OFTEN = frozenset({"Type", "Status", "Priority", "ShowAs", "TaskSubtype", "Location"})
_MOMENT_ONLY = 4
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def marks_of(values: Mapping[str, Any], spec: ObjectSpec) -> dict[str, str]:
    """Fingerprints of what is sent; nulls say nothing."""
    return {name: _mark(name, value, spec) for name, value in values.items() if value is not None}


def recognised(records: Iterable[TargetRecord], marks: Mapping[str, str], spec: ObjectSpec) -> list[Candidate]:
    """Those that may be what was sent, likeliest first, of equal ones the oldest first.

    First those that hold all of it; then those in which automation of the org has set only what many records share,
    such as owner or status; then those changed since that still hold half of what tells them from others; and at last,
    vaguely, those of which nothing but the planned moment is left.
    """
    ordered = sorted(records, key=lambda record: (record.created_at or _LONG_AGO, record.key))
    ranked = [(rank, record) for record in ordered if (rank := _rank(record, marks, spec))]
    likely = [Candidate(record, rank, is_vague=rank == _MOMENT_ONLY) for rank, record in ranked]
    return sorted(likely, key=lambda candidate: candidate.doubt)


def _rank(record: TargetRecord, marks: Mapping[str, str], spec: ObjectSpec) -> int:
    """1 to 4, the likeliest first; 0 for a record that is not what was sent. What it does not show does not count."""
    shown = record.values
    alike = {name: _mark(name, shown[name], spec) == mark for name, mark in marks.items() if name in shown}
    telling = [same for name, same in alike.items() if name not in _SAID_OFTEN and _kind(name, spec) in _TELLING]
    if alike and all(alike.values()):
        return 1
    if not any(telling):
        return 0
    if all(telling):
        return 2
    if not _was_edited(record):
        return 0
    moments = [same for name, same in alike.items() if _kind(name, spec) is Kind.DATETIME]
    return 3 if 2 * sum(telling) >= len(telling) else _MOMENT_ONLY if moments and all(moments) else 0


def _was_edited(record: TargetRecord) -> bool:
    made, changed = record.created_at, record.modified_at
    return made is not None and changed is not None and changed > made


def _mark(name: str, value: Any, spec: ObjectSpec) -> str:
    kind = _kind(name, spec)
    return fingerprint(value, Kind.TEXT if kind is Kind.ANY and isinstance(value, str) else kind)


def _kind(name: str, spec: ObjectSpec) -> Kind:
    return spec.attribute(name).kind
