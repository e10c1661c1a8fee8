"""The sandbox's page in the documentation says what the code does."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from cshub_sandbox.chorus.switches import ChorusSwitches
from cshub_sandbox.control import Control
from cshub_sandbox.kernel import Request
from cshub_sandbox.reference import refresh, switch_table

from .conftest import ChorusCalls

PAGE = Path(__file__).parents[2] / "docs" / "sandbox.md"
TEXT = PAGE.read_text()
CONTROL_CALLS = re.findall(r"curl -s -X POST \"\$CONTROL(/[a-z/_]+)\" -d ('[^']+')", TEXT)


def test_the_tables_are_those_of_the_code() -> None:
    assert refresh(TEXT) == TEXT, f"run: python -m cshub_sandbox.reference {PAGE.relative_to(PAGE.parents[1])}"


def test_every_switch_has_a_fact_and_a_meaning() -> None:
    rows = switch_table(ChorusSwitches).splitlines()[2:]
    assert len(rows) == len(ChorusSwitches.model_fields)
    assert all("|  |" not in row and "None" not in row for row in rows)


def test_every_assumption_of_the_fact_sheet_is_a_switch_or_named_as_fixed() -> None:
    assert {int(number) for number in re.findall(r"\bA(\d+)\b", TEXT)} == set(range(1, 31))


@pytest.mark.parametrize(("path", "body"), CONTROL_CALLS)
def test_the_examples_of_the_control_address_work(chorus: ChorusCalls, path: str, body: str) -> None:
    text = shlex.split(body)[0]
    identifier = chorus.sandbox.world.cases["summary_late_by_weeks"][0]
    text = text.replace("7F3D90C1A2B34C5D8E6F708192A3B4C5", identifier).replace('"service": "totango", ', "")
    assert json.loads(text)
    reply = Control(chorus.sandbox).handle(Request("POST", path, body=text.encode()))
    assert reply.status == 200, reply.body


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no place for the table 'control'"):
        refresh("# Empty")
