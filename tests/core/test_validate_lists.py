"""Lists of values on either side of a row, as far as the catalogues know them."""

from __future__ import annotations

from pathlib import Path

import pytest

from cshub.library import JobLibrary
from cshub.settings import PROJECT

HEAD = """\
version: 1
id: job
type: salesforce_tasks_outbound
name: Job
source: {connection: totango_default}
target: {connection: salesforce_default}
mapping:
  fields:
    - {source: account_id, target: AccountId, key: true}
    - {source: task_id, target: Id, key: true}
"""
BACK = """\
version: 1
id: job
type: salesforce_tasks_inbound
name: Job
source: {connection: salesforce_default}
target: {connection: totango_default}
mapping:
  fields:
    - {source: AccountId, target: account_id, key: true}
    - {source: Id, target: task_id, key: true}
    - {source: Subject, target: title}
"""


def reasons(folder: Path, text: str) -> list[str]:
    (folder / "job.yaml").write_text(text, "utf-8")
    return [fault.reason for fault in JobLibrary(folder, PROJECT / "include" / "mappings").check()["job"]]


@pytest.mark.parametrize("otherwise", ["keep", "null"])
def test_a_table_names_every_value_of_the_source_or_says_what_becomes_of_the_others(
    tmp_path: Path, otherwise: str
) -> None:
    row = '    - {{source: priority, target: Priority, translate: {{table: {{"1": High}}{}}}}}\n'
    assert reasons(tmp_path, HEAD + row.format("")) == [
        "the table has no row for 2, 3 of priority: such records are rejected"
    ]
    assert reasons(tmp_path, HEAD + row.format(f", otherwise: {otherwise}")) == []


@pytest.mark.parametrize("rule", ["{field: status, equals: closed}", "{field: status, in: [closed]}"])
def test_values_that_a_rule_leaves_out_need_no_row(tmp_path: Path, rule: str) -> None:
    row = "    - {source: status, target: Status, translate: {table: {open: Not Started}}}\n"
    skip = f"  skip_when:\n    - {{reason: finished, when: [{rule}]}}\n"
    assert len(reasons(tmp_path, HEAD + row)) == 1
    assert reasons(tmp_path, HEAD + row + skip) == []


def test_a_rule_with_a_second_condition_leaves_out_only_some_of_them(tmp_path: Path) -> None:
    row = "    - {source: status, target: Status, translate: {table: {open: Not Started}}}\n"
    both = "[{field: status, equals: closed}, {field: title, is_empty: true}]"
    assert len(reasons(tmp_path, f"{HEAD}{row}  skip_when:\n    - {{reason: finished, when: {both}}}\n")) == 1


def test_a_target_that_takes_a_list_of_values_needs_a_table(tmp_path: Path) -> None:
    (reason,) = reasons(tmp_path, BACK + "    - {source: Status, target: status}\n")
    assert reason == "status takes only open, closed, and there is no translation table"
