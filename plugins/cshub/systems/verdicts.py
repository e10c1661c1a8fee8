"""From what went wrong in one HTTP call to the error that says what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import requests
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from cshub.core.errors import (
    AmbiguousWrite,
    AuthenticationFailed,
    ConnectionSpecError,
    GatewayTimeout,
    HubError,
    NotFound,
    PermissionDenied,
    ProtocolFault,
    RateLimited,
    RequestRefused,
    ServiceUnavailable,
)
from cshub.systems.answers import Answer, verdict_of


class Effect(Enum):
    """What sending a call twice does."""

    READ = "read"
    REPEATABLE = "repeatable"  # a write that may be sent again: update, delete
    ONCE = "once"  # a create: sent twice, it makes two records


@dataclass(frozen=True, slots=True)
class Place:
    """Where something went wrong, for messages: system and connection, method, path without query."""

    label: str
    method: str
    path: str
    effect: Effect

    def __str__(self) -> str:
        return f"{self.label}: {self.method} {self.path}"

    def lost(self, what: str) -> HubError:
        """The error for a call that was sent and whose answer is missing or unreadable."""
        if self.effect is Effect.ONCE:
            return AmbiguousWrite(
                f"{self} {what}. The record may or may not have been made: "
                "look for it in the target before it is sent again (the next run does so by itself)."
            )
        return ServiceUnavailable(f"{self} {what}. Try again later; if it stays so, ask the service's status page.")

    def garbled(self, what: str) -> HubError:
        """The error for an answer that is not what the API speaks."""
        if self.effect is Effect.ONCE:
            return self.lost(f"was answered, but {what}")
        return ProtocolFault(
            f"{self}: {what}. If it stays so, check the connection's host: it may lead to a web page or a proxy."
        )


_TOO_MANY = 429
_TIMED_OUT = 408
_GATEWAY_TIMEOUT = 504
_NOT_OFFERED = 501


def error_of_answer(answer: Answer, place: Place, reset_s: float | None) -> HubError | None:
    """The error an answer stands for, None for a success. ``reset_s``: the wait that the service stated, if any."""
    status = answer.status
    if 200 <= status < 300:
        return None
    words = verdict_of(answer)
    said = f"answered {status}" + (f": {words}" if words else "")
    if status == _TOO_MANY:
        when = "" if reset_s is None else f" It resets in {reset_s:.0f} s."
        return RateLimited(
            f"{place} {said}. The budget of this token is used up.{when} "
            "Run again then; if it happens often, see which other programs use this token.",
            reset_s=reset_s,
        )
    if status == _NOT_OFFERED:
        return RequestRefused(
            f"{place} {said}. The service does not offer this, so waiting does not help: ask for something else, or "
            "check that the address leads to the right service.",
            status=status,
            verdict=words,
        )
    if status == _TIMED_OUT or status >= 500:
        return _failed(place, said, status)
    if status < 200 or status < 400:
        return place.garbled(f"it answered {status}, which leads elsewhere")
    return _refused(answer, place, said, words)


def _failed(place: Place, said: str, status: int) -> HubError:
    if status == _GATEWAY_TIMEOUT and place.effect is not Effect.ONCE:
        return GatewayTimeout(f"{place} {said}. Ask for less at once, for example a shorter window.")
    return place.lost(said)


def _refused(answer: Answer, place: Place, said: str, words: str) -> HubError:
    status = answer.status
    if status == 401:
        return AuthenticationFailed(
            f"{place} {said}. The token is wrong, expired or revoked: make a new one and store it in the connection."
        )
    if status == 403:
        return PermissionDenied(
            f"{place} {said}. The user this token belongs to may not do this: give the role API access, "
            "or use the token of another user."
        )
    if status == 404:
        if answer.is_html and place.effect is not Effect.ONCE:
            return place.garbled("a web page came with status 404")
        return NotFound(
            f"{place} {said}. There is no such record, or this token may not see it. When every call ends so, check "
            "the address too.",
            status=404,
            verdict=words,
        )
    return RequestRefused(
        f"{place} {said}. Correct the record, the mapping or the job; sending the same again does not help.",
        status=status,
        verdict=words,
    )


_UNUSABLE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidProxyURL,
    UnicodeError,
)


def error_of_transport(cause: Exception, place: Place) -> HubError:
    """The error for a call that ended without a complete answer.

    A connection that was never made is :class:`ServiceUnavailable` even for a create: certainly nothing was done.
    """
    if isinstance(cause, _UNUSABLE):
        return ConnectionSpecError(
            f"{place} cannot be sent ({type(cause).__name__}): correct host and token of the connection; "
            "the token must be one line without blanks."
        )
    if isinstance(cause, requests.exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(cause):
        return ConnectionSpecError(
            f"{place}: the TLS certificate of the host could not be verified. Check the connection's host, "
            "or install the certificate of your company's proxy."
        )
    if _never_sent(cause):
        return ServiceUnavailable(
            f"{place}: no connection could be made ({type(cause).__name__}), nothing was sent. "
            "Check the connection's host and port, and that the network lets this machine out."
        )
    if isinstance(cause, requests.exceptions.Timeout):
        return place.lost("was sent, and no answer came in time")
    return place.lost(f"was sent, and the connection ended before the answer was complete ({type(cause).__name__})")


def _never_sent(cause: Exception) -> bool:
    if isinstance(cause, requests.exceptions.ConnectTimeout):
        return True
    first = cause.args[0] if cause.args else None
    reason = getattr(first, "reason", first)
    original = getattr(reason, "original_error", reason)
    return any(isinstance(item, (NewConnectionError, ConnectTimeoutError)) for item in (first, reason, original))
