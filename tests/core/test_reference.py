from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cshub.core.jobfile import parse_yaml
from cshub.core.reference import job_schema, job_tables, mapping_schema, transforms_table
from cshub.core.transforms import TRANSFORMS
from cshub.reference_files import main, reference_files, stale_files

from .core_cast import JOB_YAML, TEMPLATE_YAML, WIDE_ROWS

ROOT = Path(__file__).parents[2]
JOBS = Draft202012Validator(job_schema())
TEMPLATES = Draft202012Validator(mapping_schema())


def problems(validator: Draft202012Validator, text: str) -> list[str]:
    return [error.message for error in validator.iter_errors(parse_yaml(text, "x.yaml")[0])]


def test_the_generated_files_in_the_repository_are_up_to_date() -> None:
    assert stale_files(ROOT) == [], "run `python -m cshub.reference_files` and commit what it wrote"


@pytest.mark.parametrize("schema", [job_schema(), mapping_schema()], ids=["job", "mapping"])
def test_the_schemas_are_schemas(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", sorted(ROOT.glob("include/jobs/*.yaml")), ids=lambda path: path.stem)
def test_the_jobs_that_come_along_fit_the_schema(path: Path) -> None:
    assert problems(JOBS, path.read_text("utf-8")) == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("include/mappings/*.yaml")), ids=lambda path: path.stem)
def test_the_templates_that_come_along_fit_the_schema(path: Path) -> None:
    assert problems(TEMPLATES, path.read_text("utf-8")) == []


@pytest.mark.parametrize("folder", ["jobs", "mappings"])
def test_files_that_come_along_point_editors_to_their_schema(folder: str) -> None:
    for path in ROOT.glob(f"include/{folder}/*.yaml"):
        first = path.read_text("utf-8").splitlines()[0]
        assert (path.parent / first.partition("$schema=")[2]).resolve().is_file()


@pytest.mark.parametrize("rows", ["", WIDE_ROWS, WIDE_ROWS.replace("translate: {", "translate: {otherwise: null, ")])
def test_what_the_hub_takes_fits_the_schema(rows: str) -> None:
    assert problems(JOBS, JOB_YAML + rows) == []
    assert problems(TEMPLATES, TEMPLATE_YAML) == []


@pytest.mark.parametrize(
    "wrong",
    [
        "retries: many\n",
        "schedule: {kind: never}\n",
        "colour: blue\n",
        WIDE_ROWS.replace("[strip, truncate: 80]", "[stripp]"),
        WIDE_ROWS.replace("[strip, truncate: 80]", "[truncate]"),
        WIDE_ROWS.replace("[strip, truncate: 80]", "[truncate: short]"),
        WIDE_ROWS.replace("[strip, truncate: 80]", "[{truncate: 80, prefix: x}]"),
        WIDE_ROWS.replace("target: minutes", "targt: minutes"),
    ],
)
def test_editors_mark_what_the_hub_refuses(wrong: str) -> None:
    assert problems(JOBS, JOB_YAML + wrong)


def test_every_transform_is_completed_and_explained() -> None:
    items = job_schema()["$defs"]["FieldMap"]["properties"]["transforms"]["items"]["anyOf"]
    assert {*items[0]["enum"], *items[1]["properties"]} == set(TRANSFORMS)
    table = transforms_table()
    assert all(f"| `{name}" in table and transform.help in table for name, transform in TRANSFORMS.items())


def test_every_setting_of_a_job_has_a_row_with_its_meaning() -> None:
    rows = [line for line in job_tables().splitlines() if line.startswith(("| `", "| **`"))]
    settings = {
        name
        for block in [job_schema(), *job_schema()["$defs"].values()]
        for name in copy.deepcopy(block.get("properties", {}))
    }
    assert {line.split("`")[1] for line in rows} == settings
    assert [line for line in rows if line.endswith("|  |")] == []


def test_stale_files_are_named_and_then_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = ["--root", str(tmp_path)]
    assert main([*root, "--check"]) == 1
    assert "docs/reference/job.md is not up to date: run `python -m cshub.reference_files`" in capsys.readouterr().err
    assert main(root) == 0
    assert main([*root, "--check"]) == 0
    assert sorted(reference_files()) == sorted(
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()
    )


def test_the_page_lists_the_options_of_every_object_with_their_meaning() -> None:
    page = reference_files()["docs/reference/job.md"]
    for name in ("engagement_types", "account_match.attribute", "disable_sync"):
        row = next(line for line in page.splitlines() if line.startswith(f"| `{name}`"))
        assert row.strip("| ").count(" | ") == 3 and row.strip("| ").rpartition(" | ")[2]


def test_the_page_tells_the_options_of_an_object_as_a_source_and_as_a_target() -> None:
    page = reference_files()["docs/reference/job.md"]
    event = page.partition("## Options of Salesforce event\n")[2].partition("\n## ")[0]
    reading, _, writing = event.partition("`target.options`")
    assert reading.lstrip().startswith("`source.options`")
    assert "| `filter` |" in reading and "| `filter` |" not in writing
    assert "| `external_id_field` |" in writing and "| `external_id_field` |" not in reading


def test_an_object_with_the_same_options_for_both_is_told_once() -> None:
    page = reference_files()["docs/reference/job.md"]
    assert (
        page.partition("## Options of Chorus engagement\n")[2].partition("\n## ")[0].count("| `with_trackers` |") == 1
    )
