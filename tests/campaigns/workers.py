"""Processes that share a campaign's work, and end with it: Ctrl-C ends all at once."""

from __future__ import annotations

import logging
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any


@contextmanager
def workers(
    count: int, *, fresh: bool = True, prepare: Callable[..., None] | None = None, arguments: tuple[Any, ...] = ()
) -> Iterator[ProcessPoolExecutor]:
    """``fresh``: each begins as a new process of its own, not as a copy of this one. ``prepare``: called in each first.

    They leave Ctrl-C to this process; when it ends by that, or by any error, what they are at is not waited for.
    """
    context = multiprocessing.get_context("forkserver" if fresh else None)
    pool = ProcessPoolExecutor(count, context, initializer=_begin, initargs=(prepare, arguments))
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        for child in multiprocessing.active_children():
            child.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def _begin(prepare: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger().addHandler(logging.NullHandler())  # else warnings of the hub stand among the figures
    if prepare is not None:
        prepare(*arguments)
