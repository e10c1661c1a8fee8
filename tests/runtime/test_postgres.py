import os
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from cshub_runtime.postgres import EmbeddedPostgres, stop_leftover
from cshub_runtime.postgres_place import Account, PostgresUnavailable, installed_programs

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("postgres")]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root borrows another account")


def query(url: str, statement: str) -> object:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        result = connection.execute(text(statement))
        return result.scalar() if result.returns_rows else None


def left_by_a_killed_starter(data: Path) -> tuple[psutil.Process, Path]:
    script = """
        import os, sys, signal
        from pathlib import Path
        from cshub_runtime.postgres import EmbeddedPostgres
        from sqlalchemy import create_engine, text
        server = EmbeddedPostgres(Path(sys.argv[1]))
        server.start()
        with create_engine(server.create_database("kept")).begin() as connection:
            connection.execute(text("create table t as select 7 as n"))
        print(server.pid, server.url("").partition("host=")[2], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(data)], capture_output=True, text=True, check=False
    )
    pid, sockets = killed.stdout.split()
    return psutil.Process(int(pid)), Path(sockets)


def modes(*folders: Path) -> list[tuple[str, int, int]]:
    return [(str(f), f.stat().st_mode, f.stat().st_uid) for folder in folders for f in (folder, *folder.parents)]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_leftover(tmp_path / "data")


def test_a_database_that_is_created_can_be_written_and_read(postgres_url: str) -> None:
    query(postgres_url, "create table note (body text)")
    query(postgres_url, "insert into note values ('héllo ✓')")
    assert query(postgres_url, "select body from note") == "héllo ✓"


def test_each_test_gets_an_empty_database(postgres_url: str) -> None:
    assert query(postgres_url, "select count(*) from pg_tables where schemaname = 'public'") == 0


def test_what_was_stored_is_there_after_stop_and_start(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "data")
    server.start()
    query(server.create_database("kept"), "create table t as select 42 as n")
    server.stop()
    assert not server.running()
    with server:
        assert query(server.create_database("kept"), "select n from t") == 42


def test_it_syncs_to_disk_unless_told_otherwise(folder: Path) -> None:
    with EmbeddedPostgres(folder / "data") as server:
        assert query(server.url("postgres"), "show fsync") == "on"


def test_it_opens_no_port(postgres_server: EmbeddedPostgres) -> None:
    processes = [psutil.Process(postgres_server.pid), *psutil.Process(postgres_server.pid).children(recursive=True)]
    assert [c for p in processes for c in p.net_connections(kind="inet")] == []


def test_stop_leaves_no_process_and_nothing_outside_its_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = folder / "t"
    temporary.mkdir(mode=0o755)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    server = EmbeddedPostgres(folder / "data", durable=False)
    server.start()
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    server.stop()
    assert [p for p in family if p.is_running()] == []
    assert list(temporary.iterdir()) == []
    assert sorted(p.name for p in folder.iterdir()) == ["data", "data.log", "t"]


def test_stop_ends_open_connections(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "data", durable=False)
    connection = create_engine(server.start(), poolclass=NullPool).connect()
    server.stop()
    assert not server.running()
    connection.invalidate()
    connection.close()


def test_a_path_too_long_for_a_socket_works(folder: Path) -> None:
    deep = folder / ("long name with spaces " * 6) / "data"
    with EmbeddedPostgres(deep, durable=False) as server:
        assert query(server.url("postgres"), "select 1") == 1
        socket_folder = Path(server.url("postgres").partition("host=")[2])
        assert socket_folder.exists()
    assert not socket_folder.exists()


def test_a_second_start_takes_over_from_a_starter_that_was_killed(folder: Path) -> None:
    leftover, _ = left_by_a_killed_starter(folder / "data")
    assert leftover.is_running()
    with EmbeddedPostgres(folder / "data") as server:
        assert not leftover.is_running()
        assert query(server.url("kept"), "select n from t") == 7


def test_a_server_that_was_killed_recovers(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "data")
    server.start()
    query(server.create_database("kept"), "create table t as select 7 as n")
    os.kill(server.pid, signal.SIGKILL)
    psutil.Process(server.pid).wait(5)
    server.stop()
    with server:
        assert query(server.url("kept"), "select n from t") == 7


def test_a_pid_file_that_names_somebody_elses_process_harms_nobody(folder: Path) -> None:
    with EmbeddedPostgres(folder / "data", durable=False):
        pass
    (folder / "data" / "postmaster.pid").write_text(f"{os.getpid()}\n{folder / 'data'}\n")
    assert stop_leftover(folder / "data") is False
    (folder / "data" / "postmaster.pid").unlink()


def test_a_start_that_fails_says_what_the_server_said(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "data", durable=False)
    with server:
        pass
    with (folder / "data" / "postgresql.conf").open("a") as settings:
        settings.write("shared_buffers = 'much'\n")
    with pytest.raises(PostgresUnavailable, match="shared_buffers"):
        server.start()
    assert not server.running()


def test_a_name_that_would_need_quoting_is_refused(postgres_server: EmbeddedPostgres) -> None:
    with pytest.raises(ValueError, match="no database name"):
        postgres_server.create_database('x"; drop database y')


@as_root
def test_as_root_a_closed_parent_stays_closed_and_the_database_comes_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    before = modes(home)
    with EmbeddedPostgres(home / ".demo" / "data") as server:
        query(server.create_database("kept"), "create table t as select 7 as n")
        outside = Path(server.url("kept").partition("host=")[2]).parent
        assert modes(home) == before
    assert not outside.exists()
    assert modes(home) == before
    assert (home / ".demo" / "data" / "PG_VERSION").stat().st_uid == 0
    with EmbeddedPostgres(home / ".demo" / "data") as server:
        assert query(server.url("kept"), "select n from t") == 7


@as_root
def test_as_root_a_database_left_outside_by_a_killed_starter_comes_home(tmp_path: Path) -> None:
    data = tmp_path / "closed" / "data"
    data.parent.mkdir(mode=0o700)
    leftover, sockets = left_by_a_killed_starter(data)
    assert sockets.exists() and sockets != data
    with EmbeddedPostgres(data) as server:
        assert not leftover.is_running() and not sockets.exists()
        assert query(server.url("kept"), "select n from t") == 7


@as_root
def test_as_root_the_server_runs_under_an_account_that_is_not_root(postgres_server: EmbeddedPostgres) -> None:
    assert psutil.Process(postgres_server.pid).uids().real == Account.choose().uid != 0


@as_root
def test_an_ordinary_user_runs_it_under_their_own_account() -> None:
    account = Account.choose()
    if not account.reaches(installed_programs()):
        pytest.skip("this checkout is closed to other users")
    script = """
        import os, sys, tempfile, psutil, psycopg2, shutil
        from pathlib import Path
        from sqlalchemy import create_engine, text
        from cshub_runtime.postgres import EmbeddedPostgres
        create_engine("postgresql+psycopg2://").dispose()
        os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[1]))
        folder = Path(tempfile.mkdtemp())
        with EmbeddedPostgres(folder / "data", durable=False) as server:
            with create_engine(server.create_database("mine")).connect() as connection:
                name = connection.execute(text("select current_database()")).scalar()
                print(name, psutil.Process(server.pid).uids().real)
        shutil.rmtree(folder)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(account.uid), str(account.gid)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["mine", str(account.uid)], done.stderr


def test_the_database_files_are_closed_to_others(postgres_server: EmbeddedPostgres) -> None:
    assert stat.S_IMODE(postgres_server.data_dir.stat().st_mode) == 0o700
