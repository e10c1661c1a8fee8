"""Python programs started as child processes that live no longer than this one."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def run_child(arguments: Sequence[str]) -> int:
    """Run ``python <arguments>`` with this process's streams; its exit status comes back.

    Signals are passed on, and the child is waited for. A child ended by signal N gives 128 + N, as a shell says it.
    """
    process = subprocess.Popen([sys.executable, *arguments], start_new_session=True)
    with passing_signals(process):
        status = process.wait()
    return status if status >= 0 else 128 - status


@contextmanager
def passing_signals(process: subprocess.Popen[Any]) -> Iterator[Sequence[int]]:
    """Pass on what would end this process to ``process``, as long as the block runs; end it if the block fails.

    The block is given the signals that came, as they come.
    """
    came: list[int] = []

    def forward(number: int, _: FrameType | None) -> None:
        came.append(number)
        if process.poll() is None:
            process.send_signal(number)

    before = {number: signal.signal(number, forward) for number in FORWARDED}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if process.poll() is None:
            process.terminate()
            process.wait()
