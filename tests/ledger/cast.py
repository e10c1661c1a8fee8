"""Values the ledger's tests share."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cshub.core.records import DecisionEntry, Intent, Link, LinkState, Operation, Outcome, RejectEntry, RunKind
from cshub.core.window import Window
from cshub.ledger import Fence, Ledger

NOW = datetime(2026, 11, 20, 23, 0, 0, 123456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
WINDOW = Window(NOW - timedelta(days=1), NOW)
SOURCE = ("chorus", "engagement", "acme.chorus.example")
TARGET = ("totango", "touchpoint", "service-17")
JOB = "meetings"


def pair_of(ledger: Ledger, name: str = JOB) -> int:
    return ledger.bind_pair(name, source=SOURCE, target=TARGET, now=NOW)


def open_run(ledger: Ledger, run_id: str, *, job_id: str = JOB, pair: str = JOB) -> int:
    """The pair of an opened run."""
    pair_id = pair_of(ledger, pair)
    ledger.open_run(
        run_id, job_id=job_id, pair_id=pair_id, kind=RunKind.SCHEDULED, window=WINDOW, job_digest="d1", now=NOW
    )
    return pair_id


def at_work(ledger: Ledger, run_id: str = "run-1", *, name: str = JOB) -> tuple[int, Fence]:
    """Pair and fence of a run that is opened and holds the lock."""
    pair_id = open_run(ledger, run_id)
    return pair_id, ledger.acquire_lock(name, holder="worker-1", run_id=run_id, now=NOW, ttl=MINUTE)


def link_of(pair_id: int, key: str = "m1", **more: Any) -> Link:
    values: dict[str, Any] = {
        "state": LinkState.IN_STEP,
        "version": 0,
        "target_key": f"note-{key}",
        "target_account_id": "0011",
        "target_extra": {"event_id": f"event-{key}"},
        "source_base": {"subject": "00112233445566aa", "content": "ffeeddccbbaa9988"},
        "target_base": {"subject": "00112233445566aa", "content": "1111111111111111"},
        "mapping_version": "v1",
        "source_modified_at": NOW - MINUTE,
        "target_modified_at": NOW,
        "first_seen_at": NOW - timedelta(days=2),
        "created_at": NOW,
        "written_at": NOW,
    }
    return Link(pair_id=pair_id, source_key=key, **(values | more))


def parked(pair_id: int, key: str, **more: Any) -> Link:
    values: dict[str, Any] = {"state": LinkState.PARKED, "first_seen_at": NOW}
    return Link(pair_id=pair_id, source_key=key, version=0, **(values | more))


def entry_of(key: str = "m1", outcome: Outcome = Outcome.CREATED, **more: Any) -> DecisionEntry:
    return DecisionEntry(source_key=key, outcome=outcome, rule="new", **more)


def reject_of(key: str = "m1", **more: Any) -> RejectEntry:
    values = {"step": "map", "field": "content", "reason": "longer than 12,000 characters", "remedy": "Shorten it."}
    return RejectEntry(source_key=key, **(values | more))


def begin(ledger: Ledger, fence: Fence, pair_id: int, key: str = "m1", **more: Any) -> Intent:
    values: dict[str, Any] = {
        "operation": Operation.CREATE,
        "run_id": "run-1",
        "target_key": None,
        "payload_hash": "0123456789abcdef",
        "hint": {"account_id": "0011", "timestamp_ms": 1, "author": None},
        "expected_version": None,
        "now": NOW,
    }
    return ledger.begin(fence, pair_id=pair_id, source_key=key, **(values | more))
