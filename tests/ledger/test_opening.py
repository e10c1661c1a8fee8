from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, text

from cshub.core.errors import IdentityChanged, ServiceUnavailable, SpecError, StateError
from cshub.core.records import Pair
from cshub.ledger import Ledger, PairSides, ledger_url, migrations
from cshub.ledger.tables import metadata
from tests.ledger.cast import JOB, NOW, SOURCE, TARGET, pair_of

OPEN_AND_BIND = """
import sys
from datetime import UTC, datetime
from cshub.ledger import Ledger
with Ledger.open(sys.argv[1]) as ledger:
    print(ledger.bind_pair("p", source=("a", "b", "c"), target=("d", "e", "f"), now=datetime.now(UTC)))
"""


def test_the_url_is_the_environments_or_a_file_below_the_current_folder(tmp_path: Path) -> None:
    assert ledger_url({"CSHUB_LEDGER_URL": "postgresql://db/cshub"}) == "postgresql://db/cshub"
    assert ledger_url({"CSHUB_LEDGER_URL": " "}, tmp_path) == f"sqlite:///{tmp_path}/.cshub/ledger.db"
    assert ledger_url({}).endswith("/.cshub/ledger.db")


def test_opening_brings_the_tables_to_the_newest_revision_and_may_be_repeated(ledger: Ledger, url: str) -> None:
    assert ledger.revision() == migrations.HEAD
    pair = pair_of(ledger)
    with Ledger.open(url) as again:
        assert again.pair_id("meetings") == pair.number


def test_the_newest_revision_is_the_last_step_in_the_folder() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == migrations.HEAD


def test_the_steps_lead_to_exactly_the_tables_of_the_model(ledger: Ledger) -> None:
    with ledger.database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_nothing_is_touched_before_the_ledger_is_opened(tmp_path: Path) -> None:
    from cshub.ledger.database import Database

    Ledger(Database(f"sqlite:///{tmp_path}/far/ledger.db"))
    assert not (tmp_path / "far").exists()


def test_several_processes_may_open_and_bind_at_once(url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        command = [sys.executable, "-c", OPEN_AND_BIND, url]
        done = list(pool.map(lambda _: subprocess.run(command, capture_output=True, text=True), range(4)))
    expected = (0, "Pair(number=1, mirrored=False)\n", "")
    assert [(item.returncode, item.stdout, item.stderr) for item in done] == [expected] * 4


def test_a_ledger_of_a_newer_program_is_left_alone(ledger: Ledger, url: str) -> None:
    with ledger.database.writing() as connection:
        connection.execute(text("update alembic_version set version_num = '9999'"))
    with pytest.raises(StateError, match="newer cshub"):
        Ledger.open(url)
    assert ledger.revision() == "9999"


def test_an_url_that_is_no_ledger_is_refused_with_what_to_write() -> None:
    with pytest.raises(SpecError, match="sqlite:///path"):
        Ledger.open("ledger")
    with pytest.raises(SpecError, match="sqlite or postgresql"):
        Ledger.open("mysql://host/db")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpecError, match="Choose another"):
        Ledger.open(f"sqlite:///{tmp_path}/file/ledger.db")


def test_a_damaged_file_asks_for_the_backup(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StateError, match="backup"):
        Ledger.open(f"sqlite:///{tmp_path}/ledger.db")


def test_a_full_disk_keeps_nothing_and_is_worth_another_try(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as ledger:
        pair_of(ledger)

        def fill(connection: object, _: object) -> None:
            connection.execute("PRAGMA max_page_count = 1").close()  # type: ignore[attr-defined]

        ledger.close()
        event.listen(ledger.database.engine, "connect", fill)
        with pytest.raises(ServiceUnavailable, match="room on its disk"):
            for number in range(1_000):
                pair_of(ledger, f"pair {number} " + "x" * 500)
        assert ledger.pair_id("meetings") is not None


def test_a_server_that_is_away_is_worth_another_try_and_keeps_the_password() -> None:
    with pytest.raises(ServiceUnavailable, match="Check that the database runs") as caught:
        Ledger.open("postgresql://user:secret@/none?host=/nowhere")
    assert "secret" not in str(caught.value)


def test_a_connection_that_broke_while_idle_is_replaced(postgres_url: str) -> None:
    with Ledger.open(postgres_url) as ledger, Ledger.open(postgres_url) as other:
        pair_of(ledger)
        with other.database.writing() as connection:
            others = "pid <> pg_backend_pid() and datname = current_database()"
            connection.execute(text(f"select pg_terminate_backend(pid) from pg_stat_activity where {others}"))
        assert ledger.pair_id("meetings") is not None


def test_a_pair_is_bound_once_and_found_again(ledger: Ledger) -> None:
    assert ledger.pair_id("meetings") is None
    first = pair_of(ledger)
    assert pair_of(ledger) == first == Pair(ledger.pair_id("meetings") or 0)
    assert pair_of(ledger, "other") != first


def test_a_job_of_the_opposite_direction_gets_the_pair_mirrored(ledger: Ledger) -> None:
    pair = pair_of(ledger)
    mirrored = Pair(pair.number, mirrored=True)
    assert ledger.bind_pair(JOB, source=TARGET, target=SOURCE, now=NOW) == mirrored
    assert pair_of(ledger) == pair
    assert ledger.pair_sides(JOB) == PairSides(SOURCE, TARGET)
    chorus, totango = (SOURCE[0], SOURCE[1]), (TARGET[0], TARGET[1])
    assert ledger.find_pair(JOB, source=chorus, target=totango) == pair
    assert ledger.find_pair(JOB, source=totango, target=chorus) == mirrored
    assert ledger.find_pair(JOB, source=chorus, target=("totango", "task")) is None
    assert ledger.find_pair("other", source=chorus, target=totango) is None
    assert ledger.pair_sides("other") is None


def test_between_two_orgs_of_one_system_the_identities_tell_the_direction(ledger: Ledger) -> None:
    one, two, three = (("salesforce", "Event", org) for org in ("00D1", "00D2", "00D3"))
    pair = ledger.bind_pair("orgs", source=one, target=two, now=NOW)
    assert ledger.bind_pair("orgs", source=two, target=one, now=NOW) == Pair(pair.number, mirrored=True)
    with pytest.raises(IdentityChanged, match="the source salesforce Event of 00D1"):
        ledger.bind_pair("orgs", source=three, target=two, now=NOW)
    itself = ledger.bind_pair("itself", source=one, target=one, now=NOW)
    assert ledger.bind_pair("itself", source=one, target=one, now=NOW) == itself
    assert not itself.mirrored


def test_a_mirrored_job_that_points_elsewhere_is_told_its_own_source(ledger: Ledger) -> None:
    pair_of(ledger)
    with pytest.raises(IdentityChanged, match="with the source totango touchpoint of service-17"):
        ledger.bind_pair(JOB, source=("totango", "touchpoint", "service-99"), target=SOURCE, now=NOW)


@pytest.mark.parametrize("side", ["source", "target"])
def test_a_pair_that_points_elsewhere_names_both_identities_and_the_remedy(ledger: Ledger, side: str) -> None:
    pair_of(ledger)
    sides = {"source": SOURCE, "target": TARGET} | {side: ("chorus", "engagement", "other.example")}
    with pytest.raises(IdentityChanged) as caught:
        ledger.bind_pair("meetings", source=sides["source"], target=sides["target"], now=NOW)
    known = (SOURCE if side == "source" else TARGET)[2]
    assert (
        known in str(caught.value)
        and "other.example" in str(caught.value)
        and "Point the connection back" in str(caught.value)
    )
