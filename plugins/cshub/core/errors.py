"""Every error the hub raises, grouped by what the caller should do next.

::

    HubError
    ├── SpecError            a file or setting is wrong: correct it, running again does not help
    │   ├── JobFileError     a job or mapping file; carries every fault found
    │   ├── ConnectionSpecError   a connection lacks a field or holds a wrong one
    │   └── WindowError      a window that cannot be read (end before start, no zone, not a date)
    ├── TransientError       the service or the network failed: the same call may succeed later
    │   ├── RateLimited      the service's budget is used up; carries when it resets
    │   ├── ServiceUnavailable    5xx, time-out, connection refused, dropped or endless answer
    │   │   └── GatewayTimeout   504: the question was too large or the service too slow; ask for less
    │   └── ProtocolFault    an answer that is not what the API speaks: HTML, cut JSON, wrong shape
    │       └── ShortRead    fewer records than the service itself stated
    ├── PermanentError       the service refuses: a person must act
    │   ├── AuthenticationFailed  token wrong, expired or revoked
    │   ├── PermissionDenied
    │   ├── QuotaSpent       the calls of a whole day are used up: no retry helps today, a later run goes on
    │   ├── RequestRefused   a 4xx verdict on this one request, or a 501: the service does not offer it
    │   │   └── NotFound
    │   └── RowsFailed       a run in which the target refused records
    ├── DataError            one record cannot be handled; the others go on
    ├── StateError           what the ledger holds forbids the step
    │   ├── IdentityChanged  the connection points at another org or tenant than the pair was built with
    │   ├── LockHeld         another run of the same pair is at work
    │   ├── FencedOut        this process was replaced by a newer one: stop at once
    │   ├── LinkMoved        the link is no longer as the plan saw it
    │   └── StagingCorrupt   a staged frame is missing or not what its digest says
    ├── StatisticsMismatch   the numbers of a run do not add up
    └── AmbiguousWrite       a write whose answer was lost: it may or may not have happened

``TransientError`` is worth a retry; ``SpecError``, ``PermanentError``, ``StagingCorrupt`` and ``StatisticsMismatch``
are not. ``AmbiguousWrite`` is settled by looking at the target before anything is sent again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class HubError(Exception):
    """Base of all errors of the hub. The message names the next step and never holds a secret."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file: where, what, and how to mend it."""

    file: str
    field: str
    reason: str
    remedy: str
    line: int | None = None

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.field}: {self.reason}. {self.remedy}"


class SpecError(HubError):
    """A file or setting is wrong; running again does not help."""


class JobFileError(SpecError):
    """A job or mapping file with every fault found in it."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class ConnectionSpecError(SpecError):
    """An Airflow connection lacks a field or holds a wrong one."""


class WindowError(SpecError):
    """A window that cannot be read."""


class TransientError(HubError):
    """The same call may succeed later."""


class RateLimited(TransientError):
    """The service's budget is used up. ``reset_s``: seconds until it says it resets, None when it did not say."""

    def __init__(self, message: str, *, reset_s: float | None = None) -> None:
        self.reset_s = reset_s
        super().__init__(message)


class ServiceUnavailable(TransientError):
    """5xx, time-out, refused, dropped or endless answer."""


class GatewayTimeout(ServiceUnavailable):
    """504: the service gave up on the question. A smaller one (a shorter window) may be answered."""


class ProtocolFault(TransientError):
    """An answer that is not what the API speaks: HTML, cut JSON, wrong shape."""


class ShortRead(ProtocolFault):
    """Fewer records arrived than the service itself stated."""


class PermanentError(HubError):
    """The service refuses; a person must act."""


class AuthenticationFailed(PermanentError):
    """Token wrong, expired or revoked."""


class PermissionDenied(PermanentError):
    """The signed-in user may not do this."""


class QuotaSpent(PermanentError):
    """The service's allowance of a whole day is used up: asking again soon does not help, a later run goes on."""


class RequestRefused(PermanentError):
    """The service's verdict on this one request. ``status``: HTTP status; ``verdict``: its own words, redacted."""

    def __init__(self, message: str, *, status: int, verdict: str = "") -> None:
        self.status = status
        self.verdict = verdict
        super().__init__(message)


class NotFound(RequestRefused):
    """The service does not know this record (or hides it)."""


class RowsFailed(PermanentError):
    """The target refused records of a run; the others were handled."""


class DataError(HubError):
    """One record cannot be handled; the others go on."""


class StateError(HubError):
    """What the ledger holds forbids the step."""


class IdentityChanged(StateError):
    """The connection points at another org, tenant or user than the pair was built with."""


class LockHeld(StateError):
    """Another run of the same pair is at work."""


class FencedOut(StateError):
    """A newer process has taken over; this one must stop without another write."""


class LinkMoved(StateError):
    """The link is no longer as the plan saw it."""


class StagingCorrupt(StateError):
    """A staged frame is missing or is not what its digest says."""


class StatisticsMismatch(HubError):
    """The numbers of a run do not add up."""


class AmbiguousWrite(HubError):
    """The answer to a write was lost: it may or may not have happened."""
