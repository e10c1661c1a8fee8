"""After everything else: no secret of any service is to be found in what Airflow and the hub have written or answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.e2e.hub import Hub
from tests.e2e.stage import Stage

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("local-airflow"), pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def tokens(stage: Stage, hub: Hub) -> set[str]:
    """Tokens, consumer secrets, passwords, and the beginning of every Salesforce session id."""
    running = [scene for scene in stage.scenes.values() if scene.process.component.alive()]
    assert hub.scene in running
    return {token for scene in running for token in scene.tokens}


def files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def test_no_file_of_the_home_folder_holds_a_token(stage: Stage, tokens: set[str]) -> None:
    wanted = [token.encode() for token in tokens]
    telling = [
        str(path.relative_to(stage.airflow.home))
        for path in files(stage.airflow.home)
        if any(token in path.read_bytes() for token in wanted)
    ]
    assert telling == []


def test_no_answer_of_the_rest_api_holds_a_token(stage: Stage, tokens: set[str]) -> None:
    paths = ["connections", "variables", "dags", "assets/events", "eventLogs", "importErrors", "config"]
    for job_id in stage.rest.dag_ids():
        for run in stage.rest.runs(job_id)[:3]:
            path = f"dags/{job_id}/dagRuns/{quote(run['dag_run_id'], safe='')}"
            paths += [path, f"{path}/taskInstances", f"{path}/taskInstances/load/logs/1"]
            paths += [f"{path}/taskInstances/{task}/xcomEntries/return_value" for task in ("extract", "diff", "load")]
    paths += [f"connections/{system}_hub" for system in ("chorus", "totango", "salesforce")]
    answers = {path: stage.answer(path) for path in paths}
    assert [path for path, text in answers.items() if any(token in text for token in tokens)] == []
    assert sum("return_value" in text for text in answers.values()) > 0
