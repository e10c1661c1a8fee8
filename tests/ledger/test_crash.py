from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cshub.core.records import LinkState
from cshub.ledger import Ledger
from tests.ledger.cast import pair_of
from tests.ledger.dying_run import KEYS, held_by


@pytest.fixture(scope="module")
def nursery() -> Iterator[Callable[[str, str, Path, int | None], int]]:
    """Does a run in a process of its own; the exit status."""
    command = [sys.executable, "-m", "tests.ledger.dying_run"]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        orders, answers = process.stdin, process.stdout

        def ended(url: str, name: str, service: Path, boundary: int | None) -> int:
            print(json.dumps([url, name, str(service), boundary]), file=orders, flush=True)
            return int(answers.readline())

        yield ended
        orders.close()


def test_killed_at_any_boundary_the_next_attempt_leaves_nothing_twice_and_nothing_out(
    ledger: Ledger, url: str, tmp_path: Path, nursery: Callable[[str, str, Path, int | None], int]
) -> None:
    assert nursery(url, "warm", tmp_path / "warm", 0) == 0
    boundary, exits = 0, [-signal.SIGKILL]
    while exits[-1] == -signal.SIGKILL:
        boundary += 1
        name, service = f"run-{boundary}", tmp_path / f"run-{boundary}"
        exits.append(nursery(url, name, service, boundary))
        if exits[-1] == -signal.SIGKILL:
            assert nursery(url, name, service, None) == 0
        assert held_by(service) == list(KEYS), f"after a kill at boundary {boundary}"
        pair = pair_of(ledger, name)
        links = ledger.links(pair, KEYS)
        assert [(links[key].state, links[key].version) for key in KEYS] == [(LinkState.IN_STEP, 1)] * len(KEYS)
        assert [row.source_key for row in ledger.decisions_of_run(name)] == list(KEYS)
        assert ledger.open_intents(pair) == []
    assert exits[-1] == 0
    assert boundary > 40
