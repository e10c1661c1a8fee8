from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, Table, text
from sqlalchemy.types import BigInteger

from cshub.core.records import Link, LinkSide, LinkState, Operation, Pair, RunKind
from cshub.ledger import Ledger, PairSides, migrations
from cshub.ledger.columns import UtcDateTime, encode_json
from cshub.ledger.database import Database
from tests.ledger.cast import (
    JOB,
    MINUTE,
    NOW,
    SOURCE,
    TARGET,
    entry_of,
    link_of,
    open_run,
    parked,
    reject_of,
    stored,
    takes_over,
)

BASE = {"content": "ffeeddccbbaa9988", "subject": "00112233445566aa"}
PACKED = b"\x00" + bytes.fromhex("".join(BASE.values()))
OTHER = {"content": "1111111111111111"}


def move(database: Database, revision: str) -> None:
    """Take the tables to another revision, up or down."""
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    step = command.downgrade if revision < (Ledger(database).revision() or "") else command.upgrade
    with database.writing() as connection:
        config.attributes["connection"] = connection
        step(config, revision)


def fill(database: Database, table: str, **values: Any) -> None:
    """Add a row to a table as it is now, whichever revision that is."""
    with database.writing() as connection:
        known = Table(table, MetaData(), autoload_with=connection)
        if not database.is_postgresql:
            for name, value in values.items():
                if isinstance(value, datetime):
                    known.c[name].type = BigInteger()
                    values[name] = UtcDateTime().process_bind_param(value, connection.dialect)
        connection.execute(known.insert().values(values))
        for name in {"id", "number"} & set(values) if database.is_postgresql else ():
            given = f"pg_get_serial_sequence('{table}', '{name}')"
            connection.execute(text(f"select setval({given}, max({name})) from {table}"))


def fill_with_the_first_form(database: Database) -> None:
    """A ledger of one pair, with links, an open write and the audit, as revision 0002 kept them."""
    both = zip(("source", "target"), (SOURCE, TARGET), strict=True)
    sides = {
        f"{name}_{part}": side[at] for name, side in both for at, part in enumerate(("system", "object", "identity"))
    }
    fill(database, "pair", id=1, name=JOB, bound_at=NOW, **sides)
    run = {"job_id": JOB, "pair_id": 1, "kind": "scheduled", "job_digest": "d", "attempt": 1, "outcome": "green"}
    fill(database, "run", number=7, run_id="run-1", opened_at=NOW, updated_at=NOW, **run)
    shapes = {
        1: ["v1", sorted(BASE), sorted(BASE), ["event_id"]],
        2: ["v1", sorted(BASE), ["content"], []],
        3: ["", [], [], []],
    }
    for number, content in shapes.items():
        fill(database, "shape", id=number, digest=f"digest-{number}", content=encode_json(content))
    base = {"pair_id": 1, "version": 3, "run_number": 7, "first_seen_at": NOW - MINUTE}
    same = {"target_key": "note-a", "target_account_id": "0011", "target_extra": encode_json(["event-a"])}
    times = {"source_modified_at": NOW, "target_modified_at": NOW + MINUTE, "created_at": NOW, "written_at": NOW}
    fill(
        database,
        "link",
        source_key="a",
        state=1,
        shape_id=1,
        source_base=PACKED,
        target_base=b"",
        **base,
        **same,
        **times,
    )
    other = b"\x00" + bytes.fromhex(OTHER["content"])
    fill(
        database,
        "link",
        source_key="b",
        state=2,
        shape_id=2,
        source_base=PACKED,
        target_base=other,
        target_key="note-b",
        **base,
    )
    fill(database, "link", source_key="c", state=6, shape_id=2, source_base=PACKED, target_key="note-c", **base)
    fill(database, "link", source_key="d", state=3, shape_id=3, source_base=b"", **base)
    audit = {"pair_id": 1, "run_number": 7, "source_key": "a", "target_key": "note-a"}
    fill(database, "decision", id=5, at=NOW, outcome="created", rule="new", **audit)
    fill(database, "intent", id=9, operation="update", begun_at=NOW, payload_hash="ab", hint="{}", **audit)
    reasons = encode_json([["map", "content", "too long", "", ""]])
    about = {"pair_id": 1, "source_key": "d", "job_id": JOB, "reasons": reasons, "attempts": 2}
    fill(database, "reject", first_run_id="r", last_run_id="run-1", first_at=NOW, last_at=NOW, **about)
    plan = {"plan_id": "plan-1", "job_id": JOB, "pair_id": 1, "run_id": "run-1", "reference": "{}", "counts": "{}"}
    fill(database, "plan", created_at=NOW, **plan)


def link_before(key: str, state: LinkState, target: LinkSide, **more: Any) -> Link:
    mapped = {} if state is LinkState.PARKED else BASE
    left = LinkSide(key=key, mapped=mapped, mapping_version="v1" if mapped else "", state=state)
    known: dict[str, Any] = {"version": 3, "run_id": "run-1", "first_seen_at": NOW - MINUTE}
    return Link(Pair(1), left, target, **(known | more))


