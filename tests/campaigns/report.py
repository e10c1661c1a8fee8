"""The page of figures: kept as JSON beside it, and written from nothing else."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tests.campaigns.campaign import Bound, Campaign, Figure, Outcome
from tests.campaigns.defects import DEFECTS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
FIGURES = ROOT / "docs" / "reliability"


@dataclass(frozen=True, slots=True)
class Measured:
    """A campaign at full size. ``at``: when it ended, UTC; ``revision``: the commit it ran on."""

    campaign: str
    at: str
    seconds: float
    revision: str
    machine: str
    seed: int
    figures: Sequence[Figure]
    stories: Sequence[str]


def measured(campaign: Campaign, outcome: Outcome, seconds: float, seed: int) -> Measured:
    at = f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
    figures, stories = list(outcome.figures), list(outcome.stories)
    return Measured(campaign.name, at, round(seconds, 1), revision(), machine(), seed, figures, stories)


def keep(result: Measured, folder: Path = FIGURES) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = orjson.dumps(result, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    (folder / f"{result.campaign}.json").write_bytes(text)


def kept(name: str, folder: Path = FIGURES) -> Measured | None:
    """What a campaign measured last, None when it has never been run at full size."""
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    found = orjson.loads(path.read_bytes())
    figures = [Figure(**{**item, "bound": Bound(item["bound"])}) for item in found.pop("figures")]
    return Measured(**found, figures=figures)


def page(campaigns: Sequence[Campaign], folder: Path = FIGURES) -> str:
    """Markdown of all campaigns in the given order."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters["number"] = number
    results = [(campaign, kept(campaign.name, folder)) for campaign in campaigns]
    return environment.get_template("page.md.jinja").render(results=results, defects=list(DEFECTS))


def number(value: float) -> str:
    """Thousands with commas; at most three digits behind the point."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3f}".rstrip("0").rstrip(".")


def machine() -> str:
    cores = len(os.sched_getaffinity(0))
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return f"{cores} cores, {memory_gb:.0f} GB, {platform.system()}, Python {platform.python_version()}"


def revision() -> str:
    """Short name of the commit, with ``+`` when files other than the figures have changed since."""
    name = _git("rev-parse", "--short", "HEAD")
    others = [f":!{path.relative_to(ROOT)}" for path in (FIGURES, PAGE)]
    return f"{name}+" if _git("status", "--porcelain", "--untracked-files=no", "--", ".", *others) else name


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
