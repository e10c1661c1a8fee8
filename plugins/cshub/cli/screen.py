"""What a command shows: tables for people or one JSON document for machines, and one clear line for an error."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import typer

from cshub.core.errors import Fault, HubError, JobFileError, LockHeld, TransientError

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

PIPE_WIDTH = 10_000  # columns when the output is no terminal and COLUMNS does not say otherwise: nothing is wrapped
LEAST_WIDTH = 8  # columns that are kept for what may be broken, beside what may not

_GAP = 3  # columns between two cells
_ID = re.compile(r"(?=[^0-9]*[0-9])(?:[0-9A-Za-z]{15}|[0-9A-Za-z]{18}|[0-9A-Fa-f-]{32,36}|[0-9]{5,20})")
WHOLE_PLACE = 52  # characters of place and field of a fault that are never broken


class ExitCode(IntEnum):
    """Exit status of every command."""

    GREEN = 0  # a green run, valid files, or the answer that was asked for
    RED = 1  # a red or refused run, faults found, or an error that running again does not mend
    USAGE = 2  # the command was not understood
    LATER = 3  # the service, network or ledger failed for now: try later
    INTERRUPTED = 130  # Ctrl-C: 128 + SIGINT, as a shell says it


@dataclass
class Screen:
    """Where a command's answer goes."""

    as_json: bool = False
    debug: bool = False
    go_on: str | None = None  # the command that goes on when a person interrupts this one

    @cached_property
    def out(self) -> Console:
        """Standard output, for people."""
        return _console(stderr=False)

    @cached_property
    def err(self) -> Console:
        """Standard error: messages, progress and questions."""
        return _console(stderr=True)

    def show(self, *renderables: RenderableType) -> None:
        """Part of the answer for people; nothing with ``--json``."""
        if self.as_json:
            return
        width = self.out.width
        for renderable in renderables:
            if isinstance(renderable, Grid):
                self.out.width = max(width, renderable.least_width)
            self.out.print(renderable, highlight=False, markup=False, soft_wrap=isinstance(renderable, str))
            self.out.width = width

    def note(self, text: str) -> None:
        """A message that is no part of the answer."""
        self.err.print(text, highlight=False, markup=False, soft_wrap=True, style="dim")

    def document(self, value: Any) -> None:
        """The answer as one JSON document; nothing without ``--json``. Moments become ISO 8601 in UTC."""
        if self.as_json:
            sys.stdout.write(as_json_text(value) + "\n")
            sys.stdout.flush()

    @property
    def can_ask(self) -> bool:
        """Whether a person sits at the terminal and can answer."""
        return not self.as_json and sys.stdin.isatty()

    def confirm(self, question: str, *, yes: bool) -> None:
        """Ask before something is written. Ends the command when the answer is no."""
        if yes:
            return
        if not self.can_ask:
            raise typer.BadParameter("nobody can be asked here: add --yes to go ahead without a question")
        if not self.agrees(question):
            self.note("Nothing was sent.")
            self.end(ExitCode.RED)

    def agrees(self, question: str, *, word: str | None = None) -> bool:
        """The answer to a question; where a ``word`` must be typed to agree, anything else is a no."""
        if word is None:
            return typer.confirm(question, err=True)
        return str(typer.prompt(question, err=True, default="", show_default=False)).strip() == word

    def end(self, code: ExitCode) -> NoReturn:
        raise typer.Exit(int(code))

    def interrupted(self) -> ExitCode:
        """Tell that a person ended the command, and how to go on."""
        if self.go_on is None:
            words = "Interrupted."
        else:
            words = f"Interrupted: nothing is lost or doubled; go on with `{self.go_on}`."
        self.err.print(f"✗ {words}", markup=False, soft_wrap=True, style="bold yellow")
        self.document({"error": {"kind": "Interrupted", "message": words, "faults": []}})
        return ExitCode.INTERRUPTED

    def failure(self, error: Exception) -> ExitCode:
        """Tell an error: one red line (faults of files as a table) to stderr, and with ``--json`` the document."""
        from rich.text import Text

        faults = list(error.faults) if isinstance(error, JobFileError) else []
        if len(faults) > 1:
            headline = f"{counted(len(faults), 'fault')} in the files; nothing was started."
        elif isinstance(error, HubError):
            headline = printable(str(error)) or type(error).__name__
        else:
            headline = f"Unexpected {type(error).__name__}: {printable(str(error))}. --debug shows where it happened."
        self.err.print(Text(f"✗ {headline}", style="bold red"), soft_wrap=True)
        if len(faults) > 1 and not self.as_json:
            self.err.print(fault_table(faults))
        kind = type(error).__name__
        self.document({"error": {"kind": kind, "message": headline, "faults": [fault_document(it) for it in faults]}})
        return ExitCode.LATER if isinstance(error, (TransientError, LockHeld)) else ExitCode.RED


_CURRENT: ContextVar[Screen] = ContextVar("screen")


