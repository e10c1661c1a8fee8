"""The examples of a job file as tests: each source record is mapped and compared with what it must become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cshub.core.errors import DataError
from cshub.core.jobs import BoundJob, Example
from cshub.core.mapping import ABSENT, CompiledMapping, MappedRecord, compile_mapping
from cshub.core.objects import Kind, ObjectSpec, Role
from cshub.core.records import Origin, RejectEntry, SourceRecord
from cshub.core.schema import frame_rows, map_chunk
from cshub.core.values import cast

_LISTS = frozenset({Kind.EMAILS, Kind.IDS})


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as the example says. ``attribute``: its name, or ``(record)`` for the record as a whole."""

    attribute: str
    expected: Any
    got: Any


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """What became of one example. It passes when nothing differs."""

    name: str
    differences: Sequence[Difference]

    @property
    def passed(self) -> bool:
        return not self.differences


def run_examples(bound: BoundJob, source: ObjectSpec, target: ObjectSpec) -> list[ExampleResult]:
    """Every example of a valid job, mapped as a run would map it, in the order of the file."""
    mapping = compile_mapping(bound, source, target, version="examples")
    return [check_example(example, *_mapped(example, mapping), mapping) for example in bound.job.examples]


def check_example(
    example: Example, record: MappedRecord | None, rejects: Sequence[RejectEntry], mapping: CompiledMapping
) -> ExampleResult:
    """Compare what an example became (``record``, or ``rejects`` when it is None) with what it says.

    Only the attributes that the example names are compared. The account key stands for the account's reference, the
    record key for the source key. Of a reject, the example's text must be part of one of the reasons.
    """
    became = _became(record, rejects)
    if example.rejected is not None:
        same = any(example.rejected in entry.reason for entry in rejects)
        return ExampleResult(example.name, [] if same else [_whole(f"rejected: {example.rejected}", became)])
    if example.skipped is not None:
        same = record is not None and record.skip_reason == example.skipped
        return ExampleResult(example.name, [] if same else [_whole(f"skipped: {example.skipped}", became)])
    if record is None or record.skip_reason is not None:
        return ExampleResult(example.name, [_whole("mapped", became)])
    return ExampleResult(example.name, _differences(example.becomes or {}, record, mapping))


def _mapped(example: Example, mapping: CompiledMapping) -> tuple[MappedRecord | None, Sequence[RejectEntry]]:
    key = next((row.value_of(example.given) for row in mapping.rows if row.target.role is Role.RECORD_KEY), ABSENT)
    known = key is not ABSENT and key is not None
    record = SourceRecord(str(key) if known else example.name, example.given, None)
    chunk = map_chunk([(record, Origin.NAMED)], mapping)
    return next(frame_rows(chunk.frame), None), chunk.rejects


def _differences(expected: Mapping[str, Any], record: MappedRecord, mapping: CompiledMapping) -> list[Difference]:
    got = dict(record.values)
    for spec in mapping.attributes.values():
        if spec.role is Role.ACCOUNT_KEY:
            got[spec.name] = record.account_reference
        elif spec.role is Role.RECORD_KEY:
            got[spec.name] = record.external_id
        elif spec.role is Role.MODIFIED_AT:
            got[spec.name] = record.seen.modified_at
    kinds = mapping.kinds
    return [
        Difference(name, value, got.get(name, ABSENT))
        for name, value in expected.items()
        if name not in got or not _same(value, got[name], kinds[name])
    ]


def _same(expected: Any, got: Any, kind: Kind) -> bool:
    if expected is None or got is None:
        return expected is got
    try:
        wanted = cast(expected, kind)
    except DataError:
        return False
    if kind in _LISTS:
        return sorted(wanted) == sorted(got)
    return bool(wanted == got)


def _became(record: MappedRecord | None, rejects: Sequence[RejectEntry]) -> str:
    if record is None:
        return "rejected: " + "; ".join(f"{entry.field}: {entry.reason}" for entry in rejects)
    return f"skipped: {record.skip_reason}" if record.skip_reason is not None else "mapped"


def _whole(expected: str, got: str) -> Difference:
    return Difference("(record)", expected, got)