def test_links_of_the_first_form_become_left_and_right(url: str) -> None:
    database = Database(url)
    move(database, "0002")
    fill_with_the_first_form(database)
    with Ledger.open(url) as ledger:
        pair = ledger.bind_pair(JOB, source=SOURCE, target=TARGET, now=NOW)
        links = ledger.links(pair, ["a", "b", "c", "d"])
        assert (pair, ledger.pair_sides(JOB)) == (Pair(1), PairSides(SOURCE, TARGET))
        told = LinkSide("note-a", "0011", {"event_id": "event-a"}, BASE, modified_at=NOW + MINUTE)
        expected = [
            link_before("a", LinkState.IN_STEP, told, created_at=NOW, written_at=NOW).having(
                source={"modified_at": NOW}
            ),
            link_before("b", LinkState.EMPTY, LinkSide("note-b", marks=OTHER)),
            link_before("c", LinkState.DELETED, LinkSide("note-c")),
            link_before("d", LinkState.PARKED, LinkSide()),
        ]
        assert [link.having(number=0) for link in links.values()] == expected
        assert len({link.number for link in links.values()}) == 4
        (intent,) = ledger.open_intents(pair)
        assert (intent.id, intent.pair, intent.operation, intent.target_key) == (9, pair, Operation.UPDATE, "note-a")
        assert [(row.id, row.pair, row.job_id, row.run_id) for row in ledger.decisions(1, "note-a")] == [
            (5, pair, JOB, "run-1")
        ]
        assert [(row.pair, row.source_key, row.attempts) for row in ledger.rejects(JOB)] == [(pair, "d", 2)]
        plan = ledger.plan("plan-1")
        assert plan is not None and (plan.kind, plan.undoes_run_id) == ("sync", None)


def test_carried_links_are_written_on_by_both_directions(url: str) -> None:
    database = Database(url)
    move(database, "0002")
    fill_with_the_first_form(database)
    with Ledger.open(url) as ledger:
        pair, fence = takes_over(ledger, "run-2")
        ledger.record(
            fence, "run-2", links=[*ledger.links(pair, ["a", "b"]).values(), link_of(pair, "e")], decisions=[], now=NOW
        )
        assert [stored(ledger, link_of(pair, key)).version for key in "abe"] == [4, 4, 1]
        mirrored, fence = takes_over(ledger, "run-2")
        mirrored = Pair(pair.number, mirrored=True)
        ledger.record(fence, "run-2", links=[parked(mirrored, "a")], decisions=[], now=NOW)
        assert set(ledger.links(mirrored, ["note-a", "a"])) == {"note-a", "a"}


def test_a_ledger_goes_back_to_the_first_form_and_forward_again(url: str) -> None:
    with Ledger.open(url) as ledger:
        pair, fence = takes_over(ledger, "run-1")
        mirrored = Pair(pair.number, mirrored=True)
        alike = link_of(pair, "b", source={"account_id": "0011"})
        links = [
            link_of(pair, "a", dated_at=None),
            alike.having(dated_at=None),
            parked(pair, "c"),
            parked(mirrored, "x"),
        ]
        ledger.record(fence, "run-1", links=links, decisions=[entry_of("a")], rejects=[reject_of("c")], now=NOW)
        before = ledger.links(pair, ["a", "b", "c"])
        told = (ledger.decisions(pair, "a"), ledger.rejects(JOB), ledger.run("run-1"))
        move(ledger.database, "0001")
    with Ledger.open(url) as ledger:
        kept = ledger.links(pair, ["a", "b", "c"])
        assert {key: link.having(number=0) for key, link in kept.items()} == {
            key: link.having(number=0, source={"account_id": None}) for key, link in before.items()
        }
        assert ledger.links(mirrored, ["x"]) == {}
        assert (ledger.decisions(pair, "a"), ledger.rejects(JOB), ledger.run("run-1")) == told


def test_runs_of_the_first_tables_are_kept_when_the_pair_may_be_unknown(url: str) -> None:
    with Ledger.open(url) as ledger:
        pair = open_run(ledger, "run-1")
        before = ledger.run("run-1")
        move(ledger.database, "0001")
        ledger.upgrade()
        assert (ledger.revision(), ledger.run("run-1")) == (migrations.HEAD, before)
        for run_id, bound in (("run-2", None), ("run-3", pair)):
            ledger.open_run(run_id, job_id=JOB, pair=bound, kind=RunKind.MANUAL, window=None, job_digest="", now=NOW)
        assert [row.run_id for row in ledger.runs(JOB)] == ["run-3", "run-2", "run-1"]


@pytest.mark.parametrize("table", ["link", "reject"])
def test_no_table_of_the_older_form_stays_behind(ledger: Ledger, table: str) -> None:
    with ledger.database.reading() as connection:
        kind = "select count(*) from " + (
            "pg_tables where tablename" if ledger.database.is_postgresql else "sqlite_master where name"
        )
        assert connection.execute(text(f"{kind} = '{table}_before'")).scalar_one() == 0
