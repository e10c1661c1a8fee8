"""The settings of a local Airflow, as one function from folders, port and time zone to environment variables."""

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"
MARKER = "CSHUB_RUNTIME_HOME"
"""Environment variable that every process of a local Airflow carries; its value is the home folder it belongs to."""
PRELOAD = "CSHUB_PRELOAD"
"""Modules to import at start, set for the scheduler and the dag-processor only: their forks then share them."""

PRELOADED = (
    "pandas",
    "pandera.pandas",
    "pyarrow.parquet",
    "ruamel.yaml",
    "croniter",
    "nh3",
    "alembic.runtime.migration",
    "airflow.providers.http.hooks.http",
    "airflow.providers.standard.operators.hitl",
    "cshub.dag_factory",
    "cshub.pipeline.opening",
    "cshub.pipeline.extract",
    "cshub.pipeline.map",
    "cshub.pipeline.load",
)
"""What a task imports: 1 to 3 seconds each time, unless the process it is forked from has done it already."""

_LOCAL_SETTINGS = f"""\
def _preload():
    import importlib
    import logging
    import os

    for name in filter(None, os.environ.get("{PRELOAD}", "").split(",")):
        try:
            importlib.import_module(name)
        except Exception:
            logging.getLogger(__name__).warning("Not preloaded, so tasks are slower: %s", name, exc_info=True)


_preload()
"""


@dataclass(frozen=True)
class Login:
    """A user of the local Airflow; `role` is one of Airflow's viewer, user, op, admin."""

    name: str
    password: str
    role: str = "admin"


@dataclass(frozen=True)
class RuntimeSecrets:
    """The keys of one local Airflow. They are made once and kept in its home folder, readable by the owner only."""

    fernet_key: str
    jwt_secret: str
    api_secret: str

    @classmethod
    def load(cls, path: Path) -> "RuntimeSecrets":
        """Read the keys from `path`, or make new ones and store them there."""
        if not path.exists():
            made = {
                "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
                "jwt_secret": secrets.token_urlsafe(48),
                "api_secret": secrets.token_urlsafe(48),
            }
            write_private(path, json.dumps(made))
        return cls(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True, kw_only=True)
class AirflowSettings:
    """Where a local Airflow lives and what it runs.

    `home` holds everything it writes; `port` is the API's, on the loopback address only; `timezone` is the hub's zone
    (an IANA name). `extra` is added last and may override anything.
    """

    home: Path
    dags_dir: Path
    plugins_dir: Path
    jobs_dir: Path
    metadata_url: str
    ledger_url: str
    port: int
    timezone: str = "UTC"
    logins: tuple[Login, ...] = (Login("admin", "admin"),)
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def airflow_home(self) -> Path:
        """Airflow's own home folder, inside `home`."""
        return self.home / "airflow"

    @property
    def base_url(self) -> str:
        """Address of the user interface and the REST API, without a closing slash."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def passwords_file(self) -> Path:
        """The file Airflow's simple auth manager reads the passwords from."""
        return self.airflow_home / "passwords.json"

    def prepare(self) -> None:
        """Create the folders and write the files that Airflow reads at start: passwords and the preloading hook."""
        for folder in (self.airflow_home / "config", self.home / "logs", self.home / "staging", self.home / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
        write_private(self.passwords_file, json.dumps({login.name: login.password for login in self.logins}))
        (self.airflow_home / "config" / "airflow_local_settings.py").write_text(_LOCAL_SETTINGS, encoding="utf-8")

    def environment(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """The environment of every Airflow process: `inherited`, cleared of Airflow's and the hub's own, and ours."""
        keys = RuntimeSecrets.load(self.home / "secrets.json")
        ours = {key: value for key, value in inherited.items() if not key.startswith(("AIRFLOW", "CSHUB_", "_AIRFLOW"))}
        include_dir = self.dags_dir.parent / "include"
        bare_hosts = [host for host in inherited.get("NO_PROXY", inherited.get("no_proxy", "")).split(",") if host]
        no_proxy = ",".join(dict.fromkeys((*bare_hosts, LOOPBACK, "localhost")))
        airflow = {
            ("core", "dags_folder"): str(self.dags_dir),
            ("core", "plugins_folder"): str(self.plugins_dir),
            ("core", "executor"): "LocalExecutor",
            ("core", "parallelism"): "8",
            ("core", "load_examples"): "False",
            ("core", "dags_are_paused_at_creation"): "True",
            ("core", "default_timezone"): self.timezone,
            ("core", "test_connection"): "Enabled",
            ("core", "hostname_callable"): "socket.gethostname",
            ("core", "fernet_key"): keys.fernet_key,
            ("core", "execution_api_server_url"): f"{self.base_url}/execution/",
            ("core", "simple_auth_manager_users"): ",".join(f"{login.name}:{login.role}" for login in self.logins),
            ("core", "simple_auth_manager_passwords_file"): str(self.passwords_file),
            ("database", "sql_alchemy_conn"): self.metadata_url,
            ("logging", "base_log_folder"): str(self.home / "logs" / "airflow"),
            ("logging", "dag_processor_child_process_log_directory"): str(self.home / "logs" / "airflow" / "dags"),
            ("api", "host"): LOOPBACK,
            ("api", "port"): str(self.port),
            ("api", "base_url"): self.base_url,
            ("api", "workers"): "1",
            ("api", "secret_key"): keys.api_secret,
            ("api", "instance_name"): "cshub",
            ("api_auth", "jwt_secret"): keys.jwt_secret,
            ("scheduler", "scheduler_idle_sleep_time"): "0.3",
            ("scheduler", "task_instance_heartbeat_timeout"): "30",
            ("scheduler", "task_instance_heartbeat_sec"): "5",
            ("scheduler", "orphaned_tasks_check_interval"): "15",
            ("workers", "min_heartbeat_interval"): "1",
            ("dag_processor", "refresh_interval"): "10",
            ("dag_processor", "min_file_process_interval"): "30",
            ("dag_processor", "dag_bundle_storage_path"): str(self.home / "bundles"),
        }
        return {
            **ours,
            **{f"AIRFLOW__{section}__{key}".upper(): value for (section, key), value in airflow.items()},
            "AIRFLOW_HOME": str(self.airflow_home),
            "PYTHONPATH": os.pathsep.join((str(self.plugins_dir), str(include_dir))),
            "TMPDIR": str(self.home / "tmp"),
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
            "SPT_NOENV": "1",
            MARKER: str(self.home),
            "CSHUB_LEDGER_URL": self.ledger_url,
            "CSHUB_STAGING_URL": (self.home / "staging").as_uri(),
            "CSHUB_TIMEZONE": self.timezone,
            "CSHUB_JOBS_DIR": str(self.jobs_dir),
            **self.extra,
        }


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` so that only its owner can read it, at no moment anybody else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
