"""The link of two records that were found to belong together again, when nobody remembers what they last agreed on.

What both hold alike, by the mapping of either direction, is what they agreed on. A field that differs counts as changed
on both sides: the next run lets the job's policy decide, and keeps what lost in the audit. Two exceptions: a blank
value gives way, as it does when a record is adopted; owners and people of two-way jobs stay as they are, because one
side may not know them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from cshub.core.objects import Role
from cshub.core.planning import PlanRules
from cshub.core.rebuilding import BLANK, Sight
from cshub.core.records import Link, LinkSide, LinkState, Pair
from cshub.core.values import moment_or_midnight

_UNKNOWN = ""
_OF_PEOPLE = frozenset({Role.PEOPLE, Role.OWNER})


@dataclass(frozen=True, slots=True)
class View:
    """Both records as one job sees them: ``made``, that of its source, and ``held``, that of its target.

    ``roles``: attribute that the job writes → its role.
    """

    made: Sight
    held: Sight
    rules: PlanRules
    roles: Mapping[str, Role]

    def differing(self) -> list[str]:
        """Attributes that hold something else than the job would write."""
        made, held = self.made.mapped.marks(), self.held.marks.marks()
        return [name for name in made if name in self.rules.updateable and made[name] != held.get(name, made[name])]

    def alike(self, field: str) -> bool:
        """Whether the target holds what the job makes of this field of the source."""
        made, held = self.made.mapped.marks(), self.held.marks.marks()
        return any(name in made and made[name] == held.get(name) for name in self.made_of(field))

    def made_of(self, field: str) -> list[str]:
        """Attributes that are made of this field of the source."""
        return [name for name, path in self.rules.paths.items() if path == field]

    @property
    def state(self) -> LinkState:
        """EMPTY where the target's record still waits for its content."""
        content = self.rules.content
        is_empty = content is not None and self.held.marks.marks().get(content) == BLANK
        return LinkState.EMPTY if is_empty else LinkState.IN_STEP


def relinked(pair: Pair, own: View | None, back: View | None, old: Link | None, *, now: datetime) -> Link:
    """The link, seen from the direction of ``pair``.

    ``own``: as the job of this direction sees the two records, ``back``: as the job of the other one does; at least one
    must be given. ``old``: what the ledger has of one of the records alone, seen from the same direction.
    """
    if own is None:
        assert back is not None
        mirrored = None if old is None else old.mirrored()
        return relinked(Pair(pair.number, not pair.mirrored), back, None, mirrored, now=now).mirrored()
    sights = (own.made, own.held, *((back.made, back.held) if back else ()))
    source = _side(own.made, back.held if back else None, own)
    target = _side(back.made, own.held, back) if back else _held_only(own.held)
    source, target = _without_base(own, back, source, target)
    if back is not None:
        target, source = _without_base(back, own, target, source)
    made_at = [sight.created_at for sight in sights if sight.created_at is not None]
    dated = [sight.dated_at for sight in sights if sight.dated_at is not None]
    return Link(
        pair,
        source,
        target,
        number=old.number if old else 0,
        version=old.version if old else 0,
        dated_at=dated[0] if dated else moment_or_midnight(own.made.dated_on) if own.made.dated_on else None,
        first_seen_at=(old.first_seen_at if old else None) or now,
        created_at=max(made_at, default=None),
    )


def is_made_by_source(own: View | None, back: View | None) -> bool:
    """Whether the target's record is the younger of the two: then the hub has made it of the source's.

    Where the services do not tell, and in a one-way job, it is taken for so.
    """
    view = own or back
    assert view is not None
    if not view.rules.two_way:
        return True
    source, target = (view.made, view.held) if own else (view.held, view.made)
    if source.created_at is None or target.created_at is None:
        return True
    return source.created_at <= target.created_at


def _side(made: Sight, held: Sight | None, view: View) -> LinkSide:
    """A side that one job reads, and the other one, if any, writes."""
    address = made.address
    marks = {**(held.marks.marks() if held else {}), **made.marks.marks()}
    modified_at = made.modified_at or (held.modified_at if held else None)
    return LinkSide(
        key=address.key,
        account_id=address.account_id or (held.address.account_id if held else "") or None,
        extra={**(held.address.extra if held else {}), **address.extra},
        marks=marks or None,
        mapped=made.mapped.marks(),
        mapping_version=view.rules.mapping_version,
        state=view.state,
        modified_at=modified_at,
        edited_at=modified_at,
    )


def _held_only(held: Sight) -> LinkSide:
    """A side that no job reads, or that its job has not read."""
    address = held.address
    return LinkSide(
        key=address.key,
        account_id=address.account_id or None,
        extra=address.extra,
        marks=held.marks.marks(),
        modified_at=held.modified_at,
        edited_at=held.modified_at,
    )


def _without_base(view: View, other: View | None, source: LinkSide, target: LinkSide) -> tuple[LinkSide, LinkSide]:
    """Both sides of the view, without a base for what differs by it."""
    made, held = view.made.mapped.marks(), view.held.marks.marks()
    for name in view.differing():
        if other is not None and (other.alike(name) or view.roles[name] in _OF_PEOPLE):
            continue
        written_back = other.made_of(name) if other is not None else []
        if held[name] != BLANK:
            target = _forgetting(target, marks=[name], mapped=written_back)
        if made[name] != BLANK:
            source = _forgetting(source, marks=[view.rules.paths.get(name, ""), *written_back], mapped=[name])
    return source, target


def _forgetting(side: LinkSide, *, marks: Sequence[str], mapped: Sequence[str]) -> LinkSide:
    """The side, as if it had been edited in these fields since it was last agreed on."""
    known = side.marks or {}
    return replace(
        side,
        marks={name: _UNKNOWN if name in marks else mark for name, mark in known.items()} or side.marks,
        mapped={name: mark for name, mark in side.mapped.items() if name not in mapped},
    )
