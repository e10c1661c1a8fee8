"""SIGKILL for a real process that loads over real sockets into a real ledger, while answers are lost as well."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from cshub.core.records import RunOutcome
from cshub_sandbox.testing import RunningSandbox, start_sandbox
from tests.faults.site import Site
from tests.pipeline.oracle import expected_touchpoints, identity_of, made_by_hub, recent

KILLS = 20
MEETINGS = 90
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["__main__", "tests.faults.site", "psycopg2", "sqlalchemy.dialects.sqlite"])


def writes(sandbox: RunningSandbox) -> int:
    return sum(entry.write for entry in list(sandbox.sandbox.log.entries))


def kill_after(process: multiprocessing.process.BaseProcess, sandbox: RunningSandbox, more: int, wait_s: float) -> None:
    """Let the process send ``more`` writes and a moment of grace, then kill it."""
    wanted, until = writes(sandbox) + more, time.monotonic() + 60
    while writes(sandbox) < wanted and process.is_alive() and time.monotonic() < until:
        time.sleep(0.001)
    time.sleep(wait_s)
    process.kill()
    process.join(30)


@pytest.mark.parametrize("database", ["postgresql", pytest.param("sqlite", marks=pytest.mark.campaign)])
def test_killed_twenty_times_with_answers_lost_a_load_ends_with_each_touchpoint_once(
    request: pytest.FixtureRequest, tmp_path: Path, database: str
) -> None:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    if database == "postgresql":
        url = request.getfixturevalue("postgres_url")
    rng = Random(7)
    with start_sandbox(seed=3, accounts=8, meetings=0, cases=False) as sandbox:
        sandbox.control.switch("totango", rate_limit=1_000_000, search_lag_s=0)
        start = sandbox.control.now().replace(microsecond=0) - timedelta(hours=2)
        for number in range(MEETINGS):
            account = sandbox.sandbox.world.accounts[number % 2].crm_id
            starts_at = start - timedelta(minutes=10 * number)
            sandbox.control.act("chorus", "add_meeting", account=account, starts_at=starts_at.isoformat())
        site = Site(
            url,
            (tmp_path / "staging").as_uri(),
            (sandbox.chorus.url, sandbox.chorus.token),
            (sandbox.totango.url, sandbox.totango.token),
        )
        order = site.plan("run")
        sandbox.control.add_fault("drop_after_commit", service="totango", only_writes=True, probability=0.1, seed=4)
        exits: Counter[int | None] = Counter()
        for _ in range(KILLS):
            process = CONTEXT.Process(target=site.load, args=("run", order))
            process.start()
            kill_after(process, sandbox, rng.randint(0, 4), rng.random() * 0.03)
            exits[process.exitcode] += 1
        assert exits[-signal.SIGKILL] == KILLS
        sandbox.control.clear_faults()
        done = site.load("run", order)
        assert done.outcome is RunOutcome.GREEN
        assert done.statistics.created == MEETINGS
        wanted = Counter(
            item.identity for item in expected_touchpoints(sandbox.sandbox, recent(sandbox.sandbox, days=7))
        )
        assert Counter(map(identity_of, made_by_hub(sandbox.sandbox))) == wanted
        before = writes(sandbox)
        again = site.load("second", site.plan("second"))
        assert (again.statistics.writes, writes(sandbox)) == (0, before)
