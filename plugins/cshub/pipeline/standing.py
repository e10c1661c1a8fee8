"""Links of a ledger that may be an old copy: which of them still stand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from cshub.core.rebuilding import Matching
from cshub.core.records import Link, LinkSide, Presence
from cshub.ledger import Fence
from cshub.pipeline.run import Run
from cshub.pipeline.sights import Sights
from cshub.pipeline.targets import batches, is_alive

BATCH = 500
_PROVEN = frozenset({Presence.PRESENT, Presence.DELETED})


@dataclass(frozen=True, slots=True)
class Standing:
    """``left``, ``right``: keys of records whose links stand; those set aside for good on both sides do.

    ``broken``: links that do not. A complete reading shows one of their two records, and the other is proven to be
    gone: since the copy was made, the one that is left may have got another counterpart. ``in_doubt``: keys of records
    of either side whose link stands, though nothing is proven of the other record of it.
    """

    left: frozenset[str] = frozenset()
    right: frozenset[str] = frozenset()
    broken: Sequence[Link] = field(default_factory=tuple)
    in_doubt: frozenset[str] = frozenset()

    @classmethod
    def of(cls, run: Run, looks: Sequence[Sights]) -> Standing:
        """``looks``: what the job sees of both sides, and what the job of the other direction sees."""
        left = {key for look, side in zip(looks, ("made", "held"), strict=False) for key in getattr(look, side)}
        right = {key for look, side in zip(looks, ("held", "made"), strict=False) for key in getattr(look, side)}
        keys: tuple[set[str], set[str]] = (set(), set())
        halves: list[Link] = []
        for link in run.ledger.linked(run.pair):
            source, target = link.source.key or "", link.target.key or ""
            keys[0].add(source)
            keys[1].add(target)
            if (source in left) != (target in right) and is_alive(link):
                halves.append(link)
        known = {
            **_target_is_gone(run, [link for link in halves if link.source.key in left]),
            **_source_is_gone(run, [link for link in halves if link.target.key in right]),
        }
        broken = [link for link in halves if known.get(link.number)]
        unproven = [link for link in halves if link.number not in known]
        return cls(
            frozenset(keys[0] - {link.source.key for link in broken}),
            frozenset(keys[1] - {link.target.key for link in broken}),
            tuple(_cut(link, left) for link in broken),
            frozenset(key for link in unproven for key in (link.source.key, link.target.key) if key is not None),
        )

    def doubted(self, sure: Matching, more: Matching) -> Matching:
        """``sure``: made without the records in doubt; ``more``: of what was left and them.

        What belongs to a record in doubt by these, or may belong to it, is in doubt too.
        """
        pairs = {(item.left, item.right) for item in more.matches}
        pairs |= {(left, right) for left, rights in more.left_doubts.items() for right in rights}
        left, right = dict(sure.left_doubts), dict(sure.right_doubts)
        for one, other in sorted(pairs):
            if one in self.in_doubt and other not in self.in_doubt:
                right[other] = sorted({*right.get(other, ()), one})
            elif other in self.in_doubt and one not in self.in_doubt:
                left[one] = sorted({*left.get(one, ()), other})
        return Matching(sure.matches, left, right)

    def free(self, run: Run, fence: Fence, run_id: str, keys: Collection[str]) -> None:
        """Take these records, of either side, out of the links that do not stand."""
        cut = [link for link in self.broken if link.source.key in keys or link.target.key in keys]
        for batch in batches(cut, BATCH):
            run.ledger.record(fence, run_id, links=batch, decisions=[], now=run.clock.now())


def _cut(link: Link, left: Collection[str]) -> Link:
    """What is left of the link."""
    return replace(link, target=LinkSide()) if link.source.key in left else replace(link, source=LinkSide())


def _source_is_gone(run: Run, links: Sequence[Link]) -> dict[int, bool]:
    """Number of a link → whether its record is proven to be gone, or there; left out where nothing is proven."""
    numbers = {link.source.key: link.number for link in links}
    addresses = [link.source.address for link in links if link.source.address is not None]
    pages = run.source.read_keys(addresses) if addresses else ()
    found = (item for page in pages for item in page.records if item.presence in _PROVEN)
    return {numbers[item.key]: item.presence is Presence.DELETED for item in found}


def _target_is_gone(run: Run, links: Sequence[Link]) -> dict[int, bool]:
    """As :func:`_source_is_gone`."""
    numbers = {link.target.key: link.number for link in links}
    addresses = [link.target.address for link in links if link.target.address is not None]
    found = run.target.read_keys(addresses) if addresses else {}
    return {numbers[key]: record is None for key, record in found.items()}
