"""Salesforce's error codes: what each means for the caller, for whole calls and for single rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from cshub.core.errors import (
    AuthenticationFailed,
    HubError,
    NotFound,
    PermanentError,
    PermissionDenied,
    QuotaSpent,
    RateLimited,
    RequestRefused,
    ServiceUnavailable,
    ShortRead,
    SpecError,
)
from cshub.core.errors import GatewayTimeout as AskedTooMuch
from cshub.systems.answers import Answer
from cshub.systems.verdicts import Place, error_of_answer

_MESSAGE_LIMIT = 500
_SNIPPET = re.compile(r".*?(ERROR at Row:\d+:Column:\d+)", re.DOTALL)
_SOAP_CODE = re.compile(rb"<(?:\w+:)?exceptionCode>(?:\w+:)?([^<]*)<")
_SOAP_MESSAGE = re.compile(rb"<(?:\w+:)?exceptionMessage>([^<]*)<")


class CursorLost(ShortRead):
    """Salesforce keeps the rest of a query's result no longer: go on from the last row with a new query."""


class Reaction(StrEnum):
    """What a code asks the caller to do."""

    SIGN_IN = "sign_in"  # the token is not taken any more: sign in once more
    RETRY = "retry"  # may succeed soon
    LOCKED = "locked"  # somebody else holds the row or its account: this row again, soon
    QUOTA = "quota"  # an allowance is used up: stop, a later run goes on
    ASK_LESS = "ask_less"  # a smaller window may be answered
    RESTART = "restart"  # the cursor is gone: read again from the start
    DATA = "data"  # refused for these values: the row again once they change
    TAKEN = "taken"  # another record holds the unique value: look it up
    OWNER = "owner"  # the owner is inactive: another one
    RIGHTS = "rights"  # the signed-in user may not
    SPEC = "spec"  # field, object or query is wrong: job or mapping must change
    GONE = "gone"  # there is no such record, or not any more
    FOLLOW_UP = "follow_up"  # rolled back for another row's sake


@dataclass(frozen=True, slots=True)
class Rule:
    reaction: Reaction
    remedy: str


_TRY_LATER = "Try again later; status.salesforce.com tells of troubles."
_SMALLER = "Ask for a shorter window or fewer records."
_CORRECT_RECORD = "Correct the record or its mapping; sending the same again does not help."
_CHECK_REFERENCE = (
    "Look at the ids of the record: owner, person, account or parent may be gone, or hidden from this user."
)
_CHECK_RIGHTS = "Give the integration user access to the object, the record and the field."
_CHECK_QUERY = "Correct the field, the object or the condition in the job file."
_CHECK_MAPPING = "Take the field out of the mapping, or give the integration user the right to write it."
_ADMIN = "Ask the Salesforce administrator."

