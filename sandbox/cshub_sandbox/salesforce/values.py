"""Values as callers send them, JSON or CSV text, turned into the values that rows hold."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from cshub_sandbox.salesforce.errors import SalesforceError, bad_json
from cshub_sandbox.salesforce.objects import NUMBER_KINDS, TEXT_KINDS, FieldKind, FieldType

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_LARGEST_INT = 2**31
FIRST_YEAR, LAST_YEAR = 1700, 4000
_Day = TypeVar("_Day", bound=date)


def read_json(field: FieldType, value: Any) -> Any:
    """The stored form of a JSON value; the empty text is null.

    Raises ``SalesforceError``: JSON_PARSER_ERROR for a value of the wrong kind, NUMBER_OUTSIDE_VALID_RANGE.
    """
    if value is None or value == "":
        return [] if field.kind is FieldKind.JUNCTION else None
    if field.kind is FieldKind.JUNCTION:
        return _junction(field, value)
    if isinstance(value, dict | list):
        raise _unreadable(field, value)
    reader = _READERS.get(field.kind)
    if reader is None:
        return value if isinstance(value, str) else _plain(value)
    try:
        return reader(value)
    except (ValueError, TypeError) as problem:
        raise _unreadable(field, value) from problem
    except OverflowError as problem:
        raise SalesforceError(
            "NUMBER_OUTSIDE_VALID_RANGE",
            f"{field.label or field.name}: value not of required type: {value}",
            fields=[field.name],
        ) from problem


def read_text(field: FieldType, text: str) -> Any:
    """The stored form of a filled CSV cell. Raises as ``read_json`` does."""
    if field.kind is FieldKind.JUNCTION:
        return text.split(";")
    return read_json(field, text)


def parse_instant(text: str) -> datetime:
    """An ISO 8601 time with zone, to the second, in UTC. Raises ``ValueError``."""
    if not _INSTANT.fullmatch(text):
        raise ValueError(f"not a time with zone: {text!r}")
    try:
        return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)
    except OverflowError as problem:
        raise ValueError(f"not a time that can be: {text!r}") from problem


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError("not a boolean")


def _whole(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise ValueError("not a whole number")
    if not -_LARGEST_INT <= number < _LARGEST_INT:
        raise OverflowError
    return int(number)


def _number(value: Any) -> float | int:
    if isinstance(value, bool):
        raise ValueError("not a number")
    number = value if isinstance(value, int | float) else float(value)
    if not math.isfinite(number):
        raise ValueError("not a number")
    return number


def _day(value: Any) -> date:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise ValueError("not a date")
    return _in_range(date.fromisoformat(value))


def _instant(value: Any) -> datetime:
    if not isinstance(value, str):
        raise ValueError("not a time")
    return _in_range(parse_instant(value))


def _in_range(value: _Day) -> _Day:
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise OverflowError
    return value


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_READERS: Mapping[FieldKind, Callable[[Any], Any]] = {
    FieldKind.BOOLEAN: _boolean,
    **dict.fromkeys(NUMBER_KINDS, _number),
    FieldKind.INT: _whole,
    FieldKind.DATE: _day,
    FieldKind.DATETIME: _instant,
}


def _junction(field: FieldType, value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _unreadable(field, value)
    return value


def _unreadable(field: FieldType, value: Any) -> SalesforceError:
    if isinstance(value, dict | list):
        token, shown = ("START_OBJECT", "{") if isinstance(value, dict) else ("START_ARRAY", "[")
    elif isinstance(value, str):
        token, shown = "VALUE_STRING", value
    elif isinstance(value, bool):
        token, shown = f"VALUE_{str(value).upper()}", str(value).lower()
    else:
        token, shown = "VALUE_NUMBER", str(value)
    kind = "string" if field.kind in TEXT_KINDS else field.kind.value
    return bad_json(
        f"Cannot deserialize instance of {kind} from {token} value {shown} or request may be missing a required field"
    )
