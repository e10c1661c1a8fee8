"""``python -m cshub_sandbox`` as a user and as a program starts and stops it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests

import cshub_sandbox
from cshub_sandbox.cli import main

COMMAND = [sys.executable, "-m", "cshub_sandbox", "--accounts", "8", "--meetings", "60"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cshub_sandbox.__file__).parents[1])}


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_json_line_says_where_everything_listens_and_a_signal_stops_it(number: signal.Signals) -> None:
    with start("--json", "--seed", "7", "--now", "2026-11-20T12:00:00Z") as process:
        assert process.stdout is not None
        ready: dict[str, Any] = json.loads(process.stdout.readline())
        assert set(ready) == {"chorus", "totango", "salesforce", "control"}
        assert set(ready["chorus"]) == set(ready["totango"]) == {"url", "token"}
        login = {"client_id", "client_secret", "domain", "username", "password", "security_token"}
        assert set(ready["salesforce"]) == {"url", "token"} | login
        me = requests.get(
            ready["chorus"]["url"] + "/api/v1/users/me", headers={"Authorization": ready["chorus"]["token"]}, timeout=5
        )
        credentials = {name: ready["salesforce"][name] for name in ("client_id", "client_secret")}
        signed_in = requests.post(
            ready["salesforce"]["url"] + "/services/oauth2/token",
            data={"grant_type": "client_credentials", **credentials},
            timeout=5,
        )
        log = requests.get(ready["control"]["url"] + "/log", timeout=5).json()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=10)
    assert (me.status_code, signed_in.status_code) == (200, 200)
    assert [line["service"] for line in log] == ["chorus", "salesforce"]
    assert credentials["client_secret"] not in json.dumps(log)
    assert log[0]["at"].startswith("2026-11-20T12:00")
    assert (process.returncode, rest, errors) == (0, "", "")


def test_a_call_that_hangs_does_not_keep_it_from_stopping() -> None:
    with start("--json") as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        requests.post(ready["control"]["url"] + "/faults", json={"kind": "slow", "delay_s": 3600}, timeout=5)
        with pytest.raises(requests.ReadTimeout):
            requests.get(ready["chorus"]["url"] + "/v3/users", timeout=0.2)
        with socket.create_connection(("127.0.0.1", int(ready["chorus"]["url"].rsplit(":", 1)[1]))) as waiting:
            waiting.sendall(b"GET /v3/users HTTP/1.1\r\nHost: x\r\n\r\n")
            process.terminate()
            assert process.wait(timeout=5) == 0
        process.communicate()


def test_without_json_a_person_is_told_where_to_look() -> None:
    with start("--salesforce-port", "0") as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(14)]
        process.terminate()
        _, errors = process.communicate(timeout=10)
    text = "".join(lines)
    assert "The sandbox is up: 8 accounts" in text and "chorus     http://127.0.0.1:" in text and "Ctrl-C" in text
    assert "salesforce http://127.0.0.1:" in text and "security token" in text and errors == ""


def test_a_port_that_is_taken_is_said_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = subprocess.run(
            [*COMMAND, "--chorus-port", port], capture_output=True, text=True, env=ENVIRONMENT, timeout=20, check=False
        )
    assert result.returncode == 1
    assert "Choose another port" in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--accounts", "2"], "accounts must be 8 or more"),
        (["--now", "tomorrow"], "is not a time with zone"),
        (["--now", "9999-12-31T00:00:00Z"], "between 2000 and 2999"),
        (["--chorus-port", "x"], "is not a port"),
    ],
)
def test_wrong_arguments_are_answered_with_status_2_and_the_remedy(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_help_teaches_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["--help"])
    text = capsys.readouterr().out
    assert stopped.value.code == 0
    assert "examples:" in text and "--json" in text and "POST /faults" in text
