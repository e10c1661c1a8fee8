"""WHERE as a predicate over rows, with the checks of docs/vendors/salesforce.md §2.2 made before any row is read.

Conditions are true or false, never unknown: a comparison with a null field is false, ``!=``, ``NOT IN`` and NOT are its
contrary and so keep rows whose field, or whose parent, is null.
"""

from __future__ import annotations

import operator as compare
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Any

from cshub_sandbox.salesforce.objects import ID_KINDS, NUMBER_KINDS, TEXT_KINDS, FieldKind, FieldType
from cshub_sandbox.salesforce.rows import Row, full_id
from cshub_sandbox.salesforce.soql.columns import Binder, Column, Parents, Read
from cshub_sandbox.salesforce.soql.dates import days_of, moment
from cshub_sandbox.salesforce.soql.literals import matcher, plain
from cshub_sandbox.salesforce.soql.refusals import (
    invalid_field,
    malformed_at,
    wrong_literal,
    wrong_operator,
)
from cshub_sandbox.salesforce.soql.syntax import (
    Comparison,
    Condition,
    Every,
    Literal,
    Membership,
    Negation,
    Null,
    Operator,
    Path,
    Query,
    RelativeDate,
    SemiJoin,
    Some,
    Text,
)

Predicate = Callable[[Row], bool]
RunSemiJoin = Callable[[Query, Column], frozenset[str]]

