"""Links of a ledger that may be an old copy: which of them still stand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from cshub.core.records import Link, LinkSide, Presence
from cshub.ledger import Fence
from cshub.pipeline.run import Run
from cshub.pipeline.sights import Sights
from cshub.pipeline.targets import batches

BATCH = 500


@dataclass(frozen=True, slots=True)
class Standing:
    """``left``, ``right``: keys of records whose links stand.

    ``broken``: links that do not. A complete reading shows one of their two records, and the other is proven to be
    gone: since the copy was made, the one that is left may have got another counterpart.
    """

    left: frozenset[str] = frozenset()
    right: frozenset[str] = frozenset()
    broken: Sequence[Link] = field(default_factory=tuple)

    @classmethod
    def of(cls, run: Run, looks: Sequence[Sights]) -> Standing:
        """``looks``: what the job sees of both sides, and what the job of the other direction sees."""
        left = {key for look, side in zip(looks, ("made", "held"), strict=False) for key in getattr(look, side)}
        right = {key for look, side in zip(looks, ("held", "made"), strict=False) for key in getattr(look, side)}
        links = list(run.ledger.linked(run.pair))
        without_target = [link for link in links if link.source.key in left and link.target.key not in right]
        without_source = [link for link in links if link.source.key not in left and link.target.key in right]
        gone = _gone_from_target(run, without_target) | _gone_from_source(run, without_source)
        standing = [link for link in links if link.number not in gone]
        return cls(
            frozenset(link.source.key for link in standing if link.source.key is not None),
            frozenset(link.target.key for link in standing if link.target.key is not None),
            tuple(_cut(link, left) for link in links if link.number in gone),
        )

    def free(self, run: Run, fence: Fence, run_id: str, keys: Collection[str]) -> None:
        """Take these records, of either side, out of the links that do not stand."""
        cut = [link for link in self.broken if link.source.key in keys or link.target.key in keys]
        for batch in batches(cut, BATCH):
            run.ledger.record(fence, run_id, links=batch, decisions=[], now=run.clock.now())


def _cut(link: Link, left: Collection[str]) -> Link:
    """What is left of the link."""
    return replace(link, target=LinkSide()) if link.source.key in left else replace(link, source=LinkSide())


def _gone_from_source(run: Run, links: Sequence[Link]) -> set[int]:
    numbers = {link.source.key: link.number for link in links}
    addresses = [link.source.address for link in links if link.source.address is not None]
    pages = run.source.read_keys(addresses) if addresses else ()
    return {numbers[item.key] for page in pages for item in page.records if item.presence is Presence.DELETED}


def _gone_from_target(run: Run, links: Sequence[Link]) -> set[int]:
    numbers = {link.target.key: link.number for link in links}
    addresses = [link.target.address for link in links if link.target.address is not None]
    found = run.target.read_keys(addresses) if addresses else {}
    return {numbers[key] for key, record in found.items() if record is None}
