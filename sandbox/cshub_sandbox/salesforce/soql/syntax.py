"""A query as values: what was written, before it is known whether the names exist."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum, StrEnum


class Operator(StrEnum):
    EQUAL = "="
    UNEQUAL = "!="
    LESS = "<"
    AT_MOST = "<="
    GREATER = ">"
    AT_LEAST = ">="
    LIKE = "LIKE"


class FieldGroup(StrEnum):
    ALL = "ALL"
    STANDARD = "STANDARD"
    CUSTOM = "CUSTOM"


class Null(Enum):
    """The literal NULL."""

    NULL = "null"


@dataclass(frozen=True, slots=True)
class Text:
    """A string literal: ``written`` is the source between the quotes, since LIKE reads its escapes differently."""

    written: str


@dataclass(frozen=True, slots=True)
class RelativeDate:
    """A date literal such as TODAY or LAST_N_DAYS:30, in upper case and without its number."""

    word: str
    number: int | None


LiteralValue = Text | int | float | bool | Null | date | datetime | RelativeDate


@dataclass(frozen=True, slots=True)
class Literal:
    """One value of a condition; ``at`` is its place in the query text, in characters."""

    value: LiteralValue
    at: int


@dataclass(frozen=True, slots=True)
class Path:
    """Relationship names and, at the end, a field."""

    names: tuple[str, ...]
    at: int

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(frozen=True, slots=True)
class Comparison:
    path: Path
    operator: Operator
    literal: Literal


@dataclass(frozen=True, slots=True)
class Membership:
    path: Path
    negated: bool
    literals: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class SemiJoin:
    path: Path
    negated: bool
    query: Query


@dataclass(frozen=True, slots=True)
class Every:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Negation:
    part: Condition


Condition = Comparison | Membership | SemiJoin | Every | Some | Negation


@dataclass(frozen=True, slots=True)
class Count:
    """``COUNT()`` when ``path`` is None, else ``COUNT(path)`` with an optional name for the result."""

    path: Path | None
    alias: str | None
    at: int


@dataclass(frozen=True, slots=True)
class TypeOf:
    """Fields that depend on what a polymorphic relationship points to."""

    path: Path
    branches: tuple[tuple[str, tuple[Path, ...]], ...]
    otherwise: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Fields:
    group: FieldGroup
    at: int


@dataclass(frozen=True, slots=True)
class ChildQuery:
    query: Query


Item = Path | Count | TypeOf | Fields | ChildQuery


@dataclass(frozen=True, slots=True)
class OrderItem:
    path: Path
    descending: bool = False
    nulls_last: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query. ``object_name`` and all paths are as written."""

    text: str
    items: tuple[Item, ...]
    object_name: Path
    alias: str | None = None
    condition: Condition | None = None
    order: tuple[OrderItem, ...] = ()
    limit: int | None = None
    offset: int | None = None

    @property
    def counts(self) -> tuple[Count, ...]:
        return tuple(item for item in self.items if isinstance(item, Count))

    @property
    def unfit_for_bulk(self) -> str | None:
        """What a bulk query may not contain and this one does (docs/vendors/salesforce.md §3.2), else None."""
        if self.counts:
            return "aggregate functions"
        if any(isinstance(item, TypeOf) for item in self.items):
            return "TYPEOF"
        if any(isinstance(item, ChildQuery) for item in self.items):
            return "nested queries"
        return "OFFSET" if self.offset is not None else None


def joined(condition: Condition | None) -> Iterator[Condition]:
    """The conditions that must all hold: an AND, however nested in other ANDs, gives its parts."""
    if isinstance(condition, Every):
        for part in condition.parts:
            yield from joined(part)
    elif condition is not None:
        yield condition
