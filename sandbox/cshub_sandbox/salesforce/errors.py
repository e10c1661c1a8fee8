"""Salesforce's error answers. A refused call is a list of objects, a refused login a single object.

SalesforceError      one refusal with status and code; rows of many-record calls carry it in their own form
LoginRefused         an OAuth refusal: ``{"error", "error_description"}``
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cshub_sandbox.kernel import Reply

MEDIA_TYPE = "application/json;charset=UTF-8"


class SalesforceError(Exception):
    """A refusal. ``status`` is that of a call on one record; in a call of many the row carries code and fields."""

    def __init__(self, code: str, message: str, *, status: int = 400, fields: Sequence[str] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.fields = fields

    def reply(self) -> Reply:
        """The answer to a call on one record (docs/vendors/salesforce.md §3.4)."""
        body: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            body["fields"] = list(self.fields)
        return Reply.json(self.status, [body], media_type=MEDIA_TYPE)

    def row(self) -> dict[str, Any]:
        """The same refusal as one entry of ``errors`` in a row of sObject Collections."""
        return {"statusCode": self.code, "message": self.message, "fields": list(self.fields or ())}

    def text(self) -> str:
        """The same refusal as ``sf__Error`` of a bulk row."""
        return f"{self.code}:{self.message}:{' '.join(self.fields or ())} --"


class LoginRefused(Exception):
    """An OAuth refusal."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status

    def reply(self) -> Reply:
        body = {"error": self.error, "error_description": self.description}
        return Reply.json(self.status, body, media_type=MEDIA_TYPE)


def not_found(message: str = "The requested resource does not exist") -> SalesforceError:
    return SalesforceError("NOT_FOUND", message, status=404)


def no_record() -> SalesforceError:
    return SalesforceError("NOT_FOUND", "Provided external ID field does not exist or is not accessible", status=404)


def not_simulated(what: str) -> SalesforceError:
    return SalesforceError("NOT_SIMULATED", f"The sandbox does not simulate {what}", status=501)


def invalid_session() -> SalesforceError:
    return SalesforceError("INVALID_SESSION_ID", "Session expired or invalid", status=401)


def malformed_id(value: object, label: str | None = None, *, field: str | None = None) -> SalesforceError:
    """``label`` is what people call the field, ``field`` its API name."""
    where = f"{label}: " if label else ""
    return SalesforceError(
        "MALFORMED_ID", f"{where}id value of incorrect type: {value}", fields=[field] if field else None
    )


def bad_json(message: str) -> SalesforceError:
    return SalesforceError("JSON_PARSER_ERROR", message)


def rolled_back() -> SalesforceError:
    return SalesforceError(
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "Record rolled back because not all records were valid and the request was using AllOrNone header",
    )
