"""Pytest fixtures that give tests a real PostgreSQL: one embedded server per test process, one database per test.

Loaded for the whole suite by the project's pytest settings; nothing is imported or started until a test asks for it.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cshub_runtime.postgres import EmbeddedPostgres

_numbers = count(1)


@pytest.fixture(scope="session")
def postgres_server() -> "Iterator[EmbeddedPostgres]":
    """A running server (about 1 s to start) without durability, private to this test process, removed at the end."""
    from cshub_runtime.postgres import EmbeddedPostgres

    folder = Path(tempfile.mkdtemp(prefix="cshub-test-"))
    folder.chmod(0o711)
    try:
        with EmbeddedPostgres(folder / "data", durable=False) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: "EmbeddedPostgres") -> Iterator[str]:
    """SQLAlchemy url (psycopg2) of a new, empty database that is dropped after the test (about 0.1 s)."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    yield postgres_server.create_database(name)
    postgres_server.drop_database(name)
