"""Extract: pages of the window, and by id whatever still waits. Records are kept as received."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import orjson
import pandas as pd
import pyarrow as pa

from cshub.core.errors import SpecError
from cshub.core.ids import capitals_needed, has_lost_its_case, may_be_same_salesforce_id, to_18
from cshub.core.planning import PlanRow
from cshub.core.ports import Reading
from cshub.core.records import (
    RETRIED_STATES,
    Link,
    LinkState,
    Operation,
    Origin,
    Presence,
    RecordKey,
    RunKind,
    SourceRecord,
)
from cshub.core.window import Window, choose_window
from cshub.pipeline.run import CHUNK, Asked, Run, window_facts
from cshub.staging import FrameRef

Received = tuple[SourceRecord, Origin]
ItemT = TypeVar("ItemT")
_ENDED = frozenset({LinkState.DELETED, LinkState.GONE})
_TOLD_GONE = frozenset({Presence.DELETED, Presence.ACCOUNT_GONE})

_FACTS = ("source_key", "origin", "presence", "modified_at", "created_at", "dated_at", "account_id", "extra", "body")
RAW_SCHEMA = pa.schema([(name, pa.string()) for name in _FACTS])
_UNTIL_DONE = tuple(set(RETRIED_STATES) - {LinkState.EMPTY})
LOOKED_UP = 2000  # links looked up, and records asked for by id, at a time
ORIGINS: Mapping[LinkState, Origin] = {
    LinkState.EMPTY: Origin.PENDING,
    LinkState.PARKED: Origin.PARKED,
    LinkState.REJECTED: Origin.RETRY,
    LinkState.FAILED: Origin.RETRY,
    LinkState.MISSING: Origin.PENDING,
}


@dataclass(frozen=True, slots=True)
class Opened:
    """``first_run``: the job has no watermark yet, and its window is not one that a person asked for.

    ``is_whole``: all of the window is read, and not only what a person named or what waits.
    """

    window: Window
    first_run: bool
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Extracted:
    """``read``: records staged, each key once; ``by_origin``: why each was read. The rest as in :class:`Opened`.

    ``beside_lost``: see :func:`is_beside_lost`, before or after the reading.
    """

    ref: FrameRef
    window: Window
    first_run: bool
    is_whole: bool
    read: int
    by_origin: Mapping[str, int]
    beside_lost: bool


def extract(run: Run, asked: Asked, *, only_waiting: bool = False) -> Extracted:
    """Open the run in the ledger, read its window and everything that waits, and stage it.

    ``only_waiting``: leave the window out and read only parked, pending, rejected and failed records (a retry).
    Raises what the source raises; nothing is staged unless the window was read completely.
    """
    opened = open_run(run, asked, only_waiting=only_waiting)
    counts: dict[str, int] = {}
    beside_lost = is_beside_lost(run)
    frames = _frames(receive(run, asked, opened.window, only_waiting=only_waiting), counts)
    ref = run.staging.write(run.bound.id, run.run_id, "raw", frames, schema=RAW_SCHEMA)
    beside_lost = is_beside_lost(run) or beside_lost
    return Extracted(ref, opened.window, opened.first_run, opened.is_whole, sum(counts.values()), counts, beside_lost)


def is_beside_lost(run: Run) -> bool:
    """Whether a create of the other direction is not settled: what it made may be read now, and gone by then."""
    open_now = run.ledger.open_intents(run.pair)
    return any(intent.pair != run.pair and intent.operation is Operation.CREATE for intent in open_now)


def open_run(run: Run, asked: Asked, *, only_waiting: bool = False) -> Opened:
    """Choose the window and open the run in the ledger."""
    facts = window_facts(run, asked)
    window = choose_window(facts, run.window_rules)
    run.ledger.open_run(
        run.run_id,
        job_id=run.bound.id,
        pair=run.pair,
        kind=run.kind,
        window=window,
        job_digest=run.bound.digest,
        now=facts.now,
    )
    is_whole = not only_waiting and not asked.records
    return Opened(window, is_whole and facts.watermark is None and asked.window_start is None, is_whole)


def receive(run: Run, asked: Asked, window: Window, *, only_waiting: bool = False) -> Iterator[Received]:
    """Records of the window and what waits, or those that a person named; each key once."""
    if asked.records:
        return iter(_asked_by_name(run, asked.records))
    return _received(run, window, only_waiting=only_waiting, full=asked.full_sync)


def read_named(run: Run, keys: Sequence[str]) -> list[Received]:
    """These records by id, as a person named them."""
    return [(record, Origin.NAMED) for page in run.source.read_keys(_addresses(run, keys)) for record in page.records]


def read_again(run: Run, rows: Sequence[PlanRow]) -> list[Received]:
    """The records of these rows by id, asked for where they were seen: that shows changes at once."""
    unknown = _addresses(run, [row.source_key for row in rows if row.source is None])
    told = [row.source.address for row in rows if row.source is not None and row.source.address is not None]
    origins = {row.source_key: row.origin for row in rows}
    pages = run.source.read_keys([*told, *unknown]) if rows else ()
    return [(item, origins.get(item.key, Origin.NAMED)) for page in pages for item in page.records]


def _asked_by_name(run: Run, keys: Sequence[str]) -> list[Received]:
    """The records that a person named. An id that has lost its case is that of the one linked record that it fits.

    Raises :class:`SpecError` where it fits several, or none and the source knows no such record either.
    """
    lost = {key: _linked_alike(run, key) for key in keys if has_lost_its_case(key)}
    received = read_named(run, list(dict.fromkeys(lost.get(key) or key for key in keys)))
    unknown = {to_18(key): key for key, known in lost.items() if known is None}
    for record, _ in received:
        if record.key in unknown and record.presence is Presence.ABSENT:
            raise SpecError(capitals_needed(unknown[record.key], "no linked record fits it"))
    return received


def _linked_alike(run: Run, key: str) -> str | None:
    found = {link.source.key for link in run.ledger.links_alike(run.pair, key)} - {None}
    fitting = [known for known in found if known is not None and may_be_same_salesforce_id(known, key)]
    if len(fitting) > 1:
        raise SpecError(capitals_needed(key, f"{len(fitting)} linked records fit it"))
    return fitting[0] if fitting else None


def staged_records(run: Run, ref: FrameRef) -> Iterator[list[Received]]:
    """What :func:`extract` staged, chunk by chunk."""
    for frame in run.staging.read(ref):
        yield [_record(*cells) for cells in frame[list(RAW_SCHEMA.names)].itertuples(index=False, name=None)]


def _received(run: Run, window: Window, *, only_waiting: bool, full: bool) -> Iterator[Received]:
    seen: set[str] = set()
    if not only_waiting:
        for page in run.source.read_window(window):
            for record in _known_if_deleted(run, page.records):
                if record.key not in seen:
                    seen.add(record.key)
                    yield record, Origin.WINDOW
            run.show({"step": "extract", "read": len(seen)})
        yield from _missing(run, window, seen, full=full)
    if run.kind is RunKind.BACKFILL:
        return
    waiting = {key: item for key, item in _waiting(run).items() if key not in seen}
    for batch in _batched(list(waiting), LOOKED_UP):
        for page in run.source.read_keys([waiting[key][1] for key in batch]):
            for record in page.records:
                if record.key not in seen:
                    seen.add(record.key)
                    yield record, waiting[record.key][0] if record.key in waiting else Origin.RETRY


def _known_if_deleted(run: Run, records: Sequence[SourceRecord]) -> Iterator[SourceRecord]:
    """Without records that are gone and that the hub never synced: nothing is to be done about them.

    One of which a write was begun that nobody has settled yet may have been synced.
    """
    deleted = [record.key for record in records if record.presence in _TOLD_GONE]
    known: set[str] = set()
    if deleted:  # open writes first: one that is settled meanwhile has its link by then
        known |= {intent.source_key for intent in run.ledger.open_intents(run.pair) if intent.pair == run.pair}
        links = run.ledger.links(run.pair, deleted)
        known |= {key for key, link in links.items() if link.state is not LinkState.GONE}
    for record in records:
        if record.presence not in _TOLD_GONE or record.key in known:
            yield record


def _missing(run: Run, window: Window, seen: set[str], *, full: bool) -> Iterator[Received]:
    """Linked records that a complete read did not show and that are proven by id to be deleted, or told lost.

    Where the source lists records by date, those dated in the window; in a full sync all that are linked. Records that
    turn out to be there were left out by a filter, and stay so.
    """
    if not run.follows_deletions:
        return
    if full:
        links: Iterable[Link] = run.ledger.linked(run.pair)
    elif run.source.reading is Reading.BY_DATE:
        links = run.ledger.links_dated(run.pair, window)
    else:
        return
    absent = (link.source.address for link in links if link.source.key not in seen and link.state not in _ENDED)
    for batch in _batched((address for address in absent if address is not None), LOOKED_UP):
        run.note(f"looking by id at {len(batch)} records that were not listed")
        for page in run.source.read_keys(batch):
            for record in page.records:
                if record.presence in _TOLD_GONE and record.key not in seen:
                    seen.add(record.key)
                    yield record, Origin.WINDOW


def _waiting(run: Run) -> dict[str, tuple[Origin, RecordKey]]:
    """Records without counterpart wait for so many days; a change of a synced one as long as it takes."""
    since = run.clock.now() - run.bound.window.pending
    links = run.ledger.links_in_state(run.pair, RETRIED_STATES, seen_since=since)
    links += run.ledger.links_in_state(run.pair, _UNTIL_DONE, linked=True)
    return {link.source_key: (ORIGINS[link.state], link.source.address or RecordKey(link.source_key)) for link in links}


def _addresses(run: Run, keys: Sequence[str]) -> list[RecordKey]:
    links = run.ledger.links(run.pair, list(keys))
    known = {key: link.source.address for key, link in links.items()}
    return [known.get(key) or RecordKey(key) for key in keys]


def _batched(items: Iterable[ItemT], size: int) -> Iterator[list[ItemT]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def _frames(received: Iterable[Received], counts: dict[str, int]) -> Iterator[pd.DataFrame]:
    chunk: list[tuple[str | None, ...]] = []
    for record, origin in received:
        counts[origin.value] = counts.get(origin.value, 0) + 1
        moments = (record.modified_at, record.created_at, record.dated_at)
        chunk.append(
            (
                record.key,
                origin.value,
                record.presence.value,
                *(None if moment is None else moment.isoformat() for moment in moments),
                record.account_id or None,
                orjson.dumps(dict(record.extra)).decode() if record.extra else None,
                None if record.body is None else _as_json(record.body),
            )
        )
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


def _record(key: str, origin: str, presence: str, *facts: Any) -> Received:
    texts = [fact if isinstance(fact, str) else None for fact in facts]
    modified_at, created_at, dated_at = (datetime.fromisoformat(text) if text else None for text in texts[:3])
    account_id, extra, body = texts[3:]
    record = SourceRecord(
        key,
        None if body is None else _parsed(body),
        modified_at,
        Presence(presence),
        created_at=created_at,
        dated_at=dated_at,
        account_id=account_id or "",
        extra=orjson.loads(extra) if extra else {},
    )
    return record, Origin(origin)


def _parsed(body: str) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return json.loads(body)
