"""Request bodies of every accepted kind, read into one mapping, and its fields read with the vendor's tolerance."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qsl

import orjson

from cshub_sandbox.kernel import Request
from cshub_sandbox.totango.errors import bad_request

FORM = "application/x-www-form-urlencoded"
_TOLERATED = ("", "text/plain", "application/octet-stream")
_PART = re.compile(r"\[([^\]]*)\]")
_DEEPEST = 8
_LATEST_MS = 253_402_300_799_999  # end of the year 9999


def parse_body(request: Request) -> dict[str, Any]:
    """The body as a mapping: JSON object or form, bracket notation resolved; text/plain is taken for either."""
    if not request.body.strip():
        return {}
    kind = request.media_type
    if kind == "application/json" or (kind in _TOLERATED and request.body.lstrip().startswith(b"{")):
        return _parse_json(request)
    if kind == FORM or kind in _TOLERATED:
        return parse_form(request.body)
    raise bad_request(f"Content type {kind} is not supported; send application/json or {FORM}")


def _parse_json(request: Request) -> dict[str, Any]:
    try:
        value = request.json()
    except orjson.JSONDecodeError as error:
        raise bad_request(f"The body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise bad_request("The body must be a JSON object")
    return value


def parse_form(body: bytes) -> dict[str, Any]:
    """``a[0][b]=x&c=y`` → ``{"a": [{"b": "x"}], "c": "y"}``; ``a[]=x`` appends; the last plain value of a key wins."""
    tree: dict[str, Any] = {}
    for key, value in parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True):
        name, bracket, rest = key.partition("[")
        path = [name, *_PART.findall(bracket + rest)] if name and bracket else [key]
        if len(path) > _DEEPEST:
            raise bad_request(f"Form key {key[:40]}… is nested more than {_DEEPEST} deep")
        node = tree
        for part, following in pairwise(path):
            child = node.setdefault(part or str(len(node)), {})
            if not isinstance(child, dict):
                raise bad_request(f"Form key {key} clashes with an earlier key at {following!r}")
            node = child
        node[path[-1] or str(len(node))] = value
    return {key: _listed(value) for key, value in tree.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and all(key.isascii() and key.isdigit() for key in value):
        return [_listed(value[key]) for key in sorted(value, key=int)]
    return {key: _listed(child) for key, child in value.items()}


class Payload:
    """Fields of one body. A field that is null counts as not sent. Every reader raises a 400 for a wrong type."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = {name: value for name, value in values.items() if value is not None}

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        raise bad_request(f"{name} must be text")

    def required_text(self, name: str) -> str:
        value = self.text(name)
        if value is None or not value.strip():
            raise bad_request(f"{name} is required")
        return value

    def integer(self, name: str) -> int | None:
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value.strip()):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        raise bad_request(f"{name} must be a whole number")

    def time_ms(self, name: str) -> int | None:
        value = self.integer(name)
        if value is not None and not 0 <= value <= _LATEST_MS:
            raise bad_request(f"{name} must be epoch milliseconds")
        return value

    def flag(self, name: str) -> bool | None:
        value = self._values.get(name)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        raise bad_request(f"{name} must be true or false")

    def items(self, name: str) -> list[Any] | None:
        """A list; JSON text of a list in a form value and a single plain value are taken too."""
        value = self._values.get(name)
        if isinstance(value, str) and value.lstrip().startswith("["):
            try:
                value = orjson.loads(value)
            except orjson.JSONDecodeError as error:
                raise bad_request(f"{name} is not valid JSON: {error}") from error
        if isinstance(value, str):
            return [value] if value else []
        if value is None or isinstance(value, list):
            return value
        raise bad_request(f"{name} must be a list")

    def texts(self, name: str) -> list[str] | None:
        values = self.items(name)
        if values is not None and not all(isinstance(value, str) for value in values):
            raise bad_request(f"{name} must be a list of texts")
        return values
