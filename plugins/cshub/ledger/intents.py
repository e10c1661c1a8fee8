"""Writes that have begun and are not confirmed. A row here means: look at the target before sending again."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, select

from cshub.core.errors import LinkMoved, StateError
from cshub.core.records import Intent, Operation, Pair
from cshub.ledger import link_writes
from cshub.ledger.rows import IntentRequest
from cshub.ledger.runs import RunPlace
from cshub.ledger.statements import among, insert_new
from cshub.ledger.tables import intent, run

_WITH_RUN = select(intent, run.c.run_id, run.c.job_id).select_from(
    intent.join(run, run.c.number == intent.c.run_number)
)
Record = tuple[int, bool, str]
"""Number of the pair, whether it is on the right side, and key."""


class OpenWrite(NamedTuple):
    """An intent, and the job and number of the run that began it."""

    intent: Intent
    job_id: str
    run_number: int


def begin(
    connection: Connection, requests: Sequence[IntentRequest], run: RunPlace, now: datetime
) -> list[Intent | LinkMoved]:
    """For each request its intent, or why its write must not be sent.

    A record takes part in one open write at a time, as source or as target, whichever direction began it.
    """
    begun: dict[Record, str] = {}
    for number in {request.pair.number for request in requests}:
        begun.update(_records_in_open_writes(connection, number))
    refusals: list[LinkMoved | None] = []
    known = _versions(connection, requests)
    for request in requests:
        refusal = _refusal(request, known[request.pair].get(request.source_key), begun)
        refusals.append(refusal)
        if refusal is None:
            begun.update(dict.fromkeys(_records(request), _told(request.operation, request.source_key, run.run_id)))
    rows = [_values(request, run, now) for request, refusal in zip(requests, refusals, strict=True) if refusal is None]
    added = _add(connection, rows, run.run_id)
    return [
        refusal or added.get((request.pair, request.source_key)) or _rivalled(request)
        for request, refusal in zip(requests, refusals, strict=True)
    ]


def close(connection: Connection, numbers: Collection[int]) -> dict[int, OpenWrite]:
    """Remove open intents, by number. :class:`StateError` when one is not open."""
    here = among(connection, intent.c.id, list(numbers))
    found = {
        row.id: OpenWrite(_intent(row, row.run_id), row.job_id, row.run_number)
        for row in connection.execute(_WITH_RUN.where(here))
    }
    settled = [number for number in numbers if number not in found]
    if settled or len(found) != len(numbers):
        raise StateError(
            f"The write {', '.join(map(str, settled)) or 'named twice'} is not open: it was confirmed or abandoned "
            "before. Read the link again and go on from it."
        )
    connection.execute(delete(intent).where(here))
    return found


def still_open(connection: Connection, pair_id: int) -> list[Intent]:
    """Those of both directions, oldest first."""
    rows = connection.execute(_WITH_RUN.where(intent.c.pair_id == pair_id).order_by(intent.c.id))
    return [_intent(row, row.run_id) for row in rows]


def _add(connection: Connection, rows: Sequence[dict[str, Any]], run_id: str) -> dict[tuple[Pair, str], Intent]:
    if not rows:
        return {}
    inserted = connection.execute(insert_new(connection, intent).returning(*intent.c), rows)
    return {(Pair(row.pair_id, row.mirrored), row.source_key): _intent(row, run_id) for row in inserted}


def _records_in_open_writes(connection: Connection, pair_id: int) -> dict[Record, str]:
    columns = (intent.c.mirrored, intent.c.source_key, intent.c.target_key, intent.c.operation, run.c.run_id)
    wanted = select(*columns).join(run, run.c.number == intent.c.run_number).where(intent.c.pair_id == pair_id)
    return {
        record: _told(operation, source_key, run_id)
        for mirrored, source_key, target_key, operation, run_id in connection.execute(wanted)
        for record in _both(Pair(pair_id, mirrored), source_key, target_key)
    }


def _versions(
    connection: Connection, requests: Sequence[IntentRequest]
) -> dict[Pair, dict[str, tuple[int, str | None]]]:
    keys: dict[Pair, list[str]] = {}
    for request in requests:
        keys.setdefault(request.pair, []).append(request.source_key)
    return {pair: link_writes.versions(connection, pair, of_pair) for pair, of_pair in keys.items()}


def _refusal(
    request: IntentRequest, stored: tuple[int, str | None] | None, begun: Mapping[Record, str]
) -> LinkMoved | None:
    key, expected = request.source_key, request.expected_version
    if expected is None and stored is not None and stored[1] is not None:
        return LinkMoved(
            f"{key!r} is already linked to the target record {stored[1]!r}, nothing is created. "
            "Plan again: the next run sees the link."
        )
    if expected is not None and (stored is None or stored[0] != expected):
        now = "gone" if stored is None else f"at version {stored[0]}"
        return LinkMoved(
            f"The link of {key!r} was planned at version {expected} and is {now}. "
            "Nothing was sent. Plan again: the next run sees the change."
        )
    pending = next((begun[record] for record in _records(request) if record in begun), None)
    if pending is None:
        return None
    return LinkMoved(
        f"{pending} and is not settled: look at the target first, then confirm or abandon it. "
        "The next run does this before it writes."
    )


def _rivalled(request: IntentRequest) -> LinkMoved:
    return LinkMoved(
        f"Another process has just begun a write of {request.source_key!r}. Nothing was sent. "
        "The next run settles it before it writes."
    )


def _told(operation: str, source_key: str, run_id: str) -> str:
    return f"A {operation} of {source_key!r} began in run {run_id!r}"


def _records(request: IntentRequest) -> list[Record]:
    return _both(request.pair, request.source_key, request.target_key)


def _both(pair: Pair, source_key: str, target_key: str | None) -> list[Record]:
    source = (pair.number, pair.mirrored, source_key)
    return [source] if target_key is None else [source, (pair.number, not pair.mirrored, target_key)]


def _values(request: IntentRequest, run: RunPlace, now: datetime) -> dict[str, Any]:
    return {
        "pair_id": request.pair.number,
        "mirrored": request.pair.mirrored,
        "source_key": request.source_key,
        "operation": request.operation.value,
        "run_number": run.number,
        "begun_at": now,
        "target_key": request.target_key,
        "payload_hash": request.payload_hash,
        "hint": dict(request.hint),
    }


def _intent(row: Row[Any], run_id: str) -> Intent:
    return Intent(
        id=row.id,
        pair=Pair(row.pair_id, row.mirrored),
        source_key=row.source_key,
        operation=Operation(row.operation),
        run_id=run_id,
        begun_at=row.begun_at,
        target_key=row.target_key,
        payload_hash=row.payload_hash,
        hint=row.hint,
    )
