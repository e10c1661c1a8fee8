"""Settle writes whose answer was lost: look at the target before anything is sent again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from cshub.core.errors import StateError
from cshub.core.linking import found_done, has_updated, not_done, not_standing, shared_out
from cshub.core.records import DecisionEntry, Intent, Link, Operation, RecordKey, TargetRecord
from cshub.ledger import Closing
from cshub.pipeline.run import CLOCKS_APART, Run
from cshub.pipeline.writes import OUTCOMES, Writer, changes_of

AFTER_OWN_CALL_S = 10.0  # how long the service may still be at work on a call that has ended for us
AFTER_TAKEOVER_S = 30.0  # how long a replaced process may still send what it began: the fence's check, then connecting
BATCH = 500

UNPROVEN_KEPT = timedelta(days=1)  # how long a write stays open of whose record nothing can be read


class Look(NamedTuple):
    """What became of a write, and the record that shows it, None where there is none."""

    happened: bool
    record: TargetRecord | None


Looks = Mapping[int, Look]
"""By the id of the intent; left out where nothing is proven."""


def settle(writer: Writer, *, patience_s: float) -> dict[str, Operation]:
    """Close every open intent of the pair, of both directions: adopt what happened, abandon what did not.

    One of whose record nothing can be read stays open for a day: until then nothing else is written to that record.
    Waits ``patience_s`` seconds first, so that a call still under way is not taken for one that never happened.
    Returns source key → operation of those of this direction that were found done. A record that a create made is
    recognised by what :meth:`~cshub.core.ports.Target.hint` told, and only if no other link has it and it is not older
    than the intent.
    """
    run = writer.run
    intents = run.ledger.open_intents(run.pair)
    if not intents:
        return {}
    run.note("looking for writes whose answers were lost")
    run.clock.sleep(patience_s)
    own = [intent for intent in intents if intent.pair == run.pair]
    others = [intent for intent in intents if intent.pair != run.pair]
    if others:
        other = run.other_direction
        if other is None:
            raise StateError(
                f"{len(others)} writes of the job that syncs this pair in the other direction were broken off, and "
                "only its job file tells how to look for them: put the file back and run again."
            )
        _settle(Writer(other, writer.fence), others)
    return _settle(writer, own)


def _settle(writer: Writer, intents: Sequence[Intent]) -> dict[str, Operation]:
    run = writer.run
    done: dict[str, Operation] = {}
    looks: dict[int, Look] = {}
    for operation, look_for in _LOOKERS.items():
        asked = [intent for intent in intents if intent.operation is operation]
        if asked:
            looks.update(look_for(run, asked))
    for start in range(0, len(intents), BATCH):
        batch = intents[start : start + BATCH]
        links = run.ledger.links(run.pair, [intent.source_key for intent in batch])
        closings = []
        now = run.clock.now()
        for intent in batch:
            look = looks.get(intent.id)
            if look is None and now - intent.begun_at < UNPROVEN_KEPT:
                continue
            closing = _closing(run, intent, links.get(intent.source_key), look or Look(False, None))
            closings.append(closing)
            if closing.happened:
                done[intent.source_key] = intent.operation
        if closings:
            run.ledger.settle_many(writer.fence, closings, now=now)
    return done


def _closing(run: Run, intent: Intent, link: Link | None, look: Look) -> Closing:
    happened, record = look
    if happened:
        assert record is not None
        found = found_done(intent, link, record, kinds=run.kinds)
        return Closing(intent.id, happened=True, link=found, decision=_decision(run, intent, record))
    kept = None
    if link is not None and record is not None:
        kept = not_done(intent, link, record, kinds=run.kinds, paths=run.mapping.paths)
    return Closing(intent.id, happened=False, link=kept, reason="not found in the target")


def _created(run: Run, intents: Sequence[Intent]) -> Looks:
    """The record of each create, if it was made."""
    candidates = run.target.find([intent.hint["find"] for intent in intents])
    taken = run.ledger.links_by_target(run.pair, [item.record.key for items in candidates for item in items])
    made = shared_out(intents, candidates, taken.keys(), apart=CLOCKS_APART)
    return {intent.id: Look(intent.id in made, made.get(intent.id)) for intent in intents}


def _updated(run: Run, intents: Sequence[Intent]) -> Looks:
    """Done where the record holds what the update would have written."""
    looks: dict[int, Look] = {}
    records = run.target.read_keys([_key(intent) for intent in intents])
    for intent in intents:
        if (key := _key(intent).key) in records:
            record = records[key]
            happened = record is not None and has_updated(intent, record, kinds=run.mapping.kinds)
            looks[intent.id] = Look(happened, record)
    return looks


def _deleted(run: Run, intents: Sequence[Intent]) -> Looks:
    looks: dict[int, Look] = {}
    records = run.target.read_keys([_key(intent) for intent in intents])
    for intent in intents:
        if (key := _key(intent)).key in records:
            happened = records[key.key] is None
            looks[intent.id] = Look(happened, TargetRecord(key.key, key.account_id, {}) if happened else None)
    return looks


def _key(intent: Intent) -> RecordKey:
    if intent.target_key is None:
        raise StateError(f"The open write of record {intent.source_key} names no target record; report this.")
    return RecordKey(intent.target_key, intent.hint["account_id"] or "", intent.hint["target_extra"])


_LOOKERS: Mapping[Operation, Callable[[Run, Sequence[Intent]], Looks]] = {
    Operation.CREATE: _created,
    Operation.UPDATE: _updated,
    Operation.DELETE: _deleted,
}


def _decision(run: Run, intent: Intent, record: TargetRecord) -> DecisionEntry:
    """What is told of a write found done: also which of its values do not stand, as nobody can tell why."""
    others = not_standing(intent, record, kinds=run.kinds)
    reason = "found in the target after its answer was lost"
    if others:
        reason += f"; {', '.join(sorted(others))} edited there since, or never written"
    changes = tuple(
        replace(change, winner="target") if change.field in others else change for change in changes_of(intent.hint)
    )
    rule = intent.hint["rule"]
    return DecisionEntry(intent.source_key, OUTCOMES[intent.operation], rule, reason, record.key, changes)
