"""Writes to a service that takes one record a call: what concerns one record is its verdict, the rest is raised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cshub.core.errors import AmbiguousWrite, DataError, RateLimited, RequestRefused, TransientError
from cshub.core.ports import Verdict, Write
from cshub.core.records import Operation, RecordKey


def write_singly(writes: Sequence[Write], calls: Mapping[Operation, Callable[[Write], RecordKey]]) -> list[Verdict]:
    """Carry out writes one after the other; a verdict for each, in order.

    Raises ``RateLimited``, ``SpecError``, ``StateError`` and every :class:`PermanentError` that is no verdict on one
    record. The writes before it have happened, so nothing is lost only where one write is given at a time.
    """
    return [_verdict(write, calls[write.operation]) for write in writes]


def _verdict(write: Write, call: Callable[[Write], RecordKey]) -> Verdict:
    try:
        return Verdict(call(write))
    except RateLimited:
        raise
    except (AmbiguousWrite, TransientError, RequestRefused, DataError) as error:
        return Verdict(error=error)
