"""The deployment files: as far as they can be checked without a container engine."""

from __future__ import annotations

import re
import subprocess
import sys

from ruamel.yaml import YAML

from cshub.settings import PROJECT

COMPOSE = PROJECT / "docker-compose.yaml"


def test_the_compose_file_follows_the_compose_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_variable_of_the_compose_file_is_in_the_example_of_the_environment() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE.read_text("utf-8")))
    given = set(re.findall(r"^([A-Z_]+)=", (PROJECT / ".env.example").read_text("utf-8"), re.MULTILINE))
    assert asked == given


def test_the_example_of_the_environment_holds_no_secret() -> None:
    lines = (PROJECT / ".env.example").read_text("utf-8").splitlines()
    assert [line for line in lines if "=" in line and not line.startswith("#") and not line.endswith("=")] == [
        "CSHUB_TIMEZONE=UTC"
    ]


def test_what_the_containers_mount_and_copy_exists() -> None:
    services = YAML(typ="safe").load(COMPOSE)["services"]
    mounted = {item.split(":")[0] for service in services.values() for item in service.get("volumes", [])}
    copied = re.findall(r"^COPY (.+) \S+$", (PROJECT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    names = {name.removeprefix("./") for name in mounted if name.startswith("./")}
    names |= {name for line in copied for name in line.split()}
    assert {name for name in names if not (PROJECT / name).exists()} == set()
