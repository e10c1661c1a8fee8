"""Extract: pages of the window, and by id whatever still waits. Records are kept as received."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa

from cshub.core.records import RETRIED_STATES, LinkState, Origin, Presence, RunKind, SourceRecord
from cshub.core.window import Window, choose_window
from cshub.pipeline.run import CHUNK, Asked, Run, window_facts
from cshub.staging import FrameRef

Received = tuple[SourceRecord, Origin]

RAW_SCHEMA = pa.schema(
    [(name, pa.string()) for name in ("source_key", "origin", "presence", "modified_at", "body")],
)
ORIGINS: Mapping[LinkState, Origin] = {
    LinkState.EMPTY: Origin.PENDING,
    LinkState.PARKED: Origin.PARKED,
    LinkState.REJECTED: Origin.RETRY,
    LinkState.FAILED: Origin.RETRY,
}


@dataclass(frozen=True, slots=True)
class Extracted:
    """``read``: records staged, each key once; ``by_origin``: why each was read."""

    ref: FrameRef
    window: Window
    first_run: bool
    read: int
    by_origin: Mapping[str, int]


def extract(run: Run, asked: Asked, *, only_waiting: bool = False) -> Extracted:
    """Open the run in the ledger, read its window and everything that waits, and stage it.

    ``only_waiting``: leave the window out and read only parked, pending, rejected and failed records (a retry).
    Raises what the source raises; nothing is staged unless the window was read completely.
    """
    facts = window_facts(run, asked)
    window = choose_window(facts, run.window_rules)
    run.ledger.open_run(
        run.run_id,
        job_id=run.bound.id,
        pair_id=run.pair_id,
        kind=run.kind,
        window=window,
        job_digest=run.bound.digest,
        now=facts.now,
    )
    counts: dict[str, int] = {}
    received = _received(run, window, only_waiting=only_waiting)
    ref = run.staging.write(run.bound.id, run.run_id, "raw", _frames(received, counts), schema=RAW_SCHEMA)
    first_run = facts.watermark is None and asked.window_start is None
    return Extracted(ref, window, first_run, sum(counts.values()), counts)


def read_named(run: Run, keys: Sequence[str]) -> list[Received]:
    """These records by id, for a retry or a fresh look before a saved plan is applied."""
    return [(record, Origin.NAMED) for page in run.source.read_keys(list(keys)) for record in page.records]


def staged_records(run: Run, ref: FrameRef) -> Iterator[list[Received]]:
    """What :func:`extract` staged, chunk by chunk."""
    for frame in run.staging.read(ref):
        yield [_record(*cells) for cells in frame[list(RAW_SCHEMA.names)].itertuples(index=False, name=None)]


def _received(run: Run, window: Window, *, only_waiting: bool) -> Iterator[Received]:
    seen: set[str] = set()
    if not only_waiting:
        for page in run.source.read_window(window):
            for record in page.records:
                if record.key not in seen:
                    seen.add(record.key)
                    yield record, Origin.WINDOW
            run.show({"step": "extract", "read": len(seen)})
    if run.kind is RunKind.BACKFILL:
        return
    waiting = _waiting(run)
    keys = [key for key in waiting if key not in seen]
    if keys:
        for page in run.source.read_keys(keys):
            for record in page.records:
                if record.key not in seen:
                    seen.add(record.key)
                    yield record, waiting.get(record.key, Origin.RETRY)


def _waiting(run: Run) -> dict[str, Origin]:
    since = run.clock.now() - run.bound.window.pending
    links = run.ledger.links_in_state(run.pair_id, RETRIED_STATES, seen_since=since)
    return {link.source_key: ORIGINS[link.state] for link in links}


def _frames(received: Iterable[Received], counts: dict[str, int]) -> Iterator[pd.DataFrame]:
    chunk: list[tuple[str | None, ...]] = []
    for record, origin in received:
        counts[origin.value] = counts.get(origin.value, 0) + 1
        body = None if record.body is None else _as_json(record.body)
        modified_at = record.modified_at.isoformat() if record.modified_at else None
        chunk.append((record.key, origin.value, record.presence.value, modified_at, body))
        if len(chunk) == CHUNK:
            yield _frame(chunk)
            chunk = []
    if chunk:
        yield _frame(chunk)


def _frame(rows: Sequence[tuple[str | None, ...]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(RAW_SCHEMA.names), dtype="str")


def _as_json(body: Mapping[str, Any]) -> str:
    """JSON text; a lone surrogate (which UTF-8 cannot carry) is kept as its escape."""
    try:
        return orjson.dumps(body).decode()
    except TypeError:
        return json.dumps(body, ensure_ascii=True)


def _record(key: str, origin: str, presence: str, modified_at: Any, body: Any) -> Received:
    moment = datetime.fromisoformat(modified_at) if isinstance(modified_at, str) else None
    record = SourceRecord(key, _parsed(body) if isinstance(body, str) else None, moment, Presence(presence))
    return record, Origin(origin)


def _parsed(body: str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)
