"""From the text of a query to its values: tokens and grammar by lark, refusals in Salesforce's words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from cshub_sandbox.salesforce.errors import SalesforceError
from cshub_sandbox.salesforce.soql.refusals import malformed, malformed_at, not_simulated
from cshub_sandbox.salesforce.soql.syntax import (
    ChildQuery,
    Comparison,
    Condition,
    Count,
    Every,
    FieldGroup,
    Fields,
    Item,
    Literal,
    LiteralValue,
    Membership,
    Negation,
    Null,
    Operator,
    OrderItem,
    Path,
    Query,
    RelativeDate,
    SemiJoin,
    Some,
    Text,
    TypeOf,
)

MAX_QUERY = 100_000  # characters, docs/vendors/salesforce.md §2.1
DEEPEST = 100
LARGEST_COUNT = 2**31 - 1  # LIMIT and OFFSET are 32-bit integers: assumed
_STRINGS = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_LEFT_OUT = re.compile(
    r"\b(GROUP\s+BY|HAVING|USING\s+SCOPE|FOR\s+(?:VIEW|UPDATE|REFERENCE)|WITH\s+\w+|INCLUDES|EXCLUDES"
    r"|(?:toLabel|convertCurrency|convertTimezone|FORMAT|GROUPING|DISTANCE|COUNT_DISTINCT|MAX|MIN|SUM|AVG"
    r"|CALENDAR_\w+|FISCAL_\w+|DAY_\w+|WEEK_\w+|HOUR_IN_DAY)(?=\s*\())",
    re.IGNORECASE,
)

_Node = Tree[Token]


@cache
def _parser() -> Lark:
    return Lark(files(__package__).joinpath("grammar.lark").read_text("utf-8"), parser="lalr", maybe_placeholders=False)


def parse(text: str) -> Query:
    """The query that ``text`` is. Raises MALFORMED_QUERY (400), or 501 for SOQL that the sandbox leaves out."""
    if not text.strip():
        raise malformed("SOQL statements cannot be empty or null")
    if len(text) > MAX_QUERY:
        raise malformed(f"SOQL statements cannot be longer than {MAX_QUERY} characters.")
    try:
        tree = _parser().parse(text)
    except UnexpectedToken as error:
        end = error.token.type == "$END"
        at = len(text) if end else error.token.start_pos or 0
        raise _left_out(text) or malformed_at(
            text, at, f"unexpected token: {'<EOF>' if end else error.token}"
        ) from None
    except UnexpectedCharacters as error:
        at = error.pos_in_stream or 0
        where = f"line {error.line}:{error.column - 1}"
        complaint = f"{where} no viable alternative at character '{text[at]}'"
        raise _left_out(text) or malformed_at(text, at, complaint) from None
    return _Reader(text).query(_trees(tree)[0], inner=False)


def _left_out(text: str) -> SalesforceError | None:
    found = _LEFT_OUT.search(_STRINGS.sub("''", text))
    return not_simulated(found[1].upper()) if found else None


def _trees(node: _Node) -> list[_Node]:
    return [child for child in node.children if isinstance(child, Tree)]


def _tokens(node: _Node, *kinds: str) -> Iterator[Token]:
    return (child for child in node.children if isinstance(child, Token) and (not kinds or child.type in kinds))


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._inner = False

    def query(self, node: _Node, *, inner: bool) -> Query:
        if self._inner:
            raise malformed("Nesting of semi join sub-selects is not supported")
        self._inner = inner
        parts = {str(child.data): child for child in _trees(node)}
        alias = parts.get("alias")
        order = parts.get("order")
        query = Query(
            text=self._text,
            items=tuple(self._item(child) for child in _trees(parts["items"])),
            object_name=_path(parts["name"]),
            alias=None if alias is None else str(next(_tokens(alias, "NAME"))),
            condition=self._condition(_trees(parts["where"])[0], 0) if "where" in parts else None,
            order=() if order is None else tuple(_order_item(child) for child in _trees(order)),
            limit=self._whole(parts["limit"]) if "limit" in parts else None,
            offset=self._whole(parts["offset"]) if "offset" in parts else None,
        )
        self._inner = False
        return query

    def _whole(self, node: _Node) -> int:
        token = next(_tokens(node, "NUMBER"))
        digits = token.lstrip("0") or "0"
        if not token.isdecimal() or len(digits) > len(str(LARGEST_COUNT)) or int(digits) > LARGEST_COUNT:
            raise malformed_at(self._text, token.start_pos or 0, f"unexpected token: {token}")
        return int(digits)

    def _item(self, node: _Node) -> Item:
        if node.data == "path":
            return _path(node)
        if node.data == "count":
            inner = _trees(node)
            alias = next(_tokens(node, "NAME"), None)
            at = next(_tokens(node, "COUNT")).start_pos or 0
            return Count(_path(inner[0]) if inner else None, None if alias is None else str(alias), at)
        if node.data == "typeof":
            return _type_of(node)
        if node.data == "field_group":
            token = next(_tokens(node, "NAME"))
            if token.upper() not in FieldGroup.__members__:
                raise malformed_at(self._text, token.start_pos or 0, f"unexpected token: {token}")
            return Fields(FieldGroup(token.upper()), token.start_pos or 0)
        return ChildQuery(self.query(_trees(node)[0], inner=True))

    def _condition(self, node: _Node, depth: int) -> Condition:
        if depth > DEEPEST:
            raise malformed(f"Conditions are nested more than {DEEPEST} deep")
        children = _trees(node)
        if node.data in ("every", "some", "negation"):
            parts = tuple(self._condition(child, depth + 1) for child in children)
            return Negation(parts[0]) if node.data == "negation" else (Every if node.data == "every" else Some)(parts)
        path = _path(children[0])
        negated = any(_tokens(node, "NOT"))
        if node.data == "membership":
            return Membership(path, negated, tuple(self._literal(child) for child in _trees(children[1])))
        if node.data == "semi_join":
            return SemiJoin(path, negated, self.query(children[1], inner=True))
        if node.data == "like":
            return Comparison(path, Operator.LIKE, self._value(next(_tokens(node, "STRING"))))
        sign = next(_tokens(node, "OPERATOR"))
        return Comparison(path, Operator("!=" if sign == "<>" else sign), self._literal(children[1]))

    def _literal(self, node: _Node) -> Literal:
        return self._value(next(_tokens(node)))

    def _value(self, token: Token) -> Literal:
        at = token.start_pos or 0
        try:
            return Literal(_READERS[token.type](str(token)), at)
        except (ValueError, OverflowError):
            raise malformed_at(self._text, at, f"unexpected token: {token}") from None


def _path(node: _Node) -> Path:
    names = list(_tokens(node, "NAME"))
    return Path(tuple(str(name) for name in names), names[0].start_pos or 0)


def _paths(node: _Node) -> tuple[Path, ...]:
    return tuple(_path(child) for child in _trees(next(child for child in _trees(node) if child.data == "paths")))


def _type_of(node: _Node) -> TypeOf:
    path, *rest = _trees(node)
    branches = tuple((str(next(_tokens(b, "NAME"))), _paths(b)) for b in rest if b.data == "branch")
    otherwise = next((_paths(child) for child in rest if child.data == "otherwise"), ())
    return TypeOf(_path(path), branches, otherwise)


def _order_item(node: _Node) -> OrderItem:
    return OrderItem(_path(_trees(node)[0]), any(_tokens(node, "DESC")), any(_tokens(node, "LAST")))


def _relative(word: str) -> RelativeDate:
    name, _, number = word.upper().partition(":")
    return RelativeDate(name, int(number) if number else None)


_READERS: dict[str, Callable[[str], LiteralValue]] = {
    "STRING": lambda text: Text(text[1:-1]),
    "DATETIME": lambda text: datetime.fromisoformat(text.upper()).astimezone(UTC),
    "DATE": date.fromisoformat,
    "NUMBER": lambda text: float(text) if "." in text else int(text),
    "TRUE": lambda text: True,
    "FALSE": lambda text: False,
    "NULL": lambda text: Null.NULL,
    "WORD": _relative,
}