_ORDERINGS: dict[Operator, Callable[[Any, Any], bool]] = {
    Operator.LESS: compare.lt,
    Operator.AT_MOST: compare.le,
    Operator.GREATER: compare.gt,
    Operator.AT_LEAST: compare.ge,
}
_TYPE_NAMES = {FieldKind.DATETIME: "dateTime", FieldKind.COMBOBOX: "string", FieldKind.TEXTAREA: "string"}
_UNORDERED = frozenset({FieldKind.BOOLEAN, FieldKind.MULTIPICKLIST})


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open range of days, or of moments for a field of date and time."""

    start: date
    end: date


class Conditions:
    """Compiles conditions on one object for one user; ``today`` is the day in ``zone``."""

    def __init__(
        self,
        text: str,
        binder: Binder,
        parents: Parents,
        *,
        today: date,
        zone: tzinfo,
        run_semi_join: RunSemiJoin,
        given_id: Callable[[str], str],
    ) -> None:
        self._text = text
        self._binder = binder
        self._parents = parents
        self._today = today
        self._zone = zone
        self._run_semi_join = run_semi_join
        self._given_id = given_id

    def predicate(self, condition: Condition) -> Predicate:
        """Whether a row fulfils the condition. Raises the refusals of §2.2."""
        match condition:
            case Every(parts):
                tests = [self.predicate(part) for part in parts]
                return lambda row: all(test(row) for test in tests)
            case Some(parts):
                tests = [self.predicate(part) for part in parts]
                return lambda row: any(test(row) for test in tests)
            case Negation(part):
                test = self.predicate(part)
                return lambda row: not test(row)
            case Comparison(path, operator, literal):
                return self._comparison(self.filterable(path), operator, literal)
            case Membership(path, negated, literals):
                return self._membership(self.filterable(path), negated, literals)
            case SemiJoin(path, negated, query):
                return self._semi_join(self.filterable(path), negated, query)

    def filterable(self, path: Path) -> Column:
        """The column of a path in WHERE. Raises INVALID_FIELD when it cannot be filtered."""
        column = self._binder.column(path)
        if not column.field.filterable:
            raise invalid_field(self._text, path.at, f"field '{column.field.name}' can not be filtered in a query call")
        return column

    def values(self, column: Column, literals: Iterable[Literal]) -> list[Any]:
        """What the literals mean for a field: a folded value, None, or a :class:`Period`."""
        return [self._value(column.field, literal) for literal in literals]

    def _comparison(self, column: Column, operator: Operator, literal: Literal) -> Predicate:
        field, read = column.field, self._parents.reader(column)
        if operator is Operator.LIKE:
            return self._like(field, read, literal)
        value = self._value(field, literal)
        if operator is Operator.EQUAL:
            return _among(field, read, [value])
        if operator is Operator.UNEQUAL:
            equal = _among(field, read, [value])
            return lambda row: not equal(row)
        if value is None or field.kind in _UNORDERED:
            what = "null" if value is None else f"{_type_name(field)} field"
            raise wrong_operator(self._text, literal.at, f"invalid operator on {what}")
        return _ordered(field, read, operator, value)

    def _like(self, field: FieldType, read: Read, literal: Literal) -> Predicate:
        if field.kind not in TEXT_KINDS or not isinstance(literal.value, Text):
            raise wrong_operator(self._text, literal.at, f"invalid operator on {_type_name(field)} field")
        matches = matcher(literal.value)

        def test(row: Row) -> bool:
            value = read(row)
            return value is not None and matches(value)

        return test

    def _membership(self, column: Column, negated: bool, literals: tuple[Literal, ...]) -> Predicate:
        among = _among(column.field, self._parents.reader(column), self.values(column, literals))
        return (lambda row: not among(row)) if negated else among

    def _semi_join(self, column: Column, negated: bool, query: Query) -> Predicate:
        ids = self._run_semi_join(query, column)
        read = self._parents.reader(column)
        return lambda row: (read(row) in ids) is not negated

    def _value(self, field: FieldType, literal: Literal) -> Any:
        value = literal.value
        if value is Null.NULL:
            return None
        if isinstance(value, Text):
            return self._text_value(field, value, literal.at)
        if isinstance(value, RelativeDate):
            return self._period(field, value, literal.at)
        fits = (
            field.kind is FieldKind.BOOLEAN
            if isinstance(value, bool)
            else field.kind in NUMBER_KINDS
            if isinstance(value, int | float)
            else field.kind is (FieldKind.DATETIME if isinstance(value, datetime) else FieldKind.DATE)
        )
        if not fits:
            raise self._misfit(field, literal.at)
        return value

    def _text_value(self, field: FieldType, value: Text, at: int) -> str | None:
        meaning = plain(value)
        if field.kind in ID_KINDS:
            record_id = full_id(self._given_id(meaning))
            if record_id is None:
                raise wrong_operator(self._text, at, f"invalid ID field: {meaning}")
            return record_id
        if field.kind not in TEXT_KINDS:
            raise self._misfit(field, at)
        folded: str = field.fold(meaning)
        return folded or None

    def _period(self, field: FieldType, value: RelativeDate, at: int) -> Period:
        days = days_of(value, self._today)
        if days is None:
            raise malformed_at(self._text, at, f"unexpected token: {_written(value)}")
        if field.kind is FieldKind.DATE:
            return Period(*days)
        if field.kind is not FieldKind.DATETIME:
            raise self._misfit(field, at)
        try:
            return Period(*(moment(day, self._zone) for day in days))
        except OverflowError:
            raise malformed_at(self._text, at, f"unexpected token: {_written(value)}") from None

    def _misfit(self, field: FieldType, at: int) -> Exception:
        quoted = field.kind in TEXT_KINDS or field.kind in ID_KINDS
        return wrong_literal(self._text, at, field.name, _type_name(field), quoted=quoted)


def _written(value: RelativeDate) -> str:
    return value.word if value.number is None else f"{value.word}:{value.number}"


def _type_name(field: FieldType) -> str:
    return _TYPE_NAMES.get(field.kind, field.kind.value)


def _among(field: FieldType, read: Read, values: list[Any]) -> Predicate:
    periods = [value for value in values if isinstance(value, Period)]
    wanted = {value for value in values if not isinstance(value, Period)}
    fold: Callable[[Any], Any] = field.fold
    if field.compares_case or field.kind not in TEXT_KINDS:
        if not periods:
            return lambda row: read(row) in wanted
        return lambda row: (value := read(row)) in wanted or any(_within(value, period) for period in periods)
    if None in wanted:
        wanted.add("")
    return lambda row: fold(read(row)) in wanted


def _within(value: Any, period: Period) -> bool:
    return value is not None and period.start <= value < period.end


def _ordered(field: FieldType, read: Read, operator: Operator, value: Any) -> Predicate:
    if isinstance(value, Period):
        value = value.start if operator in (Operator.LESS, Operator.AT_LEAST) else value.end
        operator = Operator.LESS if operator in (Operator.LESS, Operator.AT_MOST) else Operator.AT_LEAST
    holds, fold = _ORDERINGS[operator], field.fold

    def test(row: Row) -> bool:
        found = read(row)
        return found is not None and holds(fold(found), value)

    return test


def lower_bound(operator: Operator, value: Any) -> datetime | None:
    """The earliest moment that a comparison with ``value`` lets through; None when it sets no such limit."""
    if operator not in (Operator.EQUAL, Operator.GREATER, Operator.AT_LEAST):
        return None
    start = value.start if isinstance(value, Period) else value
    return start if isinstance(start, datetime) else None