RULES: Mapping[str, Rule] = {
    "INVALID_SESSION_ID": Rule(Reaction.SIGN_IN, "Sign in again."),
    "SERVER_UNAVAILABLE": Rule(Reaction.RETRY, _TRY_LATER),
    "API_TEMPORARILY_UNAVAILABLE": Rule(Reaction.RETRY, _TRY_LATER),
    "UNKNOWN_EXCEPTION": Rule(Reaction.RETRY, _TRY_LATER),
    "UNABLE_TO_LOCK_ROW": Rule(Reaction.LOCKED, "Another program writes the same account: run again soon."),
    "REQUEST_LIMIT_EXCEEDED": Rule(
        Reaction.QUOTA,
        "The org's API calls of the last 24 hours are used up. They come back hour by hour, within 24 hours at the "
        "latest; the next scheduled run goes on where this one stopped. See Setup, System Overview for who uses them, "
        "or run the job less often.",
    ),
    "STORAGE_LIMIT_EXCEEDED": Rule(Reaction.QUOTA, "The org has no storage left: free some, or buy more."),
    "LIMIT_EXCEEDED": Rule(Reaction.QUOTA, "A limit of the org is reached: see Setup, System Overview."),
    "QUERY_TIMEOUT": Rule(Reaction.ASK_LESS, _SMALLER),
    "OPERATION_TOO_LARGE": Rule(Reaction.ASK_LESS, _SMALLER),
    "EXCEEDED_ID_LIMIT": Rule(Reaction.ASK_LESS, _SMALLER),
    "INVALID_QUERY_LOCATOR": Rule(Reaction.RESTART, "The result of the query is not kept any more: read again."),
    "INVALID_REPLICATION_DATE": Rule(
        Reaction.SPEC, "Deleted records are told for 15 days back, changed ones for 30: ask for a later start."
    ),
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": Rule(Reaction.DATA, "A validation rule of the org refuses these values."),
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": Rule(
        Reaction.DATA, "A trigger or flow of the org refuses the record. " + _ADMIN
    ),
    "REQUIRED_FIELD_MISSING": Rule(Reaction.DATA, "Map the field, or give it a default."),
    "STRING_TOO_LONG": Rule(Reaction.DATA, "Shorten the value in the mapping."),
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": Rule(
        Reaction.DATA, "Translate the value to one that the picklist has, or add it to the picklist."
    ),
    "NUMBER_OUTSIDE_VALID_RANGE": Rule(Reaction.DATA, _CORRECT_RECORD),
    "FIELD_INTEGRITY_EXCEPTION": Rule(Reaction.DATA, _CORRECT_RECORD),
    "JSON_PARSER_ERROR": Rule(Reaction.DATA, _CORRECT_RECORD),
    "DUPLICATES_DETECTED": Rule(
        Reaction.DATA,
        "A duplicate rule of the org refuses the record: merge it, or let duplicates pass that only warn.",
    ),
    "DUPLICATE_VALUE": Rule(Reaction.TAKEN, "Another record has this unique value already."),
    "INACTIVE_OWNER_OR_USER": Rule(Reaction.OWNER, "Set a default owner in the job, or map an active user."),
    "INVALID_CROSS_REFERENCE_KEY": Rule(Reaction.RIGHTS, _CHECK_REFERENCE),
    "MALFORMED_ID": Rule(Reaction.RIGHTS, _CHECK_REFERENCE),
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": Rule(Reaction.RIGHTS, _CHECK_REFERENCE),
    "INSUFFICIENT_ACCESS_OR_READONLY": Rule(Reaction.RIGHTS, _CHECK_RIGHTS),
    "INSUFFICIENT_ACCESS": Rule(Reaction.RIGHTS, _CHECK_RIGHTS),
    "API_DISABLED_FOR_ORG": Rule(Reaction.RIGHTS, "Give the integration user the permission API Enabled."),
    "TXN_SECURITY_METERING_ERROR": Rule(Reaction.RIGHTS, "A transaction security policy refuses the call. " + _ADMIN),
    "TXN_SECURITY_NO_ACCESS": Rule(Reaction.RIGHTS, "A transaction security policy refuses the call. " + _ADMIN),
    "INVALID_FIELD_FOR_INSERT_UPDATE": Rule(Reaction.SPEC, _CHECK_MAPPING),
    "INVALID_FIELD": Rule(Reaction.SPEC, _CHECK_QUERY),
    "INVALID_TYPE": Rule(Reaction.SPEC, _CHECK_QUERY),
    "MALFORMED_QUERY": Rule(Reaction.SPEC, _CHECK_QUERY),
    "UNSUPPORTED_API_VERSION": Rule(Reaction.SPEC, "Set a newer API version in the connection, such as 66.0."),
    "ENTITY_IS_DELETED": Rule(Reaction.GONE, "The record was deleted."),
    "NOT_FOUND": Rule(Reaction.GONE, "There is no such record or address, or this user may not see it."),
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": Rule(Reaction.FOLLOW_UP, "The cause is with another row of the same call."),
}
"""docs/vendors/salesforce.md §3.4. A code that is not listed is judged by the HTTP status, in a row as ``DATA``."""

