"""Which errors are worth another try, and which are not."""

from __future__ import annotations

import inspect

import pytest
from airflow.sdk import RetryAction

from cshub.core import errors
from cshub.dag_factory import RETRY_POLICY

FAILS: set[type[errors.HubError]] = {
    errors.SpecError,
    errors.JobFileError,
    errors.ConnectionSpecError,
    errors.WindowError,
    errors.PermanentError,
    errors.AuthenticationFailed,
    errors.PermissionDenied,
    errors.QuotaSpent,
    errors.RequestRefused,
    errors.NotFound,
    errors.RowsFailed,
    errors.IdentityChanged,
    errors.FencedOut,
    errors.StagingCorrupt,
    errors.StatisticsMismatch,
}
WAITS_S: dict[type[errors.HubError], int] = {errors.RateLimited: 60}
RETRIES: set[type[errors.HubError]] = {
    errors.HubError,
    errors.TransientError,
    errors.ServiceUnavailable,
    errors.GatewayTimeout,
    errors.ProtocolFault,
    errors.ShortRead,
    errors.DataError,
    errors.StateError,
    errors.LinkMoved,
    errors.LockHeld,
    errors.AmbiguousWrite,
}
EVERY_ERROR = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.HubError)}


def raised(kind: type[errors.HubError]) -> errors.HubError:
    error = kind.__new__(kind)
    Exception.__init__(error, "told")
    return error


def test_every_kind_of_error_is_in_one_of_the_tables() -> None:
    assert FAILS | set(WAITS_S) | RETRIES == EVERY_ERROR


@pytest.mark.parametrize("kind", sorted(FAILS, key=str))
def test_what_a_person_must_mend_is_not_tried_again(kind: type[errors.HubError]) -> None:
    assert RETRY_POLICY.evaluate(raised(kind), 1, 5, None).action is RetryAction.FAIL


@pytest.mark.parametrize(("kind", "seconds"), WAITS_S.items())
def test_what_only_needs_time_waits_that_long(kind: type[errors.HubError], seconds: int) -> None:
    decision = RETRY_POLICY.evaluate(raised(kind), 1, 5, None)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay is not None and decision.retry_delay.total_seconds() == seconds


@pytest.mark.parametrize("kind", sorted(RETRIES, key=str))
def test_everything_else_follows_the_jobs_retries(kind: type[errors.HubError]) -> None:
    assert RETRY_POLICY.evaluate(raised(kind), 1, 5, None).action is RetryAction.DEFAULT
