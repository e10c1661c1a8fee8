"""A run that dies by SIGKILL at a chosen boundary, and settles what an earlier death left open."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from ledger_cast import JOB, MINUTE, NOW, begin, entry_of, link_of, open_run
from sqlalchemy import event

from cshub.core.records import Outcome
from cshub.ledger import Ledger

KEYS = ("a", "b")


class Fuse:
    """Ends the process at the n-th boundary: before each statement, each commit, and on both sides of each call."""

    def __init__(self, burns_at: int | None) -> None:
        self.left = burns_at

    def step(self, *_: Any) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def work(url: str, service: Path, burns_at: int | None) -> None:
    """Create a record for each key in ``service`` (one line a record), by intent, call and confirmation."""
    fuse = Fuse(burns_at)
    with Ledger.open(url) as ledger:
        event.listen(ledger.database.engine, "before_cursor_execute", fuse.step)
        event.listen(ledger.database.engine, "commit", fuse.step)
        pair_id = open_run(ledger, "run-1")
        fence = ledger.acquire_lock(JOB, holder=str(os.getpid()), run_id="run-1", now=NOW, ttl=MINUTE)
        for intent in ledger.open_intents(pair_id):
            if intent.source_key in held_by(service):
                link = link_of(pair_id, intent.source_key)
                ledger.confirm(fence, intent.id, link=link, decision=entry_of(intent.source_key), now=NOW)
            else:
                ledger.abandon(fence, intent.id, reason="the service does not have it", now=NOW)
        done = ledger.outcomes("run-1")
        for key in KEYS:
            if done.get(key) is not Outcome.CREATED:
                intent = begin(ledger, fence, pair_id, key)
                fuse.step()
                with service.open("a") as records:
                    records.write(f"{key}\n")
                fuse.step()
                ledger.confirm(fence, intent.id, link=link_of(pair_id, key), decision=entry_of(key), now=NOW)
        ledger.release(fence)


def held_by(service: Path) -> list[str]:
    return service.read_text().split()