_OAUTH_REMEDIES: Mapping[str, str] = {
    "invalid_client_id": "Check the consumer key of the connection, and that the app belongs to this org.",
    "invalid_client": "Check the consumer key and secret of the connection.",
    "invalid_app_access": "Let the user use the app: Setup, External Client Apps, Policies.",
    "unsupported_grant_type": "Switch the flow on for the app: client credentials, or JWT bearer.",
    "invalid_grant": (
        "Check user, password and certificate; for client credentials, that the app has the flow switched on and a "
        "user to run as, and that the domain is the My Domain of the org."
    ),
}
_SOAP_REMEDIES: Mapping[str, str] = {
    "INVALID_LOGIN": "Check user, password and security token (a change of the password makes a new security token).",
    "LOGIN_MUST_USE_SECURITY_TOKEN": "Put the user's security token into the connection.",
}
_CHANGE_SIGN_IN = "This way of signing in may be switched off in the org: use client credentials instead."


@dataclass(frozen=True, slots=True)
class RowError:
    """One reason why Salesforce refused a row or a call. ``fields``: those it names."""

    code: str
    message: str
    fields: tuple[str, ...] = ()

    @property
    def reaction(self) -> Reaction:
        return RULES[self.code].reaction if self.code in RULES else Reaction.DATA

    @property
    def remedy(self) -> str:
        return RULES[self.code].remedy if self.code in RULES else _CORRECT_RECORD

    def __str__(self) -> str:
        where = f" [{', '.join(self.fields)}]" if self.fields else ""
        return f"{self.code}: {self.message}{where}"


def row_error(raw: Any) -> RowError:
    """From ``{"statusCode" or "errorCode", "message", "fields"}``, the shape of rows and of whole calls."""
    if not isinstance(raw, Mapping):
        return RowError("UNKNOWN_ERROR", _line(str(raw)))
    code = str(raw.get("statusCode") or raw.get("errorCode") or "UNKNOWN_ERROR")
    fields = raw.get("fields")
    names = tuple(str(name) for name in fields) if isinstance(fields, list) else ()
    return RowError(code, _line(str(raw.get("message") or "")), names)


@dataclass(frozen=True, slots=True)
class RowVerdict:
    """What became of one row of a write.

    ``id``: 18 characters, of the record made or changed. ``errors``: Salesforce's reasons. ``cause``: why there is no
    verdict of Salesforce on this row: the answer was lost (``AmbiguousWrite``), the row could not be sent, or was not.
    """

    id: str | None = None
    created: bool = False
    errors: tuple[RowError, ...] = ()
    cause: HubError | None = None

    @property
    def ok(self) -> bool:
        return not self.errors and self.cause is None

    @property
    def is_gone(self) -> bool:
        """The record does not exist any more."""
        return any(error.reaction is Reaction.GONE for error in self.errors)

    @property
    def is_locked(self) -> bool:
        return any(error.reaction is Reaction.LOCKED for error in self.errors)

    def failure(self) -> HubError | None:
        """The error of the hub that says what to do with the row next, None for a success."""
        if self.cause is not None or not self.errors:
            return self.cause
        first = self.errors[0]
        words = "; ".join(map(str, self.errors))
        told = f"Salesforce refused the record: {words}. {first.remedy}"
        if first.reaction in (Reaction.LOCKED, Reaction.RETRY):
            return ServiceUnavailable(told)
        if first.reaction is Reaction.QUOTA:
            return QuotaSpent(told)
        kind = NotFound if self.is_gone else RequestRefused
        return kind(told, status=404 if self.is_gone else 400, verdict=words)


