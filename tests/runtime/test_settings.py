import stat
from pathlib import Path

import pytest

from cshub_runtime.settings import MARKER, AirflowSettings, Login, RuntimeSecrets


@pytest.fixture
def settings(tmp_path: Path) -> AirflowSettings:
    return AirflowSettings(
        home=tmp_path / "my home",
        dags_dir=tmp_path / "project" / "dags",
        plugins_dir=tmp_path / "project" / "plugins",
        jobs_dir=tmp_path / "project" / "include" / "jobs",
        metadata_url="postgresql+psycopg2://postgres@/airflow?host=/x",
        ledger_url="postgresql+psycopg2://postgres@/cshub?host=/x",
        port=8090,
        timezone="America/New_York",
        logins=(Login("admin", "pass"), Login("vic", "word", "viewer")),
    )


def test_the_hubs_variables_are_set(settings: AirflowSettings) -> None:
    found = settings.environment({})
    assert found["CSHUB_LEDGER_URL"] == settings.ledger_url
    assert found["CSHUB_STAGING_URL"].startswith("file:///")
    assert found["CSHUB_STAGING_URL"].endswith("/my%20home/staging")
    assert found["CSHUB_TIMEZONE"] == found["AIRFLOW__CORE__DEFAULT_TIMEZONE"] == "America/New_York"
    assert found["CSHUB_JOBS_DIR"] == str(settings.jobs_dir)
    assert found[MARKER] == str(settings.home)


def test_settings_of_another_airflow_on_this_machine_are_left_out(settings: AirflowSettings) -> None:
    inherited = {"AIRFLOW__CORE__EXECUTOR": "X", "AIRFLOW_CONN_A": "x", "CSHUB_LEDGER_URL": "y", "LANG": "C"}
    found = settings.environment(inherited)
    assert found["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert "AIRFLOW_CONN_A" not in found
    assert found["CSHUB_LEDGER_URL"] == settings.ledger_url
    assert found["LANG"] == "C"


def test_everything_is_served_and_reached_on_the_loopback_address(settings: AirflowSettings) -> None:
    found = settings.environment({"NO_PROXY": "intranet"})
    assert found["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:8090/execution/"
    assert found["NO_PROXY"] == found["no_proxy"] == "intranet,127.0.0.1,localhost"


def test_everything_airflow_writes_is_in_the_home_folder(settings: AirflowSettings) -> None:
    found = settings.environment({})
    written = (
        "AIRFLOW_HOME",
        "TMPDIR",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH",
    )
    for name in written:
        assert Path(found[name]).is_relative_to(settings.home), name


def test_the_keys_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    made = RuntimeSecrets.load(tmp_path / "secrets.json")
    assert RuntimeSecrets.load(tmp_path / "secrets.json") == made
    assert RuntimeSecrets.load(tmp_path / "others.json") != made
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600


def test_the_passwords_file_is_readable_by_its_owner_only_even_if_it_was_open_before(settings: AirflowSettings) -> None:
    settings.passwords_file.parent.mkdir(parents=True)
    settings.passwords_file.touch(0o644)
    settings.prepare()
    assert stat.S_IMODE(settings.passwords_file.stat().st_mode) == 0o600
    assert settings.passwords_file.read_text() == '{"admin": "pass", "vic": "word"}'
    assert settings.environment({})["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "admin:admin,vic:viewer"


def test_what_is_given_extra_wins(settings: AirflowSettings, tmp_path: Path) -> None:
    extra = AirflowSettings(**{**vars(settings), "extra": {"AIRFLOW__CORE__PARALLELISM": "2"}})
    assert extra.environment({})["AIRFLOW__CORE__PARALLELISM"] == "2"
