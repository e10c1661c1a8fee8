"""Answers of an HTTP API: reading their JSON, and the service's own words in all error forms that are known."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from cshub.core.errors import ProtocolFault

T = TypeVar("T")
Parser = Callable[["Answer"], T]
_VERDICT_LIMIT = 500
_WORD_KEYS = ("errors", "error", "message", "detail", "title", "error_description", "description")


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer. Header names are compared without case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_html(self) -> bool:
        media_type = self.headers.get("Content-Type", "").lower()
        return "text/html" in media_type or self.body[:64].lstrip()[:1] == b"<"

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def discard(answer: Answer) -> None:
    """For calls that are judged by their status. Raises :class:`ProtocolFault` for a web page."""
    if answer.is_html:
        raise ProtocolFault("a web page came instead of an answer")


def as_json(answer: Answer) -> Any:
    """The JSON value. Values that only lenient parsers take (NaN, lone surrogates) are let through to the rows' checks.

    Raises :class:`ProtocolFault` for a web page, an empty body, cut or other non-JSON text.
    """
    discard(answer)
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        pass
    try:
        return json.loads(answer.text, strict=False)
    except (ValueError, RecursionError) as error:
        raise ProtocolFault(f"the answer is not JSON, or was cut after {len(answer.body)} bytes") from error


def as_object(answer: Answer) -> dict[str, Any]:
    """The JSON object. Raises :class:`ProtocolFault` for anything else."""
    value = as_json(answer)
    if not isinstance(value, dict):
        raise ProtocolFault(f"a JSON object was expected, a {_type_name(value)} came")
    return value


def as_array(answer: Answer) -> list[Any]:
    """The JSON array. Raises :class:`ProtocolFault` for anything else."""
    value = as_json(answer)
    if not isinstance(value, list):
        raise ProtocolFault(f"a JSON array was expected, a {_type_name(value)} came")
    return value


def rows_of(value: Any, *path: str) -> list[dict[str, Any]]:
    """The list of objects at ``path`` in a JSON value. Raises :class:`ProtocolFault` when it is not there."""
    for name in path:
        if not isinstance(value, dict) or name not in value:
            raise ProtocolFault(f"the answer has no {'.'.join(path)}")
        value = value[name]
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise ProtocolFault(f"{'.'.join(path) or 'the answer'} is not a list of objects")
    return value


def verdict_of(answer: Answer) -> str:
    """The service's own words in an error answer, as one line of at most 500 characters; "" when it said nothing."""
    if answer.is_html or not answer.body.strip():
        return ""
    try:
        words = _words(orjson.loads(answer.body))
    except orjson.JSONDecodeError:
        words = [answer.text]
    told = [word for at, word in enumerate(words) if not any(word in earlier for earlier in words[:at])]
    line = " ".join("; ".join(told).split())
    return line[:_VERDICT_LIMIT]


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value] if value.strip() else []
    if isinstance(value, list):
        return [word for item in value for word in _words(item)]
    if not isinstance(value, Mapping):
        return []
    code = next((str(value[key]) for key in ("errorCode", "code", "type") if isinstance(value.get(key), str)), "")
    found = [word for key in _WORD_KEYS if key in value for word in _words(value[key])]
    where = value.get("source")
    parameter = where.get("parameter") or where.get("pointer") if isinstance(where, Mapping) else None
    if found and (extra := ", ".join(part for part in (code, parameter) if part)):
        found[0] = f"{found[0]} ({extra})"
    return found or ([code] if code else [])


def _type_name(value: Any) -> str:
    return {list: "array", dict: "object", str: "text", type(None): "null"}.get(type(value), type(value).__name__)
