"""What a run did to the target, as rows that take it back."""

from __future__ import annotations

from cshub.core.planning import PlanRow
from cshub.core.records import DecisionEntry, Link, RecordKey, TargetRecord
from cshub.core.undoing import WRITTEN, take_back
from cshub.ledger import DecisionRow
from cshub.pipeline.run import Run
from cshub.pipeline.targets import READ_BATCH, batches


def undo_rows(run: Run, undone_run_id: str, only: frozenset[str] | None = None) -> list[PlanRow]:
    """One row per record that the run wrote, as it stands now; of ``only`` these source keys."""
    last: dict[str, DecisionEntry] = {
        entry.source_key: _entry(entry)
        for entry in run.ledger.decisions_of_run(undone_run_id)
        if entry.outcome in WRITTEN and entry.pair == run.pair and (only is None or entry.source_key in only)
    }
    links = run.ledger.links(run.pair, list(last))
    addresses = [
        RecordKey(entry.target_key, link.target.account_id or "", link.target.extra)
        for key, entry in last.items()
        if entry.target_key is not None and (link := links.get(key)) is not None
    ]
    now: dict[str, TargetRecord | None] = {}
    for batch in batches(addresses, READ_BATCH):
        now.update(run.target.read_keys(batch))
    return [
        take_back(entry, _seen(links.get(key), entry, now), now.get(entry.target_key or ""), kinds=run.kinds)
        for key, entry in last.items()
    ]


def _seen(link: Link | None, entry: DecisionEntry, now: dict[str, TargetRecord | None]) -> Link | None:
    """The link, unless nothing is known of its target: what cannot be read is not taken back."""
    return link if entry.target_key in now else None


def _entry(row: DecisionRow) -> DecisionEntry:
    return DecisionEntry(
        row.source_key, row.outcome, row.rule, row.reason, row.target_key, tuple(row.changes), row.answer
    )
