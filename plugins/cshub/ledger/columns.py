"""How values are stored, the same to the reader on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import BigInteger, Dialect, SmallInteger, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.types import TypeDecorator, TypeEngine

from cshub.core.records import LinkState

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, given back in UTC: ``timestamptz`` on PostgreSQL, microseconds since 1970 elsewhere."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        wanted: TypeEngine[Any] = TIMESTAMP(timezone=True) if dialect.name == "postgresql" else BigInteger()
        return dialect.type_descriptor(wanted)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | int | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone: the ledger takes aware moments only.")
        return value.astimezone(UTC) if dialect.name == "postgresql" else (value - _EPOCH) // _MICROSECOND

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        return _utc if dialect.name == "postgresql" else _from_microseconds


def _utc(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo is UTC else moment.astimezone(UTC)


def _from_microseconds(count: int | None) -> datetime | None:
    return None if count is None else _EPOCH + timedelta(0, 0, count)


class Json(TypeDecorator[Any]):
    """Any JSON value as compact text. What JSON cannot hold is stored as text, see :func:`storable`."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> str | None:
        return None if value is None else encode_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)


class PlainText(TypeDecorator[str]):
    """Text for people that may come from anywhere: made :func:`storable` first."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class LinkStateCode(TypeDecorator[LinkState]):
    """A link's state as a small number, NULL for in step. Numbers are never given to another state."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: LinkState | None, dialect: Dialect) -> int | None:
        return None if value in (None, LinkState.IN_STEP) else _STATE_CODES[value]

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], LinkState | None]:
        return _STATES.__getitem__


_STATE_CODES: Mapping[LinkState, int] = {
    LinkState.EMPTY: 2,
    LinkState.PARKED: 3,
    LinkState.REJECTED: 4,
    LinkState.FAILED: 5,
    LinkState.DELETED: 6,
    LinkState.GONE: 7,
    LinkState.MISSING: 8,
    LinkState.HELD: 9,
}
_STATES: Mapping[int | None, LinkState] = {
    None: LinkState.IN_STEP,
    **{code: state for state, code in _STATE_CODES.items()},
}


def storable(text: str) -> str:
    """``text`` with what a database refuses replaced: NUL by ``␀``, lone surrogates by ``�``."""
    if "\0" in text:
        text = text.replace("\0", "␀")
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") if _has_surrogate(text) else text


def encode_json(value: Any) -> str:
    """Compact JSON text with keys in order. Moments become ISO 8601 text, NaN null, unknown things their text."""
    try:
        return _dump(value)
    except orjson.JSONEncodeError:
        return _dump(_plain(value))


def _dump(value: Any) -> str:
    return orjson.dumps(value, default=_foreign, option=orjson.OPT_SORT_KEYS).decode()


def _foreign(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, (set, frozenset)) else str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {storable(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    return storable(str(value))


def _has_surrogate(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return False
