"""What the ledger remembers of a record after a row of a plan was carried out, learned, found done, or read back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from cshub.core.objects import Kind
from cshub.core.plan import side_document, side_of
from cshub.core.planning import PlanRow
from cshub.core.ports import Candidate
from cshub.core.records import Action, Intent, Link, LinkSide, LinkState, Operation, Pair, RecordKey, TargetRecord
from cshub.core.values import fingerprints, moment_or_midnight

Marks = Mapping[str, str]


def new_link(pair: Pair, source_key: str, now: datetime) -> Link:
    """A link the ledger does not have yet, of a record that waits."""
    return Link(pair, LinkSide(source_key, state=LinkState.PARKED), LinkSide(), first_seen_at=now)


def learned(row: PlanRow, link: Link | None, pair: Pair, now: datetime) -> Link:
    """The link after a decision that sent nothing; ``row.teaches`` must hold."""
    old = link or new_link(pair, row.source_key, now)
    assert row.source is not None
    return replace(old, source=row.source, target=row.target or old.target, dated_at=_dated_at(row, old))


def written(
    row: PlanRow,
    link: Link | None,
    key: RecordKey,
    pair: Pair,
    *,
    kinds: Mapping[str, Kind],
    now: datetime,
    held: Mapping[str, Any] | None = None,
) -> Link:
    """The link once the row was written.

    What a create left in the target is known only when it is read back; after an update it is foretold from what was
    sent, and corrected when it is read back. ``held``: values that the target keeps in another form than sent.
    """
    old = link or new_link(pair, row.source_key, now)
    assert row.source is not None and row.target is not None
    target = replace(
        row.target,
        key=key.key,
        account_id=key.account_id or row.target.account_id or row.account_id,
        extra={**row.target.extra, **key.extra},
    )
    if row.action is Action.UPDATE and target.marks is not None:
        sent = {name: (held or {}).get(name, row.values.get(name)) for name in written_fields(row)}
        target = replace(target, marks={**target.marks, **fingerprints(sent, kinds)})
    return replace(
        old,
        source=row.source,
        target=target,
        dated_at=_dated_at(row, old),
        created_at=now if row.action is Action.CREATE else old.created_at,
        written_at=now,
    )


def read_back(link: Link, row: PlanRow, record: TargetRecord, *, kinds: Mapping[str, Kind], two_way: bool) -> Link:
    """The link once the written record was seen: its ids, and the values the service really keeps.

    A value that is not what was sent is what the service made of it, or an edit made since. Where the other direction
    would lose such an edit, it is taken for one.
    """
    now, names = fingerprints(record.values, kinds), written_fields(row)
    foretold = link.target.marks or {}
    sent = fingerprints({name: row.values.get(name) for name in names}, kinds)
    sent = {name: foretold.get(name, mark) for name, mark in sent.items()}
    kept = {name: mark for name, mark in (link.target.marks or {}).items() if name not in names}
    if row.action is Action.CREATE and was_edited(record) and row.source is not None:
        kept = {**{name: mark for name, mark in row.source.mapped.items() if name in now}, **kept}
    elif row.action is Action.UPDATE and two_way:
        kept = {**{name: mark for name, mark in sent.items() if name in now}, **kept}
    facts: dict[str, Any] = {"marks": {**now, **kept}, "extra": {**link.target.extra, **record.extra}}
    is_create = row.action is Action.CREATE
    if not (was_edited(record) if is_create else differs(now, {**fingerprints(row.values, kinds), **sent})):
        facts["modified_at"] = record.modified_at
    return link.having(target=facts)


def intent_hint(row: PlanRow, find: Mapping[str, Any], *, kinds: Mapping[str, Kind]) -> dict[str, Any]:
    """All that is needed to finish a write without the plan: how to find the record, and the link to store."""
    return {
        "find": dict(find),
        "account_id": row.account_id,
        "target_extra": dict(row.target_extra),
        "expected": fingerprints(row.values, kinds),
        "source": side_document(row.source),
        "target": side_document(row.target),
        "dated_at": row.dated_at,
        "written": sorted(written_fields(row)),
        "rule": row.rule.value,
        "changes": [[change.field, change.before, change.after, change.winner] for change in row.changes],
    }


def shared_out(
    intents: Sequence[Intent], candidates: Sequence[Sequence[Candidate]], taken: Set[str], *, apart: timedelta
) -> dict[int, TargetRecord]:
    """Intent id → the record that its create has made; of creates that made none, nothing.

    ``candidates``: for each intent, as :meth:`~cshub.core.ports.Target.find` tells them. ``taken``: keys of records
    that are linked. A record is that of one create only, and none is older than its create by more than ``apart``,
    which clocks may differ. One that may be that of several goes to the one it fits best, and of equal ones to that
    with least choice. A vague one counts where, once all others are given, nothing else comes into question.
    """
    choices: list[tuple[int, int, int, TargetRecord]] = []
    vague: list[tuple[int, TargetRecord]] = []
    for intent, items in zip(intents, candidates, strict=True):
        oldest = intent.begun_at - apart
        free = [item for item in items if item.record.key not in taken and (item.record.created_at or oldest) >= oldest]
        choices += [(item.doubt, len(free), intent.id, item.record) for item in free if not item.is_vague]
        vague += [(intent.id, item.record) for item in free if item.is_vague]
    found: dict[int, TargetRecord] = {}
    given: set[str] = set()
    for _, _, number, record in sorted(choices, key=lambda choice: choice[:3]):
        if number not in found and record.key not in given:
            given.add(record.key)
            found[number] = record
    left = [(number, record) for number, record in vague if number not in found and record.key not in given]
    asking = Counter(number for number, _ in left)
    asked = Counter(record.key for _, record in left)
    found.update({number: record for number, record in left if asking[number] == asked[record.key] == 1})
    return found


def has_updated(intent: Intent, record: TargetRecord, *, kinds: Mapping[str, Kind]) -> bool:
    """Whether the update of ``intent`` happened, as the target's record shows.

    It did when all that was written is there. When somebody has edited some of it since, it did when the rest is there,
    was not before, and nothing is left as it was before: all fields are written at once.
    """
    now, expected = fingerprints(record.values, kinds), intent.hint["expected"]
    before = fingerprints({name: value for name, value, *_ in intent.hint["changes"]}, kinds)
    others = not_standing(intent, record, kinds=kinds)
    there = set(intent.hint["written"]) - others
    if not others:
        return True
    return any(expected[name] != before.get(name) for name in there) and all(
        name in now and now[name] != before.get(name) for name in others
    )


def not_standing(intent: Intent, record: TargetRecord, *, kinds: Mapping[str, Kind]) -> set[str]:
    """Fields that an update should have written and that hold something else: edited since, or never written."""
    if intent.operation is not Operation.UPDATE:
        return set()
    now, expected = fingerprints(record.values, kinds), intent.hint["expected"]
    return {name for name in intent.hint["written"] if now.get(name) != expected.get(name)}


def found_done(intent: Intent, link: Link | None, record: TargetRecord, *, kinds: Mapping[str, Kind]) -> Link:
    """The link of a write whose answer was lost and which turned out to have happened."""
    hint = intent.hint
    source, target = side_of(hint["source"]), side_of(hint["target"])
    assert source is not None and target is not None
    old = link or new_link(intent.pair, intent.source_key, intent.begun_at)
    dated_at = moment_or_midnight(hint["dated_at"]) if hint["dated_at"] else old.dated_at
    if intent.operation is Operation.DELETE:
        return replace(old, source=source, target=target, written_at=intent.begun_at)
    is_create = intent.operation is Operation.CREATE
    is_edited = was_edited(record) if is_create else differs(fingerprints(record.values, kinds), hint["expected"])
    target = replace(
        target,
        key=record.key,
        account_id=record.account_id or target.account_id,
        extra={**target.extra, **record.extra},
        marks=_marks_found(intent, target, record, kinds),
        modified_at=target.modified_at if is_edited else record.modified_at,
    )
    return replace(
        old,
        source=source,
        target=target,
        dated_at=dated_at,
        created_at=intent.begun_at if is_create else old.created_at,
        written_at=intent.begun_at,
    )


def not_done(
    intent: Intent, link: Link, record: TargetRecord, *, kinds: Mapping[str, Kind], paths: Mapping[str, str]
) -> Link | None:
    """The link of an update that did not happen, None where it stays as it is. ``paths``: attribute → source field.

    What both sides agreed on beside the update is kept, as the plan saw it. And a field of the update that changed
    after the plan, and holds again what both sides once agreed on, would look untouched: it counts as an edit, as that
    may have been made of what the update wrote.
    """
    hint, old = intent.hint, link.target.marks
    if old is None:
        return None  # nothing was ever read back: by its times alone an edit is told from what was sent
    source, target = side_of(hint["source"]), side_of(hint["target"])
    before = fingerprints({name: value for name, value, *_ in hint["changes"]}, kinds)
    now = fingerprints(record.values, kinds)
    back = [name for name, mark in before.items() if name in now and now[name] == old.get(name) != mark]
    agreed = _agreed_beside(intent, source, target, link, paths)
    if not back and not agreed:
        return None
    marks = {**old, **{name: hint["expected"][name] for name in agreed}, **dict.fromkeys(back, "")}
    mine, paths_agreed = link.source, set(agreed.values())
    seen = {path: mark for path, mark in ((source.marks if source else None) or {}).items() if path in paths_agreed}
    mapped = {name: hint["expected"][name] for name in agreed} if mine.mapped else {}
    return link.having(
        source={"marks": {**(mine.marks or {}), **seen}, "mapped": {**mine.mapped, **mapped}} if agreed else None,
        target={
            "marks": marks,
            "mapped": {path: mark for path, mark in link.target.mapped.items() if path not in paths_agreed},
        },
    )


def _agreed_beside(
    intent: Intent, source: LinkSide | None, target: LinkSide | None, link: Link, paths: Mapping[str, str]
) -> dict[str, str]:
    """Attribute → source field of what both sides held alike at the plan, and the ledger does not know as such."""
    if source is None or target is None or not source.marks or not target.marks or link.source.marks is None:
        return {}
    if link.source.mapped and link.source.mapping_version != source.mapping_version:
        return {}
    hint, known = intent.hint, link.target.marks or {}
    asked = {name for name, *_ in hint["changes"]} | set(hint["written"])
    sent = {paths.get(name) for name in asked}
    alike = {name: mark for name, mark in hint["expected"].items() if target.marks.get(name) == mark}
    return {
        name: path
        for name, mark in alike.items()
        if (path := paths.get(name, "")) in source.marks.keys() - sent
        and (known.get(name), link.source.marks.get(path)) != (mark, source.marks[path])
    }


def written_fields(row: PlanRow) -> frozenset[str]:
    """Attributes that the row sets to the source's value."""
    return frozenset(change.field for change in row.changes if change.winner == "source")


