"""Checks a person's SOQL condition before anything is sent: its form here, its fields against a description."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from functools import cache

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from cshub.systems.salesforce.condition_text import ConditionFault, rough_faults, unexpected
from cshub.systems.salesforce.soql import COUNTED_DATES, LONGEST_VALUE, RELATIVE_DATES

MOST_LEVELS = 5  # relationships from a field up to a parent's (docs/vendors/salesforce.md §2.1)


class Literal(StrEnum):
    """What a field is compared with."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    NULL = "null"
    DATE = "date"
    MOMENT = "date and time"
    RELATIVE = "relative date"
    NONE = "nothing"  # a list of records (semi-join)


@dataclass(frozen=True, slots=True)
class FieldUse:
    """One field as the condition uses it. ``object``: of the semi-join it stands in, None for the condition's own.

    ``values``: texts that the field is compared with as a whole, not by LIKE. ``membership``: the word, where the
    field is asked for one of several values it may hold: INCLUDES or EXCLUDES.
    """

    path: str
    column: int
    literals: frozenset[Literal]
    object: str | None = None
    values: tuple[str, ...] = ()
    membership: str | None = None


@dataclass(frozen=True, slots=True)
class ConditionReport:
    """What is wrong with a condition, and the fields it uses (all of them only when nothing is wrong)."""

    faults: tuple[ConditionFault, ...] = ()
    uses: tuple[FieldUse, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """Fields of the object itself and of its parents, each once."""
        return tuple(dict.fromkeys(use.path for use in self.uses if use.object is None))


_GOOD_TEXT = re.compile(r"(?:[^\\]|\\(?:u[0-9a-fA-F]{4}|[nrtbfNRTBF\"'\\_%]))*")
_ESCAPED = re.compile(r"\\(.)")
_LOOKS_DATED = re.compile(r"\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:?\d{2})?)?", re.IGNORECASE)
_DATED_NAME = re.compile(r"(date|stamp|time)(__c)?$", re.IGNORECASE)
_ZONE = re.compile(r"(Z|[+-]\d{2}:?\d{2})$", re.IGNORECASE)


def check_filter(text: str) -> ConditionReport:
    """Everything that is wrong with the form of a condition, and the fields that it uses. Sends nothing."""
    if not text.strip():
        return ConditionReport((ConditionFault(1, "the condition is empty", "Leave the setting out instead."),))
    if found := list(rough_faults(text)):
        return ConditionReport(tuple(found))
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        return ConditionReport((unexpected(text, error),))
    walk = _Walk()
    walk.condition(_child(tree, "condition"), None)
    return ConditionReport(tuple(sorted(walk.faults, key=lambda fault: fault.column)), tuple(walk.uses))


@cache
def _parser() -> Lark:
    return Lark.open(
        "condition.lark", rel_to=__file__, parser="lalr", propagate_positions=True, maybe_placeholders=False
    )


@dataclass
class _Walk:
    """Collects the faults and uses of a parsed condition."""

    faults: list[ConditionFault] = field(default_factory=list)
    uses: list[FieldUse] = field(default_factory=list)

    def condition(self, tree: Tree[Token], of: str | None) -> None:
        first = ""
        mixed = False
        for index, part in enumerate(tree.children):
            if not isinstance(part, Tree):
                continue
            if part.data == "connective":
                word = str(part.children[0]).upper()
                if first and word != first and not mixed:
                    mixed = True
                    reason = f"AND and OR stand side by side: it is not said whether {word} or {first} goes first"
                    self._blame(part, reason, "Put parentheses around one of them: `(a AND b) OR c`.")
                first = first or word
            elif part.data == "negation" and len(tree.children) > 1:
                where = "follows AND or OR" if index else "stands before AND or OR"
                self._blame(part, f"NOT {where} without parentheses", "Write `a AND (NOT b)`.")
                self.term(part, of)
            else:
                self.term(part, of)

    def term(self, tree: Tree[Token], of: str | None) -> None:
        if tree.data == "negation":
            inner = next(part for part in tree.children if isinstance(part, Tree))
            if inner.data == "negation":
                self._blame(inner, "NOT follows NOT", "Leave both out.")
            self.term(inner, of)
        elif tree.data == "group":
            self.condition(_child(tree, "condition"), of)
        else:
            self._comparison(tree, of)

    def _comparison(self, tree: Tree[Token], of: str | None) -> None:
        path, column = self._path(_child(tree, "path"))
        literals: set[Literal] = set()
        written: list[Tree[Token]] = []
        if tree.data == "joined":
            literals.add(Literal.NONE)
            self._semi_join(_child(tree, "semi_join"))
        elif tree.data == "listed":
            values = _child(tree, "values")
            if not values.children:
                self._blame(values, "the list is empty", "Name at least one value, or leave the comparison out.")
            written = [part for part in values.children if isinstance(part, Tree)]
            literals = {self._value(part, path) for part in written}
        else:
            literals = {self._compared(tree, path)}
            written = [] if _operator(tree) == "LIKE" else [_child(tree, "value")]
        found = _membership(tree)
        self.uses.append(FieldUse(path, column, frozenset(literals), of, _texts(written, several=bool(found)), found))

    def _compared(self, tree: Tree[Token], path: str) -> Literal:
        operator = _operator(tree)
        value = _child(tree, "value")
        kind = self._value(value, path, ranged=operator in ("<", ">", "<=", ">="))
        if operator == "LIKE" and kind is not Literal.TEXT:
            self._blame(value, "LIKE compares with a text", "Quote it: `LIKE 'text%'`.")
        if kind in (Literal.NULL, Literal.BOOLEAN) and operator not in ("=", "!=", "<>", "LIKE"):
            self._blame(value, f"{operator} cannot compare with {value_text(value)}", "Use `=` or `!=`.")
        return kind

    def _semi_join(self, tree: Tree[Token]) -> None:
        name = str(next(part for part in tree.children if isinstance(part, Token) and part.type == "NAME"))
        path, column = self._path(_child(tree, "path"))
        self.uses.append(FieldUse(path, column, frozenset({Literal.NONE}), name))
        for part in tree.children:
            if isinstance(part, Tree) and part.data == "condition":
                self.condition(part, name)

    def _path(self, tree: Tree[Token]) -> tuple[str, int]:
        path = ".".join(str(part) for part in tree.children)
        if len(tree.children) - 1 > MOST_LEVELS:
            self._blame(tree, f"{path} goes up more than {MOST_LEVELS} levels", "Use a formula field on the object.")
        return path, _column(tree)

    def _value(self, tree: Tree[Token], path: str, *, ranged: bool = False) -> Literal:
        part = tree.children[0]
        if isinstance(part, Tree):
            return self._word(part)
        if part.type == "NUMBER":
            return Literal.NUMBER
        if part.type == "MOMENT":
            return self._moment(tree, str(part))
        inner = str(part)[1:-1]
        good = _GOOD_TEXT.match(inner)
        if good is not None and good.end() < len(inner):
            at = _column(tree) + 1 + good.end()
            self.faults.append(ConditionFault(at, "a backslash stands before a sign it cannot escape", "Write \\\\."))
        if len(inner) > LONGEST_VALUE:
            self._blame(tree, f"the text has {len(inner):,} characters, {LONGEST_VALUE:,} fit", "Shorten it.")
        if _LOOKS_DATED.fullmatch(inner) and (ranged or _DATED_NAME.search(path)):
            self._blame(tree, f"the date {part} is quoted", f"Write it without quotes: {inner}.")
        return Literal.TEXT

    def _word(self, tree: Tree[Token]) -> Literal:
        name = str(tree.children[0]).upper()
        counted = len(tree.children) > 1
        if name in ("TRUE", "FALSE", "NULL") and not counted:
            return Literal.NULL if name == "NULL" else Literal.BOOLEAN
        if name in COUNTED_DATES and not counted:
            self._blame(tree, f"{name} lacks its number", f"Write {name}:30.")
        elif name in RELATIVE_DATES and counted:
            self._blame(tree, f"{name} takes no number", f"Write {name}.")
        elif name not in COUNTED_DATES | RELATIVE_DATES:
            self._blame(tree, f"{tree.children[0]} is no value", f"Quote a text: '{tree.children[0]}'.")
            return Literal.TEXT
        return Literal.RELATIVE

    def _moment(self, tree: Tree[Token], text: str) -> Literal:
        day, _, clock = text.upper().partition("T")
        if not clock and "T" not in text.upper():
            if not _is_date(day):
                self._blame(tree, f"{text} is no date", "Write year, month and day: 2026-11-20.")
            return Literal.DATE
        if not _ZONE.search(clock):
            self._blame(tree, f"{text} has no time zone", "Add it: 2026-11-20T08:00:00Z, or +01:00 in place of Z.")
        elif not _is_moment(text):
            self._blame(tree, f"{text} is no date and time", "Write 2026-11-20T08:00:00Z.")
        return Literal.MOMENT

    def _blame(self, tree: Tree[Token], reason: str, remedy: str) -> None:
        self.faults.append(ConditionFault(_column(tree), reason, remedy))


def value_text(tree: Tree[Token]) -> str:
    """The value as the condition writes it."""
    return "".join(str(token) for token in tree.scan_values(lambda part: isinstance(part, Token)))


def _operator(tree: Tree[Token]) -> str:
    return next(str(part).upper() for part in tree.children if isinstance(part, Token))


def _membership(tree: Tree[Token]) -> str | None:
    """INCLUDES or EXCLUDES, None for any other comparison."""
    parts = [part for part in tree.children if isinstance(part, Tree) and part.data == "membership"]
    words = [str(word).upper() for part in parts for word in part.children]
    return next((word for word in words if word in ("INCLUDES", "EXCLUDES")), None)


def _texts(values: Sequence[Tree[Token]], *, several: bool) -> tuple[str, ...]:
    """Quoted values without their quotes and escapes; ``several``: each may name some, separated by semicolons."""
    quoted = [str(part.children[0]) for part in values if isinstance(part.children[0], Token)]
    texts = [_ESCAPED.sub(r"\1", text[1:-1]) for text in quoted if text.startswith("'")]
    return tuple(one for text in texts for one in (text.split(";") if several else [text]))


def _child(tree: Tree[Token], name: str) -> Tree[Token]:
    return next(part for part in tree.children if isinstance(part, Tree) and part.data == name)


def _column(tree: Tree[Token]) -> int:
    return int(tree.meta.start_pos) + 1


def _is_date(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text)) and len(text) == len("2026-11-20")
    except ValueError:
        return False


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return text.count(":") >= 2
