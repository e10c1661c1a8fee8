"""The CSV of Bulk API 2.0: delimiters, line endings, quoting."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Delimiter(StrEnum):
    BACKQUOTE = "BACKQUOTE"
    CARET = "CARET"
    COMMA = "COMMA"
    PIPE = "PIPE"
    SEMICOLON = "SEMICOLON"
    TAB = "TAB"

    @property
    def sign(self) -> str:
        return _SIGNS[self]


_SIGNS = {
    Delimiter.BACKQUOTE: "`",
    Delimiter.CARET: "^",
    Delimiter.COMMA: ",",
    Delimiter.PIPE: "|",
    Delimiter.SEMICOLON: ";",
    Delimiter.TAB: "\t",
}


LONGEST_CELL = 131_072  # characters; no limit is documented but that of a field, 32,000 (salesforce.md §2.1)


class LineEnding(StrEnum):
    LF = "LF"
    CRLF = "CRLF"

    @property
    def sign(self) -> str:
        return "\n" if self is LineEnding.LF else "\r\n"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A header and its rows, all text; blank lines are not rows."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    @classmethod
    def read(cls, text: str, delimiter: Delimiter) -> Sheet:
        """Raises :class:`csv.Error` for what is no table, or has a cell above :data:`LONGEST_CELL`."""
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter.sign) if line]
        if any(len(cell) > LONGEST_CELL for line in lines for cell in line):
            raise csv.Error(f"a cell is longer than {LONGEST_CELL} characters")
        if not lines:
            return cls((), ())
        return cls([name.strip().removeprefix("\ufeff") for name in lines[0]], lines[1:])


def write_csv(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, delimiter: Delimiter, line_ending: LineEnding
) -> str:
    """CSV with every cell in quotes, as the service writes it."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter.sign, lineterminator=line_ending.sign, quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
