"""Values the ledger's tests share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cshub.core.records import (
    DecisionEntry,
    Intent,
    Link,
    LinkSide,
    LinkState,
    Operation,
    Outcome,
    Pair,
    RejectEntry,
    RunKind,
)
from cshub.core.window import Window
from cshub.ledger import Fence, IntentRequest, Ledger

NOW = datetime(2026, 11, 20, 23, 0, 0, 123456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WINDOW = Window(NOW - timedelta(days=1), NOW)
SOURCE = ("chorus", "engagement", "acme.chorus.example")
TARGET = ("totango", "touchpoint", "service-17")
JOB = "meetings"
WRITE: Mapping[str, Any] = {
    "operation": Operation.CREATE,
    "target_key": None,
    "payload_hash": "0123456789abcdef",
    "hint": {"account_id": "0011", "timestamp_ms": 1, "author": None},
    "expected_version": None,
}


def pair_of(ledger: Ledger, name: str = JOB, *, mirrored: bool = False) -> Pair:
    """The pair, bound from the source of the job that is not mirrored."""
    pair = ledger.bind_pair(name, source=SOURCE, target=TARGET, now=NOW)
    return ledger.bind_pair(name, source=TARGET, target=SOURCE, now=NOW) if mirrored else pair


def open_run(ledger: Ledger, run_id: str, *, job_id: str = JOB, pair: str = JOB, mirrored: bool = False) -> Pair:
    """The pair of an opened run."""
    bound = pair_of(ledger, pair, mirrored=mirrored)
    ledger.open_run(run_id, job_id=job_id, pair=bound, kind=RunKind.SCHEDULED, window=WINDOW, job_digest="d1", now=NOW)
    return bound


def at_work(ledger: Ledger, run_id: str = "run-1", *, name: str = JOB) -> tuple[Pair, Fence]:
    """Pair and fence of a run that is opened and holds the lock."""
    pair = open_run(ledger, run_id)
    return pair, ledger.acquire_lock(name, holder="worker-1", run_id=run_id, now=NOW, ttl=MINUTE)


def takes_over(ledger: Ledger, run_id: str, *, job_id: str = JOB, mirrored: bool = False) -> tuple[Pair, Fence]:
    """Pair and fence of a later run."""
    pair = open_run(ledger, run_id, job_id=job_id, mirrored=mirrored)
    return pair, ledger.acquire_lock(JOB, holder="w", run_id=run_id, now=NOW + 60 * MINUTE, ttl=MINUTE)


def link_of(
    pair: Pair,
    key: str = "m1",
    *,
    source: Mapping[str, Any] | None = None,
    target: Mapping[str, Any] | None = None,
    **more: Any,
) -> Link:
    """A new link of ``key`` and ``note-<key>``, as a job in one direction leaves it."""
    values: dict[str, Any] = {
        "dated_at": NOW - 3 * MINUTE,
        "first_seen_at": NOW - timedelta(days=2),
        "created_at": NOW,
        "written_at": NOW,
    }
    left = LinkSide(
        key=key,
        mapped={"subject": "00112233445566aa", "content": "ffeeddccbbaa9988"},
        mapping_version="v1",
        modified_at=NOW - MINUTE,
    )
    right = LinkSide(
        key=f"note-{key}",
        account_id="0011",
        extra={"event_id": f"event-{key}"},
        marks={"subject": "00112233445566aa", "content": "1111111111111111"},
        modified_at=NOW,
    )
    return Link(pair, left, right, **(values | more)).having(source=source, target=target)


def parked(pair: Pair, key: str, *, state: LinkState = LinkState.PARKED, **more: Any) -> Link:
    """A new link of a source record without a counterpart."""
    return Link(pair, LinkSide(key=key, state=state), LinkSide(), **({"first_seen_at": NOW} | more))


def stored(ledger: Ledger, link: Link) -> Link:
    """The link of the same source record, as the ledger has it now."""
    return ledger.links(link.pair, [link.source_key])[link.source_key]


def entry_of(key: str = "m1", outcome: Outcome = Outcome.CREATED, **more: Any) -> DecisionEntry:
    return DecisionEntry(source_key=key, outcome=outcome, rule="new", **more)


def reject_of(key: str = "m1", **more: Any) -> RejectEntry:
    values = {"step": "map", "field": "content", "reason": "longer than 12,000 characters", "remedy": "Shorten it."}
    return RejectEntry(source_key=key, **(values | more))


def begin(ledger: Ledger, fence: Fence, pair: Pair, key: str = "m1", **more: Any) -> Intent:
    return ledger.begin(fence, pair=pair, source_key=key, **({**WRITE, "run_id": "run-1", "now": NOW} | more))


def request_of(pair: Pair, key: str = "m1", **more: Any) -> IntentRequest:
    return IntentRequest(pair=pair, source_key=key, **(dict(WRITE) | more))
