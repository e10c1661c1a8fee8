"""docs/command-line.md against the commands it shows. ``UPDATE_DOCS=1`` writes the outputs instead."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cli.conftest import Cshub

from cshub.settings import PROJECT
from cshub_sandbox.testing import RunningSandbox

PAGE = PROJECT / "docs" / "command-line.md"
BLOCK = re.compile(r"^```console ?(\d*)\n\$ cshub ([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLAN_ID = re.compile(r"\b[a-z_]+-\d{8}-\d{4,6}-[0-9a-f]{6}\b")
CHANGING = (
    (PLAN_ID, "PLAN"),
    (re.compile(r"\b(?:manual|plan|apply|preview|undo)__[\w:.+-]+(?:\n[\w:.+-]+)?"), "RUN"),
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d"), "TIME"),
    (re.compile(r" and (?:about|at least) [ ,a-z0-9']+\."), " in TIME."),
    (re.compile(r"[─ ]+"), " "),
)
LEDGER = re.compile(r"sqlite:///\S+/ledger\.db")
LEDGER_SHOWN = "sqlite:////srv/cshub/ledger.db"
APPLIED = re.compile(r"\bapply__[\d:T-]+_[0-9a-f]{6}\b")
RUN_COLUMN = 70
DRAFT = """\
version: 1
id: quarterly
type: chorus_touchpoints_inbound
name: Quarterly reviews
source: {connection: chorus_default}
target: {connection: totango_default}
schedule: {kind: hourly}
mapping:
  fields:
    - {source: account_id, target: account_id, key: true}
    - {source: engagement_id, target: touchpoint_id, key: true}
    - {source: subjekt, target: subject, locked: true}
    - {source: meeting_summary, target: content, locked: true}
"""


@dataclass(frozen=True)
class Shown:
    """A block of the page: its first lines only, when ``lines`` says how many."""

    lines: int | None
    command: str
    output: str


def cut(text: str, lines: int | None) -> str:
    rows = [row.rstrip() for row in text.rstrip("\n").split("\n")]
    while rows and not rows[0]:
        rows.pop(0)
    if lines is not None and len(rows) > lines:
        rows = [*rows[:lines], "…"]
    return "\n".join(rows) + "\n"


def constant(text: str) -> list[str]:
    """The lines without what differs from day to day, white space and rules among it."""
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def told(command: str, text: str) -> list[str]:
    """What must be the same each day. The last column of `history` is the run's id, broken over lines."""
    if command.startswith("history"):
        text = "\n".join(line[:RUN_COLUMN] for line in text.splitlines())
    return constant(text)


@pytest.mark.live
@pytest.mark.timeout(300)
def test_the_page_shows_what_the_commands_print(
    connected_org: Cshub, still: RunningSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(PROJECT / "include", connected_org.folder / "include")
    monkeypatch.setenv("CSHUB_JOBS_DIR", str(connected_org.folder / "include" / "jobs"))
    monkeypatch.setenv("CSHUB_MAPPINGS_DIR", str(connected_org.folder / "include" / "mappings"))
    (Path("drafts")).mkdir()
    Path("drafts/quarterly.yaml").write_text(DRAFT, "utf-8")
    page = PAGE.read_text("utf-8")
    last = dict.fromkeys((PLAN_ID, APPLIED), "")

    def today(command: str) -> str:
        """The command with the plan and the run that were told last."""
        for pattern, found in last.items():
            command = pattern.sub(found, command)
        return command

    def printed(match: re.Match[str]) -> str:
        shown = Shown(int(match[1]) if match[1] else None, match[2], match[3])
        answer = connected_org(*shlex.split(today(shown.command)))
        assert answer.code == (1 if "drafts/" in shown.command else 0), (shown.command, answer.err)
        for pattern in last:
            found = pattern.search(answer.out)
            last[pattern] = found[0] if found else last[pattern]
        output = cut(LEDGER.sub(LEDGER_SHOWN, answer.err + answer.out), shown.lines)
        if os.environ.get("UPDATE_DOCS"):
            return f"```console{f' {shown.lines}' if shown.lines else ''}\n$ cshub {today(shown.command)}\n{output}```"
        assert told(shown.command, shown.output) == told(shown.command, output), shown.command
        return match[0]

    written = BLOCK.sub(printed, page)
    if os.environ.get("UPDATE_DOCS"):
        PAGE.write_text(written, "utf-8")
    assert len(BLOCK.findall(page)) >= 15
