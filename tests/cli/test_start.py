from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.cli.conftest import Cshub

HEAVY = ("airflow", "pandas", "sqlalchemy", "pydantic", "requests", "pyarrow", "pandera", "simple_salesforce", "lark")


def test_help_imports_nothing_heavy() -> None:
    code = f"import sys, cshub.cli.app; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_comes_at_once() -> None:
    assert min(_processor_s([str(Path(sys.executable).with_name("cshub")), "--help"]) for _ in range(3)) < 0.8


def _processor_s(command: list[str]) -> float:
    before = os.times()
    subprocess.run(command, capture_output=True, check=True)
    return os.times().children_user - before.children_user


def test_help_of_every_command_shows_an_example(cshub: Cshub) -> None:
    commands = [
        "validate", "test", "preview", "plan", "plans", "apply", "run", "retry", "undo", "backfill", "status",
        "history", "rejects", "why", "ledger upgrade", "ledger revision", "totango types", "totango reasons",
        "totango flows", "totango accounts", "totango users", "totango events", "totango touchpoints list",
        "totango touchpoints create", "totango touchpoints update", "totango touchpoints delete",
        "totango tasks list", "totango tasks get", "totango tasks create", "totango tasks update",
        "totango tasks close", "totango tasks reopen", "totango tasks delete", "chorus engagements",
        "chorus conversation", "chorus users", "chorus teams", "chorus me", "chorus emails",
    ]  # fmt: skip
    for command in commands:
        text = cshub.ok(*command.split(), "--help").out
        assert "Examples" in text, command
        assert f"cshub {command}" in text.partition("Examples")[2], command
        assert "--json" in text, command


def test_the_exit_statuses_are_in_the_help(cshub: Cshub) -> None:
    text = cshub.ok("--help").out
    assert "0  a green run" in text
    assert "3  the service, network or ledger failed for now: try later" in text


def test_an_unknown_command_is_a_usage_error(cshub: Cshub) -> None:
    answer = cshub("unknown")
    assert (answer.code, answer.out) == (2, "")


def test_json_may_stand_before_the_command(cshub: Cshub) -> None:
    assert cshub.ok("--json", "validate").document["valid"] is True


def test_an_error_is_one_json_document_and_one_line_without_a_traceback(cshub: Cshub) -> None:
    answer = cshub("plan", "--show", "no-such-plan", "--json")
    assert answer.code == 1
    assert answer.document["error"]["kind"] == "StateError"
    assert answer.err.strip() == "✗ There is no plan no-such-plan. `cshub plans JOB` lists those of a job."


def test_the_sandbox_starts_as_a_child_and_stops_on_sigterm(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("cshub")), "sandbox", "--accounts", "8", "--meetings", "5", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stdout is not None
    assert '"control"' in process.stdout.readline()
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert time.monotonic() - began < 20
    process.stdout.close()


def test_the_sandbox_explains_its_own_options(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("cshub")), "sandbox", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "--chorus-port" in done.stdout
