"""The vendor's published contract: which operations are documented, and which values a parameter may have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

CONTRACT = Path(__file__).with_name("contract.json")


@cache
def contract() -> dict[str, Any]:
    """The OpenAPI document."""
    document: dict[str, Any] = orjson.loads(CONTRACT.read_bytes())
    return document


METHODS = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})


@dataclass(frozen=True, slots=True)
class Place:
    """A documented path: its template, the values of its parameters, and its methods."""

    template: str
    parameters: dict[str, str]
    methods: frozenset[str]


def documented(path: str) -> Place | None:
    """The documented path that a request's path is; a literal template goes before one with parameters."""
    literal, patterns = _templates()
    if (methods := literal.get(path)) is not None:
        return Place(path, {}, methods)
    for template, pattern, methods in patterns:
        if match := pattern.match(path):
            return Place(template, match.groupdict(), methods)
    return None


@cache
def _templates() -> tuple[dict[str, frozenset[str]], tuple[tuple[str, re.Pattern[str], frozenset[str]], ...]]:
    literal, patterns = {}, []
    for template, item in contract()["paths"].items():
        methods = frozenset(method.upper() for method in item if method in METHODS)
        if "{" in template:
            patterns.append((template, _pattern(template), methods))
        else:
            literal[template] = methods
    return literal, tuple(patterns)


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", template)
    text = "".join(re.escape(part) if place % 2 == 0 else f"(?P<{part}>[^/]+)" for place, part in enumerate(parts))
    return re.compile(text + r"\Z")


@cache
def parameter_values(method: str, path: str, name: str) -> frozenset[str]:
    """The documented values of a query parameter."""
    parameters = contract()["paths"][path][method]["parameters"]
    return next(frozenset(item["schema"]["enum"]) for item in parameters if item["name"] == name)