def error_of_salesforce(answer: Answer, place: Place, reset_s: float | None) -> HubError | None:
    """The error an answer of Salesforce stands for, None for a success. A query's own text is never in it."""
    if 200 <= answer.status < 300:
        return None
    if place.path.startswith("/services/Soap/") and (fault := _SOAP_CODE.search(answer.body)):
        return _error_of_soap(answer, place, fault.group(1).decode("utf-8", "replace"))
    body = _json(answer)
    if isinstance(body, Mapping) and isinstance(body.get("error"), str):
        return _error_of_oauth(answer.status, place, body["error"], _line(str(body.get("error_description") or "")))
    first = body[0] if isinstance(body, list) and body else body
    if not (isinstance(first, Mapping) and "errorCode" in first):
        return _error_without_code(answer, place, reset_s)
    error = row_error(first)
    said = f"{place} answered {answer.status}: {error}"
    if error.code in RULES:
        return _error_of_rule(error, answer.status, place, said)
    if answer.status == 401:
        return AuthenticationFailed(f"{said}. Check how the connection signs in.")
    if answer.status in (400, 403):
        return _refused(error, answer.status, said)
    return error_of_answer(answer, place, reset_s)


def _error_without_code(answer: Answer, place: Place, reset_s: float | None) -> HubError | None:
    if answer.status == 300:
        return RequestRefused(
            f"{place} answered 300: several records have this external id. Merge them in Salesforce.", status=300
        )
    if answer.status in (414, 431):
        return SpecError(
            f"{place} answered {answer.status}: the query is too long for a web address. Shorten the condition of the "
            "job, or read fewer fields."
        )
    return error_of_answer(answer, place, reset_s)


def _error_of_rule(error: RowError, status: int, place: Place, said: str) -> HubError:
    told = f"{said}. {error.remedy}"
    match error.reaction:
        case Reaction.SIGN_IN:
            return AuthenticationFailed(told)
        case Reaction.QUOTA if "concurrent" in error.message.lower():
            return RateLimited(
                f"{said}. Too many long calls run at once in this org. Run again soon; if it happens often, give the "
                "jobs different times."
            )
        case Reaction.QUOTA:
            return QuotaSpent(told)
        case Reaction.RETRY:
            return place.lost(f"answered {status}: {error}") if status >= 500 else ServiceUnavailable(told)
        case Reaction.LOCKED:
            return ServiceUnavailable(told)
        case Reaction.ASK_LESS:
            return AskedTooMuch(told)
        case Reaction.RESTART:
            return CursorLost(told)
        case Reaction.SPEC:
            return SpecError(told)
        case Reaction.GONE:
            return NotFound(told, status=404, verdict=str(error))
        case _:
            return _refused(error, status, said)


def _refused(error: RowError, status: int, said: str) -> PermanentError:
    if error.reaction is Reaction.RIGHTS or (status == 403 and error.code not in RULES):
        return PermissionDenied(f"{said}. {error.remedy if error.code in RULES else _CHECK_RIGHTS}")
    return RequestRefused(f"{said}. {error.remedy}", status=status, verdict=str(error))


def _error_of_oauth(status: int, place: Place, code: str, description: str) -> HubError:
    said = f"{place} answered {status}: {code}" + (f" ({description})" if description else "")
    if "rate exceeded" in description.lower():
        return RateLimited(f"{said}. Too many sign-ins of this user in the last hour. Run again later.")
    if status >= 500:
        return ServiceUnavailable(f"{said}. {_TRY_LATER}")
    return AuthenticationFailed(f"{said}. {_OAUTH_REMEDIES.get(code, 'Check how the connection signs in.')}")


def _error_of_soap(answer: Answer, place: Place, code: str) -> HubError:
    found = _SOAP_MESSAGE.search(answer.body)
    words = _line(found.group(1).decode("utf-8", "replace")) if found else ""
    said = f"{place} answered {answer.status}: {code}: {words}"
    if code in RULES and RULES[code].reaction in (Reaction.RETRY, Reaction.QUOTA):
        return _error_of_rule(RowError(code, words), answer.status, place, said)
    return AuthenticationFailed(f"{said}. {_SOAP_REMEDIES.get(code, _CHANGE_SIGN_IN)}")


def _json(answer: Answer) -> Any:
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None


def _line(message: str) -> str:
    """One line, without a full stop and without the piece of query that Salesforce puts before its own words."""
    return " ".join(_SNIPPET.sub(r"\1:", message, count=1).split())[:_MESSAGE_LIMIT].removesuffix(".")
