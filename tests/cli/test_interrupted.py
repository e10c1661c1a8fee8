from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.conftest import JOB, WEEK, Cshub

from cshub.cli.airflow_rest import error_in
from cshub_sandbox.testing import RunningSandbox

CSHUB = str(Path(sys.executable).with_name("cshub"))


def reads(sandbox: RunningSandbox) -> bool:
    return any("engagements" in call["path"] for call in sandbox.control.log("chorus"))


def heed_ctrl_c() -> None:
    """A test run that a shell has put into the background ignores Ctrl-C, and would hand that on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupted(arguments: list[str], sandbox: RunningSandbox) -> tuple[int, str]:
    """Exit status and error output of a command that gets Ctrl-C while it reads engagements."""
    process = subprocess.Popen(
        [CSHUB, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    )
    until = time.monotonic() + 90
    while not reads(sandbox) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    return process.returncode, told


def test_a_plan_that_is_interrupted_says_how_to_go_on(connected: Cshub, sandbox: RunningSandbox) -> None:
    sandbox.control.add_fault("slow", service="chorus", path="*engagements*", delay_s=4)
    code, told = interrupted(["plan", JOB, *WEEK], sandbox)
    sandbox.control.clear_faults()
    assert (code, told.strip()) == (
        130,
        f"✗ Interrupted: nothing is lost or doubled; go on with `cshub run {JOB}`.",
    )
    (job,) = connected.json("status", JOB)["jobs"]
    assert (job["last_plan"]["outcome"], "interrupted" in job["last_plan"]["error"]) == ("red", True)


@pytest.mark.live
@pytest.mark.timeout(200)
def test_a_run_that_is_interrupted_ends_soon_and_says_how_to_go_on(connected: Cshub, sandbox: RunningSandbox) -> None:
    sandbox.control.add_fault("slow", service="chorus", path="*engagements*", delay_s=20)
    code, told = interrupted(["run", JOB, *WEEK], sandbox)
    sandbox.control.clear_faults()
    assert (code, told.strip().splitlines()[-1]) == (
        130,
        f"✗ Interrupted: nothing is lost or doubled; go on with `cshub run {JOB}`.",
    )
    (job,) = connected.json("status", JOB)["jobs"]
    assert job["last_run"]["outcome"] == "red"


def test_the_error_of_a_task_is_the_last_exception_of_its_log() -> None:
    first = {"event": "Task failed", "error_detail": [{"exc_type": "ServiceUnavailable", "exc_value": "no answer"}]}
    cause = {"exc_type": "HTTPError", "exc_value": "401"}
    last = {"event": "Task failed", "error_detail": [{"exc_type": "AuthenticationFailed", "exc_value": "token"}, cause]}
    assert error_in([{"event": "begun"}, first, last, {"event": "ended"}]) == "token"
    assert error_in([{"event": "begun"}, "a line"]) is None
