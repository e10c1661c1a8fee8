"""Rejected rows: kept with every reason, read again by later runs."""

from __future__ import annotations

from collections.abc import Sequence

from cshub.core.linking import new_link
from cshub.core.records import DecisionEntry, Link, LinkState, Outcome, RejectEntry
from cshub.ledger import Fence
from cshub.pipeline.run import Run

LEDGER_BATCH = 500


def record_rejects(run: Run, fence: Fence, rejects: Sequence[RejectEntry]) -> None:
    """Keep rejected rows with every reason, and read them again in later runs."""
    keys = list(dict.fromkeys(entry.source_key for entry in rejects))
    known = run.ledger.outcomes(run.run_id)
    fresh = [key for key in keys if key not in known]
    for start in range(0, len(fresh), LEDGER_BATCH):
        batch = fresh[start : start + LEDGER_BATCH]
        links = run.ledger.links(run.pair, batch)
        now = run.clock.now()
        reasons = {key: [entry for entry in rejects if entry.source_key == key] for key in batch}
        run.ledger.record(
            fence,
            run.run_id,
            links=[_waiting(links.get(key) or new_link(run.pair, key, now)) for key in batch],
            decisions=[_rejected(key, reasons[key]) for key in batch],
            rejects=[entry for key in batch for entry in reasons[key]],
            now=now,
        )


def _waiting(link: Link) -> Link:
    """A record that is held for a person stays so, valid or not."""
    return link if link.state is LinkState.HELD else link.having(source={"state": LinkState.REJECTED})


def _rejected(key: str, entries: Sequence[RejectEntry]) -> DecisionEntry:
    return DecisionEntry(
        key, Outcome.REJECTED, "rejected", "; ".join(f"{item.field}: {item.reason}" for item in entries)
    )
