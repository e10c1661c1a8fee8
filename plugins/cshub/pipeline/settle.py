"""Settle writes whose answer was lost: look at the target before anything is sent again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from cshub.core.errors import StateError
from cshub.core.linking import found_done, has_updated, shared_out
from cshub.core.records import DecisionEntry, Intent, Operation, RecordKey, TargetRecord
from cshub.ledger import Closing
from cshub.pipeline.run import CLOCKS_APART, Run
from cshub.pipeline.writes import OUTCOMES, Writer, changes_of

AFTER_OWN_CALL_S = 10.0  # how long the service may still be at work on a call that has ended for us
AFTER_TAKEOVER_S = 30.0  # how long a replaced process may still send what it began: the fence's check, then connecting
BATCH = 500

UNPROVEN_KEPT = timedelta(days=1)  # how long a write stays open of whose record nothing can be read
Found = Mapping[int, TargetRecord | None]
"""Id of an intent → the record that shows it done, None when it was not done; left out where nothing is proven."""


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
    found: dict[int, TargetRecord | None] = {}
    for operation, look in _LOOKERS.items():
        asked = [intent for intent in intents if intent.operation is operation]
        if asked:
            found.update(look(run, asked))
    for start in range(0, len(intents), BATCH):
        batch = intents[start : start + BATCH]
        links = run.ledger.links(run.pair, [intent.source_key for intent in batch])
        closings = []
        now = run.clock.now()
        for intent in batch:
            if intent.id not in found and now - intent.begun_at < UNPROVEN_KEPT:
                continue
            record = found.get(intent.id)
            if record is None:
                closings.append(Closing(intent.id, happened=False, reason="not found in the target"))
                continue
            link = found_done(intent, links.get(intent.source_key), record, kinds=run.kinds)
            closings.append(Closing(intent.id, happened=True, link=link, decision=_decision(intent, record)))
            done[intent.source_key] = intent.operation
        if closings:
            run.ledger.settle_many(writer.fence, closings, now=now)
    return done


def _created(run: Run, intents: Sequence[Intent]) -> Found:
    """The record of each create, if it was made."""
    candidates = run.target.find([intent.hint["find"] for intent in intents])
    taken = run.ledger.links_by_target(run.pair, [item.record.key for items in candidates for item in items])
    made = shared_out(intents, candidates, taken.keys(), apart=CLOCKS_APART)
    return {intent.id: made.get(intent.id) for intent in intents}


def _updated(run: Run, intents: Sequence[Intent]) -> Found:
    """The records that hold what their updates would have written."""
    records = run.target.read_keys([_key(intent) for intent in intents])
    found: dict[int, TargetRecord | None] = {}
    for intent in intents:
        if (key := _key(intent).key) in records:
            record = records[key]
            happened = record is not None and has_updated(intent, record, kinds=run.mapping.kinds)
            found[intent.id] = record if happened else None
    return found


def _deleted(run: Run, intents: Sequence[Intent]) -> Found:
    records = run.target.read_keys([_key(intent) for intent in intents])
    keys = {intent.id: _key(intent) for intent in intents}
    return {
        number: TargetRecord(key.key, key.account_id, {}) if records[key.key] is None else None
        for number, key in keys.items()
        if key.key in records
    }


def _key(intent: Intent) -> RecordKey:
    if intent.target_key is None:
        raise StateError(f"The open write of record {intent.source_key} names no target record; report this.")
    return RecordKey(intent.target_key, intent.hint["account_id"] or "", intent.hint["target_extra"])


_LOOKERS: Mapping[Operation, Callable[[Run, Sequence[Intent]], Found]] = {
    Operation.CREATE: _created,
    Operation.UPDATE: _updated,
    Operation.DELETE: _deleted,
}


def _decision(intent: Intent, record: TargetRecord) -> DecisionEntry:
    return DecisionEntry(
        intent.source_key,
        OUTCOMES[intent.operation],
        intent.hint["rule"],
        "found in the target after its answer was lost",
        record.key,
        changes_of(intent.hint),
    )
