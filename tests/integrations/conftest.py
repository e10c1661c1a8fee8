"""One Airflow and one sandbox for all tests of the documented integrations; a world, a ledger and jobs for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cshub_sandbox.testing import RunningSandbox, start_sandbox
from tests.integrations.stage import ACCOUNTS, NOW, SEED, AirflowChild, Stage


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowChild]:
    child = AirflowChild(tmp_path_factory.mktemp("airflow"))
    yield child
    child.close()


@pytest.fixture(scope="session")
def sandbox() -> Iterator[RunningSandbox]:
    with start_sandbox(("salesforce", "totango"), seed=SEED, accounts=ACCOUNTS, meetings=0, now=NOW) as running:
        yield running


@pytest.fixture
def stage(sandbox: RunningSandbox, airflow: AirflowChild, tmp_path: Path) -> Stage:
    return Stage.set(sandbox, airflow, tmp_path)
