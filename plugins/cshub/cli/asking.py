"""What a person asked for, and where the command looks it up: window, time zone, ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import make_url

from cshub.cli.options import bounds_of
from cshub.cli.screen import Screen
from cshub.ledger import Ledger, ledger_url
from cshub.pipeline.run import Asked
from cshub.settings import Settings


def asked_of(since: str | None, until: str | None, *, full: bool = False) -> tuple[Asked, datetime]:
    """The asked window (both bounds or none) and the moment it was asked at."""
    now = datetime.now(UTC)
    start, end = bounds_of(since, until, Settings.from_environment().timezone, now=now)
    return Asked(window_start=start, window_end=end, full_sync=full), now


def local_time(moment: datetime | None) -> str:
    """In the hub's zone, to the minute; a dash for none."""
    return f"{moment.astimezone(Settings.from_environment().timezone):%Y-%m-%d %H:%M}" if moment else "–"


def name_default_ledger(screen: Screen) -> None:
    """Tell which ledger is looked at, unless the environment names one: then the caller knows it."""
    if Settings.from_environment().ledger_url is None:
        screen.note(f"ledger: {ledger_url()} (CSHUB_LEDGER_URL names another)")


def name_ledger(screen: Screen, *, only_new: bool = False) -> None:
    """Tell which ledger is worked on, and whether it is made new; ``only_new``: no word about one that is there."""
    url = make_url(Settings.from_environment().ledger_url or ledger_url())
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    is_new = is_file and not Path(str(url.database)).exists()
    if is_new or not only_new:
        told = ": there was none, an empty one is made" if is_new else ""
        screen.note(f"ledger: {url.render_as_string(hide_password=True)}{told}")


@contextmanager
def opened_ledger() -> Iterator[Ledger]:
    with Ledger.open(Settings.from_environment().ledger_url) as ledger:
        yield ledger