def enter(*, as_json: bool, debug: bool) -> Screen:
    """A new screen for the command that starts."""
    screen = Screen(as_json, debug)
    _CURRENT.set(screen)
    return screen


def current() -> Screen:
    """The screen of the running command."""
    try:
        return _CURRENT.get()
    except LookupError:
        return enter(as_json=False, debug=False)


def begin(as_json: bool = False) -> Screen:
    """The screen of the running command. ``--json`` may stand before or after the command's name."""
    screen = current()
    screen.as_json = screen.as_json or as_json
    return screen


def as_json_text(value: Any) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False, default=_plain)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=2, default=_plain)
    return text


def printable(text: str) -> str:
    """``text`` without characters that would steer a terminal; line ends and tabs stay."""
    return "".join(sign if sign in "\n\t" or sign.isprintable() else "�" for sign in text)


def counted(number: int, noun: str) -> str:
    """``1 fault``, ``2 faults``, ``1,200 records``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def fault_table(faults: Sequence[Fault]) -> RenderableType:
    """Place, field, reason and remedy of each fault."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=_lines(), show_edge=False, pad_edge=False, header_style="bold")
    places = [fault.file if fault.line is None else f"{fault.file}:{fault.line}" for fault in faults]
    whole = max(len(place) + len(fault.field) for place, fault in zip(places, faults, strict=True)) <= WHOLE_PLACE
    table.add_column("place", style="cyan", overflow="fold", no_wrap=whole)
    table.add_column("field", overflow="fold", no_wrap=whole)
    table.add_column("reason", style="red", overflow="fold")
    table.add_column("remedy", style="green", overflow="fold")
    for place, fault in zip(places, faults, strict=True):
        cells = (place, fault.field, fault.reason, fault.remedy)
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def fault_document(fault: Fault) -> dict[str, Any]:
    return {
        "file": fault.file,
        "line": fault.line,
        "field": fault.field,
        "reason": fault.reason,
        "remedy": fault.remedy,
    }


@dataclass(frozen=True, slots=True)
class Grid:
    """A plain table. ``widths``: of each column, all that it holds, and what it cannot do without."""

    table: Table
    widths: Sequence[tuple[int, int]]
    indent: int

    @property
    def least_width(self) -> int:
        """Columns below which ids would be cut; a narrower terminal wraps its lines."""
        return self.indent + sum(least + _GAP for _, least in self.widths)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.padding import Padding

        widths = [longest for longest, _ in self.widths]
        room = options.max_width - self.indent - _GAP * (len(widths) - 1)
        while sum(widths) > room:
            spare = [(width, at) for at, (width, (_, least)) in enumerate(zip(widths, self.widths, strict=True))
                     if width > least]  # fmt: skip
            if not spare:
                break
            widths[max(spare)[1]] -= 1
        for column, width in zip(self.table.columns, widths, strict=True):
            column.width = width
        yield Padding(self.table, (0, 0, 0, self.indent), expand=False)


def grid(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, indent: int = 0) -> Grid:
    """A plain table. A column name that begins with ``#`` is numbers, to the right; with ``=``, never broken.

    Ids are never broken either.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=_lines(), show_edge=False, pad_edge=False, header_style="bold")
    cells = [[cell if isinstance(cell, Text) else Text(shown(cell)) for cell in row] for row in rows]
    widths = []
    for name, column in zip(columns, zip(*cells, strict=True) if cells else [()] * len(columns), strict=True):
        title, whole = name.lstrip("#="), name.startswith("=")
        longest = max(len(title), *(cell.cell_len for cell in column), 0)
        ids = max((cell.cell_len for cell in column if _ID.fullmatch(cell.plain)), default=0)
        widths.append((longest, longest if whole else max(ids, min(longest, LEAST_WIDTH))))
        justify: Literal["left", "right"] = "right" if name.startswith("#") else "left"
        table.add_column(title, justify=justify, overflow="fold", no_wrap=whole)
    for row in cells:
        table.add_row(*row)
    return Grid(table, widths, indent)


def facts(rows: Sequence[tuple[str, Any]]) -> RenderableType:
    """Names and values, without lines."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(name, value if isinstance(value, Text) else Text(shown(value)))
    return table


def shown(value: Any, limit: int = 120) -> str:
    """A value as it stands in a table: one line, at most ``limit`` characters, a dash for no value."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        value = ", ".join(shown(item, limit) for item in value) or "(none)"
    if isinstance(value, Mapping):
        value = ", ".join(f"{name}: {shown(item, limit)}" for name, item in value.items()) or "(none)"
    text = printable(str(value)).replace("\n", "⏎").replace("\t", " ")
    if not text:
        return '""'
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _console(*, stderr: bool) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        return Console(stderr=stderr, highlight=False, width=PIPE_WIDTH)
    return console


def _lines() -> Any:
    from rich import box

    return box.SIMPLE_HEAD


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
