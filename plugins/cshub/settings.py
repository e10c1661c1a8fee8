"""Where the hub finds its files and stores, read by name from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cshub.core.errors import SpecError

PROJECT = Path(__file__).resolve().parents[2]
RETRY_DELAY = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Settings:
    """Files and stores of the hub, and what holds for all its DAGs.

    ``ledger_url`` is None when the environment does not name one: the ledger's own default applies. ``retry_delay`` is
    the wait before a task's first retry; it doubles with each further one.
    """

    jobs_dir: Path
    mappings_dir: Path
    staging_url: str
    timezone: ZoneInfo
    ledger_url: str | None
    retry_delay: timedelta = RETRY_DELAY

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """``CSHUB_JOBS_DIR``, ``CSHUB_MAPPINGS_DIR``, ``CSHUB_STAGING_URL``, ``CSHUB_TIMEZONE``, ``CSHUB_LEDGER_URL``,
        ``CSHUB_RETRY_DELAY_S``.

        Without them: the project's ``include/`` folder, ``.cshub/staging`` below the current folder, Airflow's
        default time zone or UTC, 10 seconds. Raises :class:`SpecError` for a time zone that does not exist or a delay
        that is no number of seconds.
        """
        zone = environment.get("CSHUB_TIMEZONE") or environment.get("AIRFLOW__CORE__DEFAULT_TIMEZONE") or "UTC"
        try:
            timezone = ZoneInfo("UTC" if zone == "utc" else zone)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise SpecError(
                f"CSHUB_TIMEZONE is {zone!r}, which is no time zone: use a name such as Europe/Berlin."
            ) from error
        return cls(
            jobs_dir=Path(environment.get("CSHUB_JOBS_DIR") or PROJECT / "include" / "jobs"),
            mappings_dir=Path(environment.get("CSHUB_MAPPINGS_DIR") or PROJECT / "include" / "mappings"),
            staging_url=environment.get("CSHUB_STAGING_URL") or (Path.cwd() / ".cshub" / "staging").as_uri(),
            timezone=timezone,
            ledger_url=environment.get("CSHUB_LEDGER_URL") or None,
            retry_delay=_retry_delay(environment.get("CSHUB_RETRY_DELAY_S")),
        )


def _retry_delay(text: str | None) -> timedelta:
    try:
        delay = timedelta(seconds=float(text)) if text else RETRY_DELAY
    except (ValueError, OverflowError):
        delay = timedelta(0)
    if delay <= timedelta(0):
        raise SpecError(f"CSHUB_RETRY_DELAY_S is {text!r}: write a number of seconds above 0, such as 10.")
    return delay
