from __future__ import annotations

from collections.abc import Callable

import pytest

from cshub.core.errors import (
    AmbiguousWrite,
    AuthenticationFailed,
    DataError,
    FencedOut,
    HubError,
    NotFound,
    PermissionDenied,
    ProtocolFault,
    RateLimited,
    RequestRefused,
    ServiceUnavailable,
    SpecError,
)
from cshub.core.ports import Write
from cshub.core.records import Operation, RecordKey
from cshub.systems.singly import write_singly

WRITE = Write(Operation.UPDATE, RecordKey("1"), "ACME-17")


@pytest.mark.parametrize(
    "error",
    [
        AmbiguousWrite("x"),
        ServiceUnavailable("x"),
        ProtocolFault("x"),
        NotFound("x", status=404),
        RequestRefused("x", status=400),
        DataError("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_concerns_one_record_is_its_verdict(error: HubError) -> None:
    verdicts = write_singly([WRITE, WRITE], dict.fromkeys(Operation, _raising(error)))
    assert [(verdict.key, verdict.error) for verdict in verdicts] == [(None, error), (None, error)]


@pytest.mark.parametrize(
    "error",
    [RateLimited("x"), AuthenticationFailed("x"), PermissionDenied("x"), SpecError("x"), FencedOut("x")],
    ids=lambda error: type(error).__name__,
)
def test_what_concerns_every_record_is_raised(error: HubError) -> None:
    with pytest.raises(type(error)):
        write_singly([WRITE], dict.fromkeys(Operation, _raising(error)))


def test_each_write_is_carried_out_by_the_call_of_its_operation_in_order() -> None:
    calls = {operation: _naming(operation) for operation in Operation}
    writes = [Write(operation, None, "ACME-17") for operation in (Operation.DELETE, Operation.CREATE)]
    keys = [verdict.key for verdict in write_singly(writes, calls)]
    assert keys == [RecordKey("delete"), RecordKey("create")]


def _raising(error: HubError) -> Callable[[Write], RecordKey]:
    def call(asked: Write) -> RecordKey:
        raise error

    return call


def _naming(operation: Operation) -> Callable[[Write], RecordKey]:
    return lambda asked: RecordKey(operation.value)
