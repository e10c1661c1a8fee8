"""What is wrong with the text of a SOQL condition, told in words that a parser does not have."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lark.exceptions import UnexpectedInput, UnexpectedToken

from cshub.systems.salesforce.soql import encoded_length

LONGEST_CONDITION = 8_000  # bytes in a web address: the rest of LONGEST_QUERY is for fields and window
_STRING = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_CLAUSES = (
    (re.compile(r"\border\s+by\b", re.I), "ORDER BY", "The hub orders the records itself: leave it out."),
    (re.compile(r"\bgroup\s+by\b", re.I), "GROUP BY", "The hub reads single records: leave it out."),
    (re.compile(r"\bhaving\b(?!\s*\.)", re.I), "HAVING", "The hub reads single records: leave it out."),
    (re.compile(r"\blimit\s+\d", re.I), "LIMIT", "The hub reads every record that fits: leave it out."),
    (re.compile(r"\boffset\s+\d", re.I), "OFFSET", "The hub reads every record that fits: leave it out."),
    (re.compile(r"\bfor\s+(view|reference|update)\b", re.I), "FOR", "The hub only reads here: leave it out."),
    (re.compile(r"\busing\s+scope\b", re.I), "USING SCOPE", "Leave it out, and name the owner in the condition."),
    (re.compile(r"\bwith\s+\w", re.I), "WITH", "Leave it out."),
    (re.compile(r"\ball\s+rows\b", re.I), "ALL ROWS", "The hub looks for deleted records itself: leave it out."),
)
_HINTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"="), "SOQL compares with one `=`."),
    (re.compile(r"is\b", re.I), "Write `= null` or `!= null`."),
    (re.compile(r"between\b", re.I), "Write `>= … AND … <= …`."),
    (re.compile(r"&&"), "Write AND."),
    (re.compile(r"\|\|"), "Write OR."),
    (re.compile(r"!"), "Write NOT before parentheses, or `!=`."),
    (re.compile(r"contains\b", re.I), "Write `LIKE '%text%'`."),
    (re.compile(r":"), "Write the value itself; variables are of Apex."),
    (re.compile(r"\("), "Functions are not supported here: compare the field itself."),
)
_FORM = "Write comparisons such as `Type = 'Call'`, joined by AND or OR."


@dataclass(frozen=True, slots=True)
class ConditionFault:
    """One thing wrong in a condition. ``column``: 1 for its first character."""

    column: int
    reason: str
    remedy: str

    def __str__(self) -> str:
        return f"column {self.column}: {self.reason}. {self.remedy}"


def rough_faults(text: str) -> Iterator[ConditionFault]:
    """Faults that are told better from the text than from where a parser stumbles over them."""
    if encoded_length(text) > LONGEST_CONDITION:
        yield ConditionFault(
            1,
            f"the condition has {encoded_length(text):,} bytes in a web address, {LONGEST_CONDITION:,} fit",
            "Shorten it, for example with a formula field or a semi-join.",
        )
        return
    bare = _STRING.sub(lambda found: "'" + "_" * (len(found.group()) - 2) + "'", text)
    if first := re.match(r"\s*(where|select)\b", bare, re.I):
        yield ConditionFault(
            first.start(1) + 1, f"it begins with {first.group(1).upper()}", "Write only what follows WHERE in a query."
        )
        return
    for pattern, name, remedy in _CLAUSES:
        if found := pattern.search(bare):
            yield ConditionFault(found.start() + 1, f"{name} is no part of a condition", remedy)
    outside = _STRING.sub(lambda found: " " * len(found.group()), text)
    if found := re.search(r"[\"“”‘’`]", outside):
        yield ConditionFault(found.start() + 1, f"{found.group()} does not quote a text", "Use single quotes: 'text'.")
    elif (at := outside.find("'")) >= 0:
        yield ConditionFault(
            at + 1, "the text that begins here has no end", "Close it with ', and write \\' for a quote within it."
        )
    else:
        yield from _parentheses(outside)


def _parentheses(outside: str) -> Iterator[ConditionFault]:
    opened: list[int] = []
    for at, sign in enumerate(outside):
        if sign == "(":
            opened.append(at)
        elif sign == ")" and not opened:
            yield ConditionFault(at + 1, "this parenthesis closes nothing", "Take it out, or add the one that opens.")
            return
        elif sign == ")":
            opened.pop()
    if opened:
        yield ConditionFault(opened[-1] + 1, "this parenthesis is never closed", "Add the one that closes.")


def unexpected(text: str, error: UnexpectedInput) -> ConditionFault:
    """Where the parser could not go on, with the remedy for what people write there."""
    at = error.pos_in_stream
    if at is None or at < 0 or (isinstance(error, UnexpectedToken) and error.token.type == "$END"):
        return ConditionFault(len(text.rstrip()) + 1, "the condition ends too early", _FORM)
    rest = text[at:]
    found = re.match(r"\w+|.", rest, re.DOTALL)
    hint = next((remedy for pattern, remedy in _HINTS if pattern.match(rest)), _FORM)
    return ConditionFault(at + 1, f"{found.group() if found else rest!r} does not fit here", hint)
