"""The vendor's error answers: status, type and body."""

from __future__ import annotations

from typing import Any

from cshub_sandbox.kernel import Reply

# 85 bytes of JSON holding "Too many requests", as the vendor's rate-limit page shows; the exact keys are not published.
TOO_MANY_REQUESTS = b'{"error":{"type":"too_many_requests","message":"Too many requests, try again later"}}'


class ApiError(Exception):
    """A request the service refuses. ``reply()`` is the answer it gives."""

    def __init__(self, status: int, kind: str, message: str, *, legacy: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.legacy = legacy

    def reply(self) -> Reply:
        """The message stands in ``error`` and at top level, so that a parser of either form finds it."""
        body: dict[str, Any] = {"error": {"type": self.kind, "message": self.message}, "message": self.message}
        if self.legacy:
            body["errors"] = [self.message]
        return Reply.json(self.status, body)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "bad_request", message)


def not_found(message: str, *, legacy: bool = False) -> ApiError:
    return ApiError(404, "not_found", message, legacy=legacy)


def unauthenticated(message: str) -> ApiError:
    return ApiError(401, "authentication_failed", message)


def forbidden(message: str) -> ApiError:
    return ApiError(403, "authorization_failed", message)


def not_simulated(what: str) -> ApiError:
    return ApiError(501, "not_simulated", f"The sandbox does not simulate {what}")
