"""Settle writes whose answer was lost: look at the target before anything is sent again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from cshub.core.errors import StateError
from cshub.core.records import DecisionEntry, Intent, Link, LinkState, Operation, TargetKey, TargetRecord
from cshub.core.values import fingerprints, parse_moment
from cshub.pipeline.run import Run
from cshub.pipeline.writes import OUTCOMES, Writer, changes_of, is_proven_gone, new_link, was_edited

AFTER_OWN_CALL_S = 10.0  # how long the service may still be at work on a call that has ended for us
AFTER_TAKEOVER_S = 30.0  # how long a replaced process may still send what it began: the fence's check, then connecting
CLOCKS_APART = timedelta(minutes=15)  # between ours and the service's, with room


def settle(writer: Writer, *, patience_s: float) -> dict[str, Operation]:
    """Close every open intent of the pair: adopt what happened, abandon what did not.

    Waits ``patience_s`` seconds first, so that a call still under way is not taken for one that never happened.
    Returns source key → operation of those found done. A record that a create made is recognised by account, date,
    author and text, and only if no other link has it and it is not older than the intent.
    """
    run = writer.run
    done: dict[str, Operation] = {}
    intents = run.ledger.open_intents(run.pair_id)
    if intents:
        run.note("looking for writes whose answers were lost")
        run.clock.sleep(patience_s)
    for intent in intents:
        link = run.ledger.links(run.pair_id, [intent.source_key]).get(intent.source_key)
        found = _SETTLERS[intent.operation](run, intent)
        if found is None:
            run.ledger.abandon(writer.fence, intent.id, reason="not found in the target", now=run.clock.now())
            continue
        writer.confirm(intent, _link(run, intent, link, found), _decision(intent, found))
        done[intent.source_key] = intent.operation
    return done


def _created(run: Run, intent: Intent) -> TargetRecord | None:
    candidates = run.target.find(intent.hint["find"])
    taken = run.ledger.links_by_target(run.pair_id, [record.key for record in candidates])
    oldest = intent.begun_at - CLOCKS_APART
    free = [item for item in candidates if item.key not in taken and (item.created_at or oldest) >= oldest]
    return next(iter(free), None)


def _updated(run: Run, intent: Intent) -> TargetRecord | None:
    """The record when it holds what the update would have written, None when it does not."""
    key = _key(intent)
    record = run.target.read_keys([key]).get(key.key)
    if record is None:
        return None
    now = fingerprints(record.values, run.mapping.kinds)
    expected = intent.hint["expected"]
    return record if all(now.get(name) == expected.get(name) for name in intent.hint["written"]) else None


def _deleted(run: Run, intent: Intent) -> TargetRecord | None:
    key = _key(intent)
    return TargetRecord(key.key, key.account_id, {}) if is_proven_gone(run, key) else None


def _key(intent: Intent) -> TargetKey:
    if intent.target_key is None:
        raise StateError(f"The open write of record {intent.source_key} names no target record; report this.")
    return TargetKey(intent.target_key, intent.hint["account_id"] or "", intent.hint["target_extra"])


_SETTLERS = {Operation.CREATE: _created, Operation.UPDATE: _updated, Operation.DELETE: _deleted}


def _link(run: Run, intent: Intent, link: Link | None, record: TargetRecord) -> Link:
    hint: Mapping[str, Any] = intent.hint
    old = link or new_link(run, intent.source_key, intent.begun_at)
    if intent.operation is Operation.DELETE:
        return replace(old, state=LinkState.DELETED, written_at=intent.begun_at)
    return replace(
        old,
        state=LinkState(hint["state"]),
        target_key=record.key,
        target_account_id=record.account_id,
        target_extra={**old.target_extra, **record.extra},
        source_base=hint["source_base"],
        target_base=_base(run, intent, record),
        mapping_version=run.mapping.version,
        source_modified_at=parse_moment(hint["modified_at"]) if hint["modified_at"] else old.source_modified_at,
        target_modified_at=record.modified_at,
        created_at=intent.begun_at if intent.operation is Operation.CREATE else old.created_at,
        written_at=intent.begun_at,
    )


def _base(run: Run, intent: Intent, record: TargetRecord) -> dict[str, str]:
    """The target's base: what it holds, but for fields in which a person's edit stands, which must go on to count."""
    hint = intent.hint
    now = fingerprints(record.values, run.mapping.kinds)
    kept = {name: mark for name, mark in (hint["target_base"] or {}).items() if name not in hint["written"]}
    if intent.operation is Operation.CREATE and was_edited(record):
        kept = {**{name: mark for name, mark in hint["source_base"].items() if name in now}, **kept}
    return {**now, **kept}


def _decision(intent: Intent, record: TargetRecord) -> DecisionEntry:
    changes: Sequence[Any] = changes_of(intent.hint)
    return DecisionEntry(
        intent.source_key,
        OUTCOMES[intent.operation],
        intent.hint["rule"],
        "found in the target after its answer was lost",
        record.key,
        tuple(changes),
    )
