"""A run that dies by SIGKILL at a chosen boundary, and settles what an earlier death left open.

As a program it is a nursery: for each line ``[url, name, folder, boundary]`` of JSON it forks a warm child that does
the run, and answers with the child's exit status (negative: the signal). Boundary 0 means here, without a child.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from sqlalchemy import event

from cshub.core.records import Outcome
from cshub.ledger import Ledger
from tests.ledger.cast import MINUTE, NOW, begin, entry_of, link_of, open_run

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


def work(url: str, name: str, service: Path, burns_at: int | None) -> None:
    """Create a record for each key in ``service`` (one line a record), by intent, call and confirmation."""
    fuse = Fuse(burns_at)
    with Ledger.open(url) as ledger:
        event.listen(ledger.database.engine, "before_cursor_execute", fuse.step)
        event.listen(ledger.database.engine, "commit", fuse.step)
        pair = open_run(ledger, name, job_id=name, pair=name)
        fence = ledger.acquire_lock(name, holder=str(os.getpid()), run_id=name, now=NOW, ttl=MINUTE)
        for intent in ledger.open_intents(pair):
            if intent.source_key in held_by(service):
                link = link_of(pair, intent.source_key)
                ledger.confirm(fence, intent.id, link=link, decision=entry_of(intent.source_key), now=NOW)
            else:
                ledger.abandon(fence, intent.id, reason="the service does not have it", now=NOW)
        done = ledger.outcomes(name)
        for key in KEYS:
            if done.get(key) is not Outcome.CREATED:
                intent = begin(ledger, fence, pair, key, run_id=name)
                fuse.step()
                with service.open("a") as records:
                    records.write(f"{key}\n")
                fuse.step()
                ledger.confirm(fence, intent.id, link=link_of(pair, key), decision=entry_of(key), now=NOW)
        ledger.release(fence)


def held_by(service: Path) -> list[str]:
    return service.read_text().split() if service.exists() else []


def child_status(url: str, name: str, service: Path, burns_at: int | None) -> int:
    child = os.fork()
    if child == 0:
        try:
            work(url, name, service, burns_at)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def serve() -> None:
    for line in sys.stdin:
        url, name, service, boundary = json.loads(line)
        status = 0
        if boundary == 0:
            work(url, name, Path(service), None)
        else:
            status = child_status(url, name, Path(service), boundary)
        print(status, flush=True)


if __name__ == "__main__":
    serve()
