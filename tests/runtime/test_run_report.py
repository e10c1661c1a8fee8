from io import StringIO

import pytest
from rich.console import Console
from rich.table import Table

from cshub_runtime.acts import Act, NotCarriedOver, Services, Told, expect, only, told_of
from cshub_runtime.run_report import RunReport, progress_line, statistics_table, story_table
from cshub_runtime.sandbox_process import SandboxAddresses

REPORT = {
    "version": 1,
    "outcome": "green",
    "stats": {
        "read": 9,
        "mapped": 8,
        "rejected": 1,
        "created": 5,
        "skipped": {"no_account": 2, "private": 1, "echo": 0},
        "parked": 2,
        "conflicts_kept": 1,
        "api_calls": {"chorus": 4, "totango": 17},
    },
}
NOWHERE = Services(SandboxAddresses({}, ""))


def report(job: str = "job", round: str = "first", **more: object) -> RunReport:
    given: dict[str, object] = {"succeeded": True, "seconds": 12.4, "report": REPORT, **more}
    return RunReport.of(job, round, **given)  # type: ignore[arg-type]


def shown(table: Table) -> str:
    console = Console(file=StringIO(), width=140)
    console.print(table)
    file = console.file
    assert isinstance(file, StringIO)
    return " ".join(file.getvalue().replace("│", " ").split())


def test_the_table_shows_counts_reasons_and_calls() -> None:
    text = shown(statistics_table([report()]))
    assert "job 9 5 · · · 21" in text
    assert "2 parked, 1 rejected, 2 no account, 1 private, 1 conflict kept" in text


def test_the_table_puts_the_runs_under_the_title_of_their_round() -> None:
    text = shown(statistics_table([report("one", "first"), report("two", "first"), report("one", "second")]))
    places = [text.find(part) for part in ("first", "one 9", "two 9", "second")]
    assert -1 not in places
    assert places == sorted(places)


def test_a_run_that_ended_before_its_load_task_shows_that() -> None:
    text = shown(statistics_table([report(succeeded=False, report=None)]))
    assert "✗ job" in text
    assert "no report" in text


def test_a_run_is_told_in_one_line() -> None:
    assert report().summary() == "5 created, 2 parked, 1 rejected, 2 no account, 1 private, 1 conflict kept"
    assert report(report={"outcome": "green", "stats": {"read": 0}}).summary() == "0 read, nothing to do"
    assert report(succeeded=False).summary().startswith("green: 5 created")


def test_the_progress_line_says_how_far_loads_are_and_what_they_wait_for() -> None:
    waiting = {"done": 3, "total": 9, "note": "waiting 23 s for the call budget"}
    line = progress_line({"one": waiting, "two": {"done": 1, "total": 2}, "three": None, "four": {}})
    assert line == "one 3 of 9, two 1 of 2 (waiting 23 s for the call budget)"


def test_what_became_of_the_acts_is_told_with_those_that_went_wrong() -> None:
    def lost(services: Services) -> str:
        return expect("it is there", text=("one ", "other"))

    acts = [
        Act("somebody prepares", lambda services: None),
        Act("somebody writes", lambda services: None, lambda services: expect("it is there", text=("one ", "one"))),
        Act("somebody else writes", lambda services: None, lost),
    ]
    told = told_of(acts, NOWHERE)
    assert told == [
        Told("somebody writes", True, "it is there"),
        Told("somebody else writes", False, "not alike: text: 'one ' and 'other'"),
    ]
    assert "✓ it is there" in shown(story_table(told))


def test_a_record_that_is_not_there_once_is_told_with_what_was_looked_for() -> None:
    records = [{"subject": "A", "id": 1}, {"subject": "B", "id": 2}, {"subject": "B", "id": 3}]
    assert only(records, subject="A")["id"] == 1
    with pytest.raises(NotCarriedOver, match="no records with subject 'C'"):
        only(records, subject="C")
    with pytest.raises(NotCarriedOver, match="2 records with subject 'B'"):
        only(records, subject="B")
