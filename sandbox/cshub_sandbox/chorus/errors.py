"""Error bodies of the simulated Chorus: the JSON:API envelope, and the bare forms seen beside it."""

from __future__ import annotations

from typing import Any

from ..kernel import Reply

JSON_API = "application/vnd.api+json"
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    429: "Too Many Requests",
    501: "Not Implemented",
}


class ApiProblem(Exception):
    """A call that the service refuses; ``source`` points at the culprit as JSON:API wants it."""

    def __init__(self, status: int, detail: str, **source: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.source = source


def bad_parameter(name: str, detail: str) -> ApiProblem:
    """400 that names a query parameter."""
    return ApiProblem(400, detail, parameter=name)


def not_found(what: str = "The requested resource was not found.") -> ApiProblem:
    """404: absent, private or outside the token user's access, which the service never tells apart."""
    return ApiProblem(404, what)


def error_reply(problem: ApiProblem, *, code: str | None = None, as_text: bool = False) -> Reply:
    """The answer for a problem, as JSON:API or as plain text."""
    if as_text:
        return Reply(problem.status, problem.detail.encode(), {"Content-Type": "text/plain; charset=utf-8"})
    error: dict[str, Any] = {
        "status": str(problem.status),
        "title": TITLES[problem.status],
        "detail": problem.detail,
    }
    if problem.source:
        error["source"] = problem.source
    if code:
        error["code"] = code
    return Reply.json(problem.status, {"errors": [error]}, media_type=JSON_API)
