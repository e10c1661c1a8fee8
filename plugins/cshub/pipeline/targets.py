"""What a plan needs to know of the target: its records as they are now, found by date, by id, or by a source's id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from cshub.core.diff import needs_proof
from cshub.core.objects import Role
from cshub.core.planning import Desired, PlanRules, TargetView
from cshub.core.records import Link, LinkState, Origin, Presence, TargetRecord
from cshub.core.values import moment_or_midnight
from cshub.core.window import Window, spans
from cshub.pipeline.adoption import Adoption
from cshub.pipeline.run import Run

SEARCH_LAG = timedelta(minutes=5)
"""A search may show the state before our own write: seconds (docs/vendors/totango.md §6.2), here with room."""
READ_BATCH = 2000
SEARCHED_AT_ONCE = timedelta(days=1)  # dates of records no further apart than this are searched by one read
ItemT = TypeVar("ItemT")


_ENDED = frozenset({LinkState.DELETED, LinkState.GONE})


def is_alive(link: Link) -> bool:
    """Whether the target's record is there as far as the ledger knows, be it that only the source's was deleted."""
    return link.is_linked and not (link.state in _ENDED and link.target.state in _ENDED)


@dataclass(slots=True)
class Targets:
    """The target's records that matter to a plan.

    Where reading by id is cheap, all linked ones are read so. Elsewhere they are read by date, and proven by id where a
    search is not enough.
    """

    run: Run
    rules: PlanRules
    links: Mapping[str, Link]
    by_key: dict[str, TargetRecord] = field(default_factory=dict)
    adoption: Adoption = field(default_factory=Adoption)
    proven: dict[str, TargetRecord | None] = field(default_factory=dict)
    named: frozenset[str] = frozenset()

    def look(self, desired: Sequence[Desired]) -> None:
        """Read all that the plan of these records needs to know of the target.

        One that an undo has set aside may be there; it is looked for when a person names it.
        """
        self.named = frozenset(item.source_key for item in desired if item.origin is Origin.NAMED)
        if not self.run.target.lookup.is_cheap:
            self._read_around(desired)
            self._read_released(desired)
        self._prove(desired)
        unlinked = [item for item in desired if self._alive(item.source_key) is None and _is_live(item)]
        self.adoption.look(self.run.target, unlinked)

    def home(self, draft: Desired) -> str | None:
        """The account a record's people belong to."""
        view, link = self.view(draft), self._alive(draft.source_key)
        if view is not None and view.record is not None:
            return view.record.account_id
        return (link.target.account_id if link else None) or draft.account_id

    def view(self, desired: Desired) -> TargetView | None:
        link = self._alive(desired.source_key)
        if link is None or link.target_key is None:
            return self._adoptable(desired)
        if link.target_key in self.proven:
            record = self.proven[link.target_key]
            return TargetView(Presence.PRESENT if record else Presence.DELETED, record)
        return self._searched(link.target_key)

    def _alive(self, source_key: str) -> Link | None:
        link = self.links.get(source_key)
        if link is None or not link.is_linked:
            return None
        return link if is_alive(link) or source_key in self.named else None

    def _read_around(self, desired: Sequence[Desired]) -> None:
        """Read the target over the days that the window's records lie in; older ones are read by id."""
        name = self.run.mapping.attribute_with(Role.DATE)
        moments = [
            moment_or_midnight(item.values[name])
            for item in desired
            if name and item.origin is Origin.WINDOW and item.values.get(name)
        ]
        if moments:
            self._search(min(moments), max(moments))

    def _read_released(self, desired: Sequence[Desired]) -> None:
        """Look where a record that waited is about to be made: somebody else may have made it since."""
        self._search_dates_of(
            item
            for item in desired
            if item.origin is not Origin.WINDOW
            and item.account_id
            and item.skip_reason is None
            and self._alive(item.source_key) is None
        )

    def _search_dates_of(self, desired: Iterable[Desired]) -> None:
        """Search where these records are dated; dates that lie close together at once."""
        name = self.run.mapping.attribute_with(Role.DATE)
        given = [item.values[name] for item in desired if name and item.values.get(name)]
        for first, last in spans([moment_or_midnight(value) for value in given], SEARCHED_AT_ONCE):
            self._search(first, last)

    def _search(self, first: datetime, last: datetime) -> None:
        for page in self.run.target.read_window(Window(first, last + timedelta(milliseconds=1))):
            for record in page:
                self.by_key[record.key] = record
            self.adoption.note(page)

    def _prove(self, desired: Sequence[Desired]) -> None:
        """Read by id every linked record that was not searched, not shown, or shown as it was before our last write.

        One whose account tells nothing (it was merged into another) is looked for at its date.
        """
        wanted = [
            link.target.address
            for key in self.links
            if (link := self._alive(key)) is not None
            and link.target.address is not None
            and needs_proof(link, self._searched(link.target.address.key), self.rules, lag=SEARCH_LAG)
        ]
        for batch in batches(wanted, READ_BATCH):
            self.proven.update(self.run.target.read_keys(batch))
        if self.run.target.lookup.is_cheap:
            return
        unproven = {key.key for key in wanted} - self.proven.keys() - self.by_key.keys()
        links = ((item, self.links.get(item.source_key)) for item in desired)
        self._search_dates_of(item for item, link in links if link is not None and link.target_key in unproven)

    def _searched(self, key: str) -> TargetView | None:
        record = self.by_key.get(key)
        return TargetView(Presence.PRESENT, record) if record else None

    def _adoptable(self, desired: Desired) -> TargetView | None:
        """A record of the target that carries this one's id, or whose own id this one names."""
        record = self.adoption.exact(desired) or self.by_key.get(desired.external_id)
        if record is not None:
            return None if self._taken([record]) else TargetView(Presence.PRESENT, record)
        return self.adoption.view(desired, self._taken(self.adoption.fitting.get(desired.source_key) or ()))

    def _taken(self, records: Sequence[TargetRecord]) -> set[str]:
        """Keys of those that another source record is linked to."""
        keys = [record.key for record in records]
        links = self.run.ledger.links_by_target(self.run.pair, keys) if keys else {}
        return {key for key, link in links.items() if is_alive(link)}


def _is_live(desired: Desired) -> bool:
    return desired.presence is Presence.PRESENT and desired.skip_reason is None and bool(desired.external_id)


def batches(items: Sequence[ItemT], size: int) -> Iterator[Sequence[ItemT]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
