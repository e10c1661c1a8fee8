"""What the pages on integrations show is what these tests run, so all of it must at least be valid."""

from __future__ import annotations

from pathlib import Path

import pytest

from cshub.library import JobLibrary
from cshub.settings import PROJECT
from tests.integrations.stage import DOCS, documented_files

JOBS = sorted(path for path in documented_files() if path.startswith("include/jobs/"))


@pytest.mark.parametrize("shown", JOBS)
def test_every_job_that_is_shown_is_valid(shown: str, tmp_path: Path) -> None:
    files = documented_files()
    mappings = tmp_path / "mappings"
    mappings.mkdir()
    for path in (PROJECT / "include" / "mappings").glob("*.yaml"):
        (mappings / path.name).write_text(path.read_text("utf-8"), "utf-8")
    for path in (Path(name) for name in files if name.startswith("include/mappings/")):
        (mappings / path.name).write_text(files[str(path)], "utf-8")
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    (jobs / Path(shown).name).write_text(files[shown], "utf-8")
    assert JobLibrary(jobs, mappings).check() == {Path(shown).stem: []}


def test_every_page_is_named_on_the_first_one() -> None:
    index = (DOCS / "index.md").read_text("utf-8")
    for page in DOCS.glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in index, page.name
