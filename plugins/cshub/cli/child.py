"""Python programs started as child processes that live no longer than this one."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_child(arguments: Sequence[str]) -> int:
    """Run ``python <arguments>`` with this process's streams; its exit status comes back.

    Signals are passed on, and the child is waited for. A child ended by signal N gives 128 + N, as a shell says it.
    """
    process = subprocess.Popen([sys.executable, *arguments], start_new_session=True)

    def forward(number: int, _: FrameType | None) -> None:
        if process.poll() is None:
            process.send_signal(number)

    before = {number: signal.signal(number, forward) for number in FORWARDED}
    try:
        status = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status
