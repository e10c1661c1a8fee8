import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from cshub_runtime.component_group import RESTART_LIMIT, ComponentGroup
from cshub_runtime.ports import any_free_port, next_free_port
from cshub_runtime.processes import Component, end_marked, end_together, marked
from cshub_runtime.settings import LOOPBACK, MARKER

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
)
PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import os, time; os.setpgid(0, 0); time.sleep(60)"])
print("child", flush=True)
time.sleep(60)
"""


@pytest.fixture
def component(tmp_path: Path) -> Iterator[Callable[..., Component]]:
    made: list[Component] = []

    def make(code: str, name: str = "worker") -> Component:
        environment = {**os.environ, MARKER: str(tmp_path)}
        command = [sys.executable, "-c", code]
        made.append(Component(name, command, environment=environment, log_path=tmp_path / f"{name}.log"))
        return made[-1]

    yield make
    for one in made:
        one.kill()
    end_marked(tmp_path, patience_s=0.2)


def until(condition: Callable[[], object], limit_s: float = 10) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


def test_a_component_writes_to_its_log_and_has_an_exit_status(component: Callable[..., Component]) -> None:
    one = component("print('hello'); raise SystemExit(3)")
    one.start()
    until(lambda: not one.alive())
    assert (one.exit_status, one.log_tail()) == (3, "hello\n")


def test_ending_a_component_ends_its_children_in_other_process_groups_too(
    component: Callable[..., Component], tmp_path: Path
) -> None:
    one = component(PARENT)
    one.start()
    until(lambda: "child" in one.log_tail() and len(marked(tmp_path)) == 2)
    one.end()
    assert marked(tmp_path) == []


def test_a_component_that_does_not_listen_is_killed(component: Callable[..., Component]) -> None:
    one = component(STUBBORN)
    one.start()
    until(lambda: "deaf" in one.log_tail())
    end_together([one], patience_s=0.1)
    assert one.exit_status == -9


def test_starting_a_component_again_kills_what_its_first_start_left(
    component: Callable[..., Component], tmp_path: Path
) -> None:
    one = component(PARENT)
    one.start()
    until(lambda: len(marked(tmp_path)) == 2)
    orphan = psutil.Process(one.pid).children()[0]
    psutil.Process(one.pid).kill()
    one.start()
    until(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE)


def test_processes_of_a_home_are_found_without_their_parents(
    component: Callable[..., Component], tmp_path: Path
) -> None:
    one = component(PARENT)
    one.start()
    until(lambda: len(marked(tmp_path)) == 2)
    psutil.Process(one.pid).kill()
    until(lambda: not one.alive())
    assert end_marked(tmp_path) == 1
    assert marked(tmp_path) == []
    assert end_marked(tmp_path / "another home") == 0


def test_a_component_that_keeps_dying_is_given_up_with_its_last_words(component: Callable[..., Component]) -> None:
    told: list[str] = []
    group = ComponentGroup(told.append)
    group.start(component("raise SystemExit('no database')"))
    until(lambda: group.failure, limit_s=30)
    group.stop()
    assert "no database" in (group.failure or "")
    assert len([line for line in told if line.endswith("starting it again")]) == RESTART_LIMIT


def test_a_taken_port_is_passed_over() -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert next_free_port(port) > port
    assert next_free_port(any_free_port()) > 0


def test_a_component_that_runs_but_gives_no_sign_of_life_is_started_again(component: Callable[..., Component]) -> None:
    told: list[str] = []
    silent = ["worker", "unknown"]
    group = ComponentGroup(told.append, silent=lambda: silent, settling_s=0.2, listen_every_s=0.2)
    one = component("import time; time.sleep(60)")
    group.start(one)
    try:
        until(lambda: one.starts == 2)
        silent.clear()
        assert one.alive()
    finally:
        group.stop()
    assert told[0] == "worker runs but gives no sign of life; ending it"


def test_a_component_that_has_just_been_started_is_not_taken_for_a_silent_one(
    component: Callable[..., Component],
) -> None:
    told: list[str] = []
    asked: list[str] = []

    def silent() -> list[str]:
        asked.append("worker")
        return asked[:1]

    group = ComponentGroup(told.append, silent=silent, listen_every_s=0.1)
    one = component("import time; time.sleep(60)")
    group.start(one)
    try:
        until(lambda: len(asked) > 1)
    finally:
        group.stop()
    assert (one.starts, told) == (1, [])
