"""Map: source records in target attributes, validated; failing rows leave with every reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa

from cshub.core.errors import SpecError
from cshub.core.mapping import UNSENT, CompiledMapping, MappedRecord, Seen
from cshub.core.objects import Kind
from cshub.core.planning import Rule
from cshub.core.records import RejectEntry
from cshub.core.schema import META, frame_rows, map_chunk, to_frame
from cshub.core.stats import RunStatistics
from cshub.pipeline.extract import Received, staged_records
from cshub.pipeline.locking import locked
from cshub.pipeline.rejects import record_rejects
from cshub.pipeline.run import Run
from cshub.staging import FrameRef

REJECT_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("source_key", "step", "field", "reason", "remedy", "value")],
)
SHARE_COUNTS_FROM = 20  # below this many records one bad row is no sign of a wrong mapping
_ARROW: Mapping[Kind, pa.DataType] = {
    Kind.NUMBER: pa.float64(),
    Kind.BOOLEAN: pa.bool_(),
    Kind.EMAILS: pa.list_(pa.string()),
    Kind.IDS: pa.list_(pa.string()),
}


@dataclass(frozen=True, slots=True)
class Mapped:
    """``ref``: mapped frame; ``rejects``: one row per reason; ``statistics``: read, mapped, rejected, warnings."""

    ref: FrameRef
    rejects: FrameRef
    statistics: RunStatistics


@dataclass(slots=True)
class _Tally:
    read: int = 0
    rejected: int = 0
    warnings: Counter[str] = field(default_factory=Counter)
    rejects: list[RejectEntry] = field(default_factory=list)


def map_records(run: Run, raw: FrameRef) -> Mapped:
    """Map and stage everything that extract staged.

    Raises :class:`SpecError` when the share of rejected rows passes the job's limit; the rows are staged all the same,
    and kept in the ledger with their reasons.
    """
    tally = _Tally()
    chunks = (_map_chunk(received, run.mapping, tally) for received in staged_records(run, raw))
    job_id, run_id = run.bound.id, run.run_id
    ref = run.staging.write(job_id, run_id, "mapped", chunks, schema=mapped_schema(run.mapping))
    rejects = stage_rejects(run, tally.rejects)
    statistics = RunStatistics(
        read=tally.read, mapped=ref.rows, rejected=tally.rejected, warnings=dict(tally.warnings)
    ).check_mapping()
    limit = run.bound.job.rejected_share_limit
    if tally.read >= SHARE_COUNTS_FROM and tally.rejected > limit * tally.read:
        reasons = Counter(f"{entry.field}: {entry.reason}" for entry in tally.rejects).most_common(3)
        frequent = "; ".join(f"{text} ({count})" for text, count in reasons)
        with locked(run) as fence:
            record_rejects(run, fence, tally.rejects)
        raise SpecError(
            f"{tally.rejected} of {tally.read} records were rejected, more than the job's limit of {limit:.0%}; "
            f"nothing was sent. Most frequent: {frequent}. Look at them with `cshub rejects {job_id}`, correct the "
            "mapping or raise rejected_share_limit, then run again."
        )
    return Mapped(ref, rejects, statistics)


def map_now(run: Run, received: Sequence[Received]) -> tuple[list[MappedRecord], list[RejectEntry]]:
    """Map a handful of records in memory, for a preview, a retry or a fresh look."""
    tally = _Tally()
    frame = _map_chunk(received, run.mapping, tally)
    return list(frame_rows(frame)), tally.rejects


def staged_rows(run: Run, ref: FrameRef) -> Iterator[MappedRecord]:
    for frame in run.staging.read(ref):
        yield from frame_rows(frame)


def stage_rejects(run: Run, rejects: Sequence[RejectEntry]) -> FrameRef:
    return run.staging.write(run.bound.id, run.run_id, "rejected", [_reject_frame(rejects)], schema=REJECT_SCHEMA)


def staged_rejects(run: Run, ref: FrameRef) -> list[RejectEntry]:
    columns = list(REJECT_SCHEMA.names)
    return [
        RejectEntry(*(cell if isinstance(cell, str) else "" for cell in cells))
        for frame in run.staging.read(ref)
        for cells in frame[columns].itertuples(index=False, name=None)
    ]


def mapped_schema(mapping: CompiledMapping) -> pa.Schema:
    """Arrow schema of a mapped frame (see :func:`cshub.core.schema.to_frame`)."""
    lists = {"_absent", "_warnings"}
    columns = [(name, pa.list_(pa.string()) if name in lists else pa.string()) for name in META]
    for name, spec in mapping.attributes.items():
        if spec.role not in UNSENT:
            columns.append((name, _ARROW.get(spec.kind, pa.string())))
    return pa.schema(columns)


def _map_chunk(received: Sequence[Received], mapping: CompiledMapping, tally: _Tally) -> pd.DataFrame:
    present = [(record, origin) for record, origin in received if record.body is not None]
    missing = [
        MappedRecord(Seen.of(record, origin), {}, None, Rule.SOURCE_NOT_READABLE.value)
        for record, origin in received
        if record.body is None
    ]
    chunk = map_chunk(present, mapping)
    tally.read += len(received)
    tally.rejected += chunk.rejected
    tally.warnings.update(chunk.warnings)
    tally.rejects.extend(chunk.rejects)
    if not missing:
        return chunk.frame
    return pd.concat([chunk.frame, to_frame(missing, mapping)], ignore_index=True)


def _reject_frame(rejects: Sequence[RejectEntry]) -> pd.DataFrame:
    rows = [(item.source_key, item.step, item.field, item.reason, item.remedy, item.value) for item in rejects]
    return pd.DataFrame(rows, columns=list(REJECT_SCHEMA.names), dtype="str")
