"""Terminal output at 100 columns, as it was looked at and found good. ``UPDATE_DOCS=1`` writes it anew."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from tests.cli.conftest import JOB, WEEK, Cshub
from tests.cli.test_checks import BROKEN, DEMO, draft

GOLDEN = Path(__file__).parent / "golden"
CHANGING = re.compile(r"-\d{8}-\d{4,6}-[0-9a-f]{6}")


def same_as(name: str, text: str) -> None:
    """Compares without spaces at line ends; ids that tell the time are left out."""
    found = "\n".join(line.rstrip() for line in CHANGING.sub("-PLAN", text).splitlines()) + "\n"
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_DOCS"):
        path.write_text(found, "utf-8")
    assert found == path.read_text("utf-8")


@pytest.mark.parametrize("command", ["validate", "test", "plan", "run", "undo", "why"])
def test_the_help_of_a_command_looks_as_it_did(cshub: Cshub, command: str) -> None:
    same_as(f"help-{command}", cshub.ok(command, "--help").out)


def test_faults_look_as_they_did(cshub: Cshub) -> None:
    draft(cshub.folder, "broken", BROKEN)
    same_as("validate-faults", cshub("validate", "./broken.yaml").out)


def test_a_failed_example_looks_as_it_did(cshub: Cshub) -> None:
    path = draft(cshub.folder, JOB, DEMO.replace("created_by: ada@seller.example", "created_by: bo@seller.example"))
    same_as("test-difference", cshub("test", path).out)


def test_a_plan_looks_as_it_did(connected: Cshub) -> None:
    same_as("plan", connected.ok("plan", JOB, *WEEK, "--all").out)