def was_edited(record: TargetRecord) -> bool:
    """Whether somebody changed the record after it was made, by the service's own clock."""
    made, changed = record.created_at, record.modified_at
    return made is not None and changed is not None and changed > made


def differs(now: Marks, expected: Marks) -> bool:
    """Whether a record shows something else than an update should have left: its time is then that of an edit."""
    return any(mark != expected[name] for name, mark in now.items() if name in expected)


def _marks_found(intent: Intent, target: LinkSide, record: TargetRecord, kinds: Mapping[str, Kind]) -> Marks:
    """The target's marks: what it holds, but for fields in which a person's edit stands, which must go on to count."""
    hint = intent.hint
    now = fingerprints(record.values, kinds)
    names: Set[str] = set(hint["written"])
    kept = {name: mark for name, mark in (target.marks or {}).items() if name not in names}
    if intent.operation is Operation.UPDATE:
        kept = {**{name: hint["expected"][name] for name in names if name in now}, **kept}
    elif was_edited(record):
        kept = {**{name: mark for name, mark in hint["source"]["mapped"].items() if name in now}, **kept}
    return {**now, **kept}


def _dated_at(row: PlanRow, link: Link) -> datetime | None:
    return moment_or_midnight(row.dated_at) if row.dated_at else link.dated_at
