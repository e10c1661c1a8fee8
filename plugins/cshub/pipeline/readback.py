"""Read back what was written, in bulk: the ids a create does not return, and the values the service really keeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from cshub.core.errors import TransientError
from cshub.core.linking import read_back as completed
from cshub.core.objects import Role
from cshub.core.planning import PlanRow
from cshub.core.records import Link, Origin, TargetRecord
from cshub.core.values import moment_or_midnight
from cshub.core.window import Window
from cshub.pipeline.run import Run
from cshub.pipeline.targets import READ_BATCH, batches
from cshub.pipeline.writes import Writer

SEARCH_LAG_S = 3.0  # docs/vendors/totango.md §6.2, row "Read-after-write"
BATCH = 500


def read_back(writer: Writer, rows: Sequence[PlanRow]) -> int:
    """Complete the links of written rows; returns how many were completed.

    A link that another run has stored since is left alone: it rests on what that run read. Rows that the search does
    not show yet are completed by the next run, which reads them anyway; a service that does not answer here spoils
    nothing.
    """
    run = writer.run
    if not rows:
        return 0
    links = run.ledger.links(run.pair, [row.source_key for row in rows])
    run.note("reading back what was written")
    try:
        look = _by_id(run, list(links.values())) if run.target.lookup.is_cheap else _by_date(run, rows)
        found = {record.key: record for record in look}
    except TransientError:
        return 0
    by_key = {row.source_key: row for row in rows}
    done = [
        completed(link, by_key[link.source_key], found[link.target_key], kinds=run.kinds, two_way=run.two_way)
        for link in links.values()
        if link.run_id == run.run_id and link.target_key in found and _is_newer(link, found[link.target_key])
    ]
    for batch in batches(done, BATCH):
        run.ledger.record(writer.fence, run.run_id, links=batch, decisions=[], now=run.clock.now())
    return len(done)


def _by_id(run: Run, links: Sequence[Link]) -> Iterable[TargetRecord]:
    addresses = [link.target.address for link in links if link.target.address is not None]
    for batch in batches(addresses, READ_BATCH):
        yield from (record for record in run.target.read_keys(batch).values() if record is not None)


def _by_date(run: Run, rows: Sequence[PlanRow]) -> Iterable[TargetRecord]:
    dated = _dates(run, rows)
    if dated:
        run.clock.sleep(SEARCH_LAG_S)
        window = Window(min(dated), max(dated) + timedelta(milliseconds=1))
        for page in run.target.read_window(window):
            yield from page


def _dates(run: Run, rows: Sequence[PlanRow]) -> list[datetime]:
    name = run.mapping.attribute_with(Role.DATE)
    return [
        moment_or_midnight(row.values[name])
        for row in rows
        if name and row.origin is Origin.WINDOW and row.values.get(name)
    ]


def _is_newer(link: Link, record: TargetRecord) -> bool:
    """Whether the service shows the record as it was after our write, by its own clock."""
    side = link.target
    if side.marks is None or side.modified_at is None or record.modified_at is None:
        return side.marks is None
    return record.modified_at > side.modified_at
