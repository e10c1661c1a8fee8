"""One linked record as the planner is given it, and what becomes of it when a plan is carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from cshub.core.jobs import TargetEdit
from cshub.core.linking import learned, new_link, written
from cshub.core.objects import Kind
from cshub.core.planning import Desired, PlanRow, PlanRules, TargetView
from cshub.core.records import (
    Action,
    Link,
    LinkSide,
    LinkState,
    Origin,
    Pair,
    Presence,
    RecordKey,
    TargetRecord,
)
from cshub.core.values import fingerprints

from .core_cast import LONG_AGO, NOW

PAIR = Pair(1)
GONE = TargetView(Presence.DELETED)
WRITES = frozenset({Action.CREATE, Action.UPDATE})
KINDS: Mapping[str, Kind] = {
    "subject": Kind.TEXT,
    "content": Kind.RICH_TEXT,
    "held_at": Kind.DATETIME,
    "author": Kind.EMAIL,
    "people": Kind.IDS,
}
VALUES: Mapping[str, Any] = {
    "subject": "Review",
    "content": "Agreed.",
    "held_at": "2026-11-19T16:00:00.000Z",
    "author": "ada@seller.example",
    "people": ["u1", "u2"],
}


def rules(
    target_edit: TargetEdit = TargetEdit.KEEP, *, allow_new: bool = True, clearing: tuple[str, ...] = ()
) -> PlanRules:
    return PlanRules(
        kinds=KINDS,
        updateable=frozenset(KINDS) - {"author"},
        clearing=frozenset(clearing),
        content="content",
        allow_new=allow_new,
        target_edit=target_edit,
        now=NOW,
    )


def desired(*, account_id: str | None = "A1", reference: str | None = "acme", **changes: Any) -> Desired:
    values = {name: value for name, value in {**VALUES, **changes}.items() if value is not ...}
    return Desired("m1", Origin.WINDOW, values, account_reference=reference, account_id=account_id, external_id="m1")


def note(*, modified_at: datetime | None = None, created_at: datetime | None = None, **changes: Any) -> TargetRecord:
    return TargetRecord(
        "n1", "A1", {**VALUES, **changes}, {"event_id": "e1"}, "m1", created_at=created_at, modified_at=modified_at
    )


def link(*, read_back: bool = True, state: LinkState = LinkState.IN_STEP, **changes: Any) -> Link:
    """A link whose two sides agreed on :data:`VALUES`, 40 days ago."""
    base = fingerprints(VALUES, KINDS)
    source = LinkSide("m1", mapped=base, state=state)
    target = LinkSide("n1", "A1", {"event_id": "e1"}, marks=base if read_back else None)
    sides = {"source": source, "target": target}
    for name in list(changes):
        side, _, fact = name.partition("_")
        if side in sides and fact:
            sides[side] = replace(sides[side], **{fact: changes.pop(name)})
    facts: dict[str, Any] = {"number": 7, "version": 3, "created_at": LONG_AGO, "written_at": LONG_AGO, **changes}
    return Link(PAIR, sides["source"], sides["target"], **facts)


def there(record: TargetRecord) -> TargetView:
    return TargetView(Presence.PRESENT, record)


def waiting(state: LinkState) -> Link:
    """A link of a record that never reached the target."""
    return new_link(PAIR, "m1", LONG_AGO).having(source={"state": state}, version=4)


def remembered(row: PlanRow, before: Link | None) -> Link:
    """The link after the row was carried out, before anything was read back."""
    if row.action in WRITES:
        key = RecordKey("n1", row.account_id or "", {"event_id": "e1"})
        after = written(row, before, key, PAIR, kinds=KINDS, now=NOW)
    elif row.teaches:
        after = learned(row, before, PAIR, NOW)
    else:
        assert before is not None
        return before
    return replace(after, version=after.version + 1)


def carried_out(row: PlanRow, before: TargetRecord | None, old: Link | None) -> tuple[TargetRecord, Link]:
    """The target record and the link after the row was carried out."""
    made = TargetRecord("n1", row.account_id or "", {}, {"event_id": "e1"}, "m1", created_at=NOW)
    record = before or made
    if row.action in WRITES:
        record = replace(record, values=dict(row.values), modified_at=NOW)
    return record, remembered(row, old)
