"""One writer per pair at a time."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from cshub.ledger import Fence
from cshub.pipeline.guard import LOCK_TTL
from cshub.pipeline.run import Run


@contextmanager
def locked(run: Run) -> Iterator[Fence]:
    """Be the only writer of the pair. Raises ``LockHeld`` when another run is; a retry of this run takes over."""
    holder = f"{socket.gethostname()}:{os.getpid()}"
    name = f"pair:{run.pair.number}"
    fence = run.ledger.acquire_lock(name, holder=holder, run_id=run.run_id, now=run.clock.now(), ttl=LOCK_TTL)
    run.guard.arm(run.ledger, fence, run.clock)
    try:
        yield fence
    finally:
        run.guard.disarm()
        run.ledger.release(fence)
