"""Links in memory, kept by the rules of :mod:`cshub.ledger.link_writes`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cshub.core.errors import LinkMoved
from cshub.core.records import Link, LinkState, Pair
from tests.campaigns.simulation.replacing import replace

SideKey = tuple[bool, str]
"""Whether the record is on the right side, and its key."""


@dataclass(slots=True)
class MemoryLinks:
    """Links of one pair, as the left side's job sees them."""

    _by_number: dict[int, Link] = field(default_factory=dict)
    _numbers: dict[SideKey, int] = field(default_factory=dict)
    _last: int = 0

    def copy(self) -> MemoryLinks:
        return MemoryLinks(self._by_number.copy(), self._numbers.copy(), self._last)

    def seen_by(self, pair: Pair, states: Collection[LinkState] | None = None) -> Iterator[Link]:
        """All links, in the direction of ``pair``; of ``states`` only those whose source side is in one of them."""
        links: Iterable[Link] = self._by_number.values()
        if states is not None:
            links = [link for link in links if (link.target if pair.mirrored else link.source).state in states]
        return (seen_from(pair, link) for link in links)

    def of_record(self, pair: Pair, where: SideKey) -> Link | None:
        """The link of a record, in the direction of ``pair``."""
        number = self._numbers.get(where)
        return None if number is None else seen_from(pair, self._by_number[number])

    def store(self, links: Sequence[Link], run_id: str) -> list[Link]:
        """As they are now stored, once all of them have been checked against what was stored before.

        Raises :class:`LinkMoved` when one of them cannot be.
        """
        batch = {link.number for link in links if link.number}
        lone = [self._taken_in(link, batch) for link in links]
        return [self._put(link, others, run_id) for link, others in zip(links, lone, strict=True)]

    def _taken_in(self, link: Link, batch: Collection[int]) -> list[Link]:
        """Links without a counterpart that this one takes in."""
        left = seen_from(LEFT, link)
        mine = self._by_number.get(left.number) if left.number else self._lone_of(link)
        if left.version != (mine.version if mine else 0) or (left.number and not mine):
            raise LinkMoved(f"The link of {link.source.key!r} changed since the plan was made.")
        gained = _sides(left) - (_sides(mine) if mine else set())
        numbers = {self._numbers[where] for where in gained if where in self._numbers}
        others = [self._by_number[number] for number in sorted(numbers)]
        if any(not left.number or len(_sides(other)) > 1 or other.number in batch for other in others):
            raise LinkMoved(f"A record of {link.source.key!r} is already linked to another one.")
        return others

    def _put(self, link: Link, lone: Sequence[Link], run_id: str) -> Link:
        left = seen_from(LEFT, link)
        for other in lone:
            left = _keeping(left, other)
            self._forget(other)
        self._last += 0 if left.number else 1
        stored = replace(left, number=left.number or self._last, version=left.version + 1, run_id=run_id)
        if left.number:
            self._forget(self._by_number[left.number])
        self._by_number[stored.number] = stored
        self._numbers.update(dict.fromkeys(_sides(stored), stored.number))
        return seen_from(link.pair, stored)

    def _lone_of(self, link: Link) -> Link | None:
        number = self._numbers.get((link.pair.mirrored, link.source.key or ""))
        return None if number is None else self._by_number[number]

    def _forget(self, link: Link) -> None:
        self._by_number.pop(link.number, None)
        for where in _sides(link):
            self._numbers.pop(where, None)


LEFT = Pair(1)


def seen_from(pair: Pair, link: Link) -> Link:
    """The link in the direction of ``pair``."""
    return link if link.pair.mirrored == pair.mirrored else link.mirrored()


def _sides(left: Link) -> set[SideKey]:
    return {(right, side.key) for right, side in ((False, left.source), (True, left.target)) if side.key is not None}


def _keeping(left: Link, lone: Link) -> Link:
    kept = {
        name: {"mapped": other.mapped, "mapping_version": other.mapping_version}
        for name, mine, other in (("source", left.source, lone.source), ("target", left.target, lone.target))
        if other.key is not None and not mine.mapped
    }
    return left.having(**kept, first_seen_at=left.first_seen_at or lone.first_seen_at)
