import json
from io import StringIO

from rich.console import Console

from cshub_runtime.demo import connections
from cshub_runtime.run_report import RunReport, progress_line, statistics_table
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


def shown(*reports: RunReport) -> str:
    console = Console(file=StringIO(), width=120)
    console.print(statistics_table(reports))
    file = console.file
    assert isinstance(file, StringIO)
    return " ".join(file.getvalue().replace("│", " ").split())


def test_the_table_shows_counts_reasons_and_calls() -> None:
    text = shown(RunReport.of("job", succeeded=True, seconds=12.4, report=REPORT))
    for part in (
        "read 9",
        "created 5",
        "skipped 3",
        "2 no account, 1 private",
        "conflicts kept 1",
        "totango 17",
        "seconds 12",
    ):
        assert part in text


def test_a_run_that_ended_before_its_load_task_shows_that() -> None:
    text = shown(RunReport.of("job", succeeded=False, seconds=0, report=None))
    assert "no report" in text


def test_the_progress_line_shows_tasks_in_their_order() -> None:
    line = progress_line("job", {"load": None, "extract": "success", "map": "running"}, ("extract", "map", "load"))
    assert line == "job: ✓ extract  ▸ map  · load"


def test_the_sandboxes_line_becomes_connections() -> None:
    services = {"chorus": {"url": "http://c", "token": "t1"}, "totango": {"url": "http://t", "token": "t2"}}
    addresses = SandboxAddresses.parse(json.dumps({**services, "control": {"url": "x"}}))
    assert addresses.control_url == "x"
    found = [(c.connection_id, c.conn_type, c.host, c.password) for c in connections(addresses)]
    assert found == [("chorus_default", "chorus", "http://c", "t1"), ("totango_default", "totango", "http://t", "t2")]


def test_the_progress_line_says_what_a_load_waits_for() -> None:
    waiting = {"done": 3, "total": 9, "note": "waiting 23 s for the call budget"}
    line = progress_line("job", {"load": "running"}, ("load",), waiting)
    assert line.endswith("3 of 9 (waiting 23 s for the call budget)")
