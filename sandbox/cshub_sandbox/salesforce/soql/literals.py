"""String literals and their escapes: docs/vendors/salesforce.md §2.2."""

from __future__ import annotations

import re
from collections.abc import Callable

from cshub_sandbox.salesforce.soql.refusals import malformed
from cshub_sandbox.salesforce.soql.syntax import Text

MAX_TEXT = 4_000  # characters of one string in WHERE, docs/vendors/salesforce.md §2.1
_ESCAPES = {"'": "'", '"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_WILDCARDS = {"%": ".*", "_": "."}
_PARTS = re.compile(r"\\(.)|([^\\])", re.DOTALL)
_QUOTED = {plain: "\\" + written for written, plain in _ESCAPES.items() if plain != '"'}


def quote(value: str) -> str:
    """A string literal that means ``value``, in quotes."""
    return "'" + "".join(_QUOTED.get(char, char) for char in value) + "'"


def plain(literal: Text) -> str:
    """What a string literal means. Raises MALFORMED_QUERY for an unknown escape and beyond 4,000 characters."""
    return _within_limit("".join(_unescape(match, literal) for match in _PARTS.finditer(literal.written)))


def matcher(literal: Text) -> Callable[[str], bool]:
    """The test of ``LIKE``: ``%`` and ``_`` are wildcards unless escaped; letter case does not count.

    Raises like :func:`plain`.
    """
    pattern = ""
    for match in _PARTS.finditer(literal.written):
        escaped, bare = match.groups()
        if bare in _WILDCARDS:
            pattern += _WILDCARDS[bare]
        else:
            pattern += re.escape(escaped if escaped in _WILDCARDS else _unescape(match, literal))
    _within_limit(literal.written)
    found = re.compile(pattern, re.DOTALL | re.IGNORECASE)
    return lambda value: found.fullmatch(value) is not None


def _unescape(match: re.Match[str], literal: Text) -> str:
    escaped, bare = match.groups()
    if escaped is None:
        return bare
    known = _ESCAPES.get(escaped.lower())
    if known is None:
        raise malformed(
            f"Invalid string literal '{literal.written}'. Illegal character sequence '\\{escaped}' in string literal."
        )
    return known


def _within_limit(value: str) -> str:
    if len(value) > MAX_TEXT:
        raise malformed(f"A string literal of a condition has {len(value)} characters; at most {MAX_TEXT} are allowed")
    return value
