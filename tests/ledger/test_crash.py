from __future__ import annotations

import multiprocessing
import signal
from pathlib import Path

from ledger_cast import JOB, pair_of
from ledger_crash import KEYS, held_by, work

from cshub.core.records import LinkState
from cshub.ledger import Ledger

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["__main__", "ledger_crash", "psycopg2", "sqlalchemy.dialects.sqlite"])


def ended(url: str, service: Path, burns_at: int | None) -> int | None:
    process = CONTEXT.Process(target=work, args=(url, service, burns_at))
    process.start()
    process.join(60)
    return process.exitcode


def test_killed_at_any_boundary_the_next_attempt_leaves_nothing_twice_and_nothing_out(
    ledger: Ledger, tmp_path: Path
) -> None:
    url = ledger.database.url.render_as_string(hide_password=False)
    pair_id = pair_of(ledger)
    service = tmp_path / "service"
    boundary, exits = 0, []
    while 0 not in exits:
        boundary += 1
        service.write_text("")
        with ledger.database.writing() as connection:
            for table in ("link", "intent", "decision", "run", "lock"):
                connection.exec_driver_sql(f"delete from {table}")
        exits.append(ended(url, service, boundary))
        if exits[-1] != 0:
            assert exits[-1] == -signal.SIGKILL
            assert ended(url, service, None) == 0
        assert held_by(service) == list(KEYS), f"after a kill at boundary {boundary}"
        links = ledger.links(pair_id, KEYS)
        assert [(links[key].state, links[key].version) for key in KEYS] == [(LinkState.IN_STEP, 1)] * len(KEYS)
        assert [row.source_key for row in ledger.decisions_of_run("run-1")] == list(KEYS)
        assert ledger.open_intents(pair_id) == []
    assert boundary > 40
    assert ledger.pair_id(JOB) == pair_id
