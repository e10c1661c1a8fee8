"""Writing to Totango by hand: what is sent is shown first, a refusal names what to correct, nothing is made twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import sleep
from typing import Annotated, Any, Protocol

import typer

from cshub.cli.screen import Screen, grid, shown
from cshub.core.errors import AmbiguousWrite, NotFound, RequestRefused
from cshub.core.ports import Candidate

LOOKS_S = (0.0, 2.0, 5.0)  # waits before each look for what a lost create may have made
PREVIEW = 120  # characters of a value that are shown before it is sent

Flow = Annotated[str | None, typer.Option(help="Flow, by name or id. Default of a new one: the tenant's.")]


class Finder(Protocol):
    """Recognises what a create has made; see :meth:`cshub.core.ports.Target.find`."""

    def find(self, hints: Sequence[Mapping[str, Any]]) -> Sequence[Sequence[Candidate]]: ...


def create_once(
    screen: Screen, create: Callable[[], int], *, finder: Finder, hint: Mapping[str, Any], look: str
) -> int:
    """The id of what ``create`` makes, also when its answer was lost: then it is looked for, and not sent again.

    What fits the hint is read before, so that an older record alike is not taken for the new one. Raises
    :class:`AmbiguousWrite` when nothing new is found; it names the command ``look``, which shows what there is.
    """
    before = {item.record.key for item in finder.find([hint])[0]}
    try:
        return create()
    except AmbiguousWrite as lost:
        screen.note(f"{str(lost).split('. ')[0]}. Looking whether it was made.")
        for wait_s in LOOKS_S:
            sleep(wait_s)
            made = [item.record.key for item in finder.find([hint])[0] if item.record.key not in before]
            if made:
                return int(made[0])
        raise AmbiguousWrite(
            f"The answer was lost, and {sum(LOOKS_S):.0f} s later nothing new like it is in the account: it was most "
            f"likely not made. See with `{look}`, and send it again if it is not there."
        ) from lost


@contextmanager
def refusals_told() -> Iterator[None]:
    """A refused write in words for a person who typed it."""
    try:
        yield
    except NotFound:
        raise
    except RequestRefused as error:
        raise RequestRefused(
            f"Totango refused it and changed nothing: {error.verdict or f'status {error.status}'}. "
            "Correct the options of the command; sending the same again does not help.",
            status=error.status,
            verdict=error.verdict,
        ) from error


def show_sent(screen: Screen, headline: str, body: Mapping[str, Any]) -> None:
    """What will be sent; of a long text the beginning, and how long it is."""
    screen.show(headline, grid(("field", "value"), [(name, _previewed(value)) for name, value in body.items()]))


def filled(text: str | None, option: str) -> str | None:
    """``text``, which must not be blank where it is given."""
    if text is not None and not text.strip():
        raise typer.BadParameter("it must not be empty", param_hint=option)
    return text


def _previewed(value: Any) -> Any:
    if not isinstance(value, str) or len(value) <= PREVIEW:
        return value
    return f"{shown(value, PREVIEW - 25)} ({len(value):,} characters)"
