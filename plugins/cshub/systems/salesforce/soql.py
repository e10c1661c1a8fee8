"""The one place that writes SOQL: values are quoted, names checked, lengths kept."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from urllib.parse import quote_plus

from cshub.core.errors import DataError, SpecError
from cshub.core.ids import to_18

Value = str | bool | int | float | Decimal | datetime | date | None
LONGEST_QUERY = 15_000
"""Bytes of a query as it stands in the address: address and headers together may have 16,384 (salesforce.md §2.1)."""
MOST_IDS = 300  # in one IN list (docs/vendors/salesforce.md §2.1)
LONGEST_VALUE = 4_000  # characters of one quoted value in a condition (docs/vendors/salesforce.md §2.1)

_ESCAPES = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
_ESCAPED = str.maketrans(_ESCAPES)
_MEANINGS = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "N": "\n", "R": "\r", "T": "\t", "B": "\b"}
_STRING = re.compile(r"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PATH = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*){0,5}")
_RELATIVE = re.compile(r"[A-Za-z_]+(:\d+)?")


@dataclass(frozen=True, slots=True)
class TypeOf:
    """``TYPEOF Who WHEN Contact THEN Email WHEN Lead THEN Email END``; not in Bulk queries (salesforce.md §2.3)."""

    relationship: str
    branches: Mapping[str, Sequence[str]]

    def __str__(self) -> str:
        whens = " ".join(
            f"WHEN {name_of(kind)} THEN {', '.join(map(path_of, fields))}" for kind, fields in self.branches.items()
        )
        return f"TYPEOF {name_of(self.relationship)} {whens} END"


def quote(value: Value) -> str:
    """A value as SOQL writes it: ``'O\\'Hara'``, ``2026-11-20T08:00:00Z``, ``2026-11-20``, ``null``, ``true``, ``7``.

    A moment is rounded up to the whole second, which changes neither ``>=`` nor ``<``: Salesforce's own moments have
    no fractions. Raises :class:`DataError` for a moment without zone, a number that is none, a text that is too long.
    """
    if isinstance(value, str):
        return f"'{_encodable(value).translate(_ESCAPED)}'"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return _quoted_moment(value)
    if isinstance(value, date):
        return value.isoformat()
    if not math.isfinite(value):
        raise DataError(f"{value} is no number that a query can hold.")
    return f"{value:f}" if isinstance(value, Decimal) else repr(value)


def unquote(literal: str) -> Value:
    """The value that a literal stands for, the opposite of :func:`quote`. Raises :class:`DataError` for no literal."""
    if found := _STRING.fullmatch(literal):
        return _ESCAPE.sub(_meaning, found.group(1))
    lowered = literal.lower()
    if lowered in ("null", "true", "false"):
        return {"null": None, "true": True, "false": False}[lowered]
    try:
        if re.match(r"\d{4}-", literal):
            return datetime.fromisoformat(literal).astimezone(UTC) if "T" in literal else date.fromisoformat(literal)
        return int(literal) if re.fullmatch(r"[+-]?\d+", literal) else float(literal)
    except ValueError as error:
        raise DataError(f"{literal[:40]!r} is no value of a query.") from error


def literals_of(text: str) -> list[str]:
    """Every quoted value in a query, unquoted."""
    return [str(unquote(found.group(0))) for found in _STRING.finditer(text)]


def quote_id(record_id: str) -> str:
    """An id of 15 or 18 characters, as 18 quoted ones. Raises :class:`DataError` for anything else."""
    return quote(to_18(record_id))


def like(text: str) -> str:
    """The quoted pattern that finds ``text`` anywhere in a field."""
    return "'%" + text.translate(_ESCAPED).replace("%", "\\%").replace("_", "\\_") + "%'"


def name_of(name: str) -> str:
    """The name of an object or relationship. Raises :class:`SpecError` when it cannot be one."""
    if not _NAME.fullmatch(name):
        raise SpecError(f"{name[:60]!r} is no name in Salesforce: use the API name, such as Account or Visit__c.")
    return name


def path_of(path: str) -> str:
    """A field, perhaps of a parent: ``Subject``, ``Owner.Email``. Raises :class:`SpecError` when it cannot be one."""
    if not _PATH.fullmatch(path):
        raise SpecError(
            f"{path[:60]!r} is no field in Salesforce: use the API name, such as Subject, Owner.Email or Account__c, "
            "at most five levels up."
        )
    return path


def compare(path: str, operator: str, value: Value) -> str:
    """``SystemModstamp >= 2026-11-20T08:00:00Z``."""
    if operator not in ("=", "!=", "<", "<=", ">", ">=", "LIKE"):
        raise SpecError(f"{operator!r} is no comparison of SOQL.")
    return f"{path_of(path)} {operator} {quote(value)}"


def any_of(path: str, values: Sequence[str], *, beside: str = "", most: int = MOST_IDS) -> Iterator[str]:
    """Conditions ``path IN (…)`` that together name every value, each short enough to stand in a query.

    ``beside``: the rest of that query. ``most``: values in one condition. Raises :class:`DataError` for one value that
    is too long alone.
    """
    field = path_of(path)
    room = LONGEST_QUERY - encoded_length(f"{beside} {field} IN ()")
    chunk: list[str] = []
    used = 0
    for value in values:
        literal = quote(value)
        length = encoded_length(f"{literal},")
        if length > room or len(value) > LONGEST_VALUE:
            raise DataError(f"A value of {len(value)} characters is too long to be looked up in {field}.")
        if chunk and (len(chunk) >= most or used + length > room):
            yield f"{field} IN ({','.join(chunk)})"
            chunk, used = [], 0
        chunk.append(literal)
        used += length
    if chunk:
        yield f"{field} IN ({','.join(chunk)})"


def where(*conditions: str) -> str:
    """``WHERE (a) AND (b)``; blank conditions are left out, and none at all is "".

    Each stands in parentheses, so that a person's ``a OR b`` cannot swallow the others.
    """
    parts = [f"({condition.strip()})" for condition in conditions if condition.strip()]
    return f"WHERE {' AND '.join(parts)}" if parts else ""


def select(
    object_name: str,
    fields: Sequence[str | TypeOf],
    *conditions: str,
    order_by: Sequence[str] = (),
    limit: int | None = None,
) -> str:
    """A whole query; every field once. ``order_by``: fields, each perhaps with `` DESC``.

    Raises :class:`SpecError` for names that cannot be, and for a query too long for a web address.
    """
    chosen = dict.fromkeys(path_of(field) if isinstance(field, str) else str(field) for field in fields)
    parts = [f"SELECT {', '.join(chosen)} FROM {name_of(object_name)}", where(*conditions)]
    if order_by:
        parts.append(f"ORDER BY {', '.join(map(_order, order_by))}")
    if limit is not None:
        parts.append(f"LIMIT {limit:d}")
    return check_length(" ".join(part for part in parts if part))


def check_length(soql: str) -> str:
    """The query itself. Raises :class:`SpecError` when it is too long for a web address."""
    length = encoded_length(soql)
    if length > LONGEST_QUERY:
        raise SpecError(
            f"The query has {length:,} bytes in a web address, {LONGEST_QUERY:,} fit: shorten the condition of the "
            "job, or read fewer fields."
        )
    return soql


def encoded_length(text: str) -> int:
    """Bytes of ``text`` in a web address."""
    return len(quote_plus(text, errors="replace"))


def is_relative_date(word: str) -> bool:
    """Whether ``word`` is written like ``TODAY`` or ``LAST_N_DAYS:30``."""
    name, _, number = word.upper().partition(":")
    return bool(_RELATIVE.fullmatch(word)) and (name in COUNTED_DATES if number else name in RELATIVE_DATES)


def _spans(*periods: str) -> frozenset[str]:
    return frozenset(f"{place}_{period}" for period in periods for place in ("LAST", "THIS", "NEXT"))


RELATIVE_DATES = frozenset({"YESTERDAY", "TODAY", "TOMORROW", "LAST_90_DAYS", "NEXT_90_DAYS"}) | _spans(
    "WEEK", "MONTH", "QUARTER", "YEAR", "FISCAL_QUARTER", "FISCAL_YEAR"
)
COUNTED_DATES = frozenset(
    f"{place}_N_{period}"
    for place in ("LAST", "NEXT")
    for period in ("DAYS", "WEEKS", "MONTHS", "QUARTERS", "YEARS", "FISCAL_QUARTERS", "FISCAL_YEARS")
) | frozenset(f"N_{period}_AGO" for period in ("DAYS", "WEEKS", "MONTHS", "QUARTERS", "YEARS"))


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise DataError("The text holds half a character (a lone surrogate): no query can hold it.") from error
    return text


def _quoted_moment(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise DataError(f"{moment.isoformat()} has no time zone: a query compares moments in UTC.")
    whole = moment.astimezone(UTC)
    if whole.microsecond:
        whole = whole.replace(microsecond=0) + timedelta(seconds=1)
    return f"{whole:%Y-%m-%dT%H:%M:%SZ}"


def _order(item: str) -> str:
    path, _, direction = item.partition(" ")
    if direction.upper() not in ("", "ASC", "DESC"):
        raise SpecError(f"{item!r} is no order: write a field, or a field and DESC.")
    return f"{path_of(path)} {direction.upper()}".rstrip()


def _meaning(found: re.Match[str]) -> str:
    code, sign = found.groups()
    return chr(int(code, 16)) if code else _MEANINGS.get(sign, sign)
