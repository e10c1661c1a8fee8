"""Job files on disk."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cshub.core.errors import IdentityChanged, SpecError
from cshub.core.records import Pair
from cshub.ledger import Ledger
from cshub.library import JobLibrary, objects_of
from cshub.pipeline.opening import refuse_rival
from cshub.pipeline.run import known_pair
from cshub.settings import PROJECT

DEMO = "chorus_touchpoints_inbound"
NOW = datetime(2026, 11, 20, tzinfo=UTC)


@pytest.fixture
def library(tmp_path: Path) -> JobLibrary:
    """A folder of its own with the demo's job and a second one that differs in its id only."""
    shutil.copy(PROJECT / "include" / "jobs" / f"{DEMO}.yaml", tmp_path)
    text = (tmp_path / f"{DEMO}.yaml").read_text("utf-8").replace(f"id: {DEMO}", "id: customer_calls", 1)
    (tmp_path / "customer_calls.yaml").write_text(text, "utf-8")
    return JobLibrary(tmp_path, PROJECT / "include" / "mappings")


def add_pair(library: JobLibrary, job_id: str, pair: str) -> None:
    path = library.path_of(job_id)
    path.write_text(path.read_text("utf-8") + f"pair: {pair}\n", "utf-8")


def test_a_file_that_is_not_utf8_is_a_fault_with_its_line_and_leaves_the_others_alone(library: JobLibrary) -> None:
    (library.jobs_dir / "latin.yaml").write_bytes("version: 1\nname: Gespräche\n".encode("latin-1"))
    (library.jobs_dir / "customer_calls.yaml").unlink()
    found = library.check()
    assert found[DEMO] == []
    (fault,) = found["latin"]
    assert (fault.line, fault.reason) == (2, "not text in UTF-8")


def test_two_jobs_of_one_route_without_a_common_pair_are_faults_of_both(library: JobLibrary) -> None:
    found = library.check()
    assert [fault.field for fault in found[DEMO]] == ["pair"]
    assert [fault.field for fault in found["customer_calls"]] == ["pair"]
    assert f"Write the same `pair:` in both, such as `pair: {DEMO}`" in found["customer_calls"][0].remedy


def test_two_jobs_of_one_route_may_share_a_pair(library: JobLibrary) -> None:
    add_pair(library, "customer_calls", DEMO)
    assert library.check() == {DEMO: [], "customer_calls": []}


def test_two_jobs_with_other_connections_are_no_rivals(library: JobLibrary) -> None:
    path = library.path_of("customer_calls")
    path.write_text(path.read_text("utf-8").replace("totango_default", "totango_eu"), "utf-8")
    assert library.check() == {DEMO: [], "customer_calls": []}


def test_the_job_that_came_second_is_stopped_before_its_first_run(library: JobLibrary, tmp_path: Path) -> None:
    first, second = library.load(library.path_of(DEMO)).bound, library.load(library.path_of("customer_calls")).bound
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        refuse_rival(library, first, ledger)
        sides = {"source": ("chorus", "engagement", "a.example"), "target": ("totango", "touchpoint", "b.example")}
        ledger.bind_pair(DEMO, now=NOW, **sides)
        refuse_rival(library, first, ledger)
        with pytest.raises(SpecError, match=f"Write `pair: {DEMO}` in the file of customer_calls"):
            refuse_rival(library, second, ledger)
        add_pair(library, "customer_calls", DEMO)
        refuse_rival(library, library.load(library.path_of("customer_calls")).bound, ledger)


OUTBOUND = "salesforce_touchpoints_outbound"
RECORDS = """\
version: 1
id: {id}
type: salesforce_touchpoints_outbound
name: {id}
source:
  connection: totango_default
target:
  connection: salesforce_default
  object: record
  options: {{object: {object}, account_field: Account__c}}
mapping:
  fields:
    - {{source: touchpoint_id, target: Id, key: true}}
    - {{source: account_id, target: Account__c, key: true}}
    - {{source: subject, target: Name}}
  skip_when: []
"""


@pytest.fixture
def records(tmp_path: Path) -> JobLibrary:
    """Two jobs from touchpoints to records of one's own, behind the same two connections."""
    for job_id, name in (("visits", "Visit__c"), ("steps", "Step__c")):
        (tmp_path / f"{job_id}.yaml").write_text(RECORDS.format(id=job_id, object=name), "utf-8")
    return JobLibrary(tmp_path, PROJECT / "include" / "mappings")


def test_two_custom_objects_of_one_source_are_no_rivals(records: JobLibrary) -> None:
    assert records.check() == {"steps": [], "visits": []}
    assert records.rivals(records.bound("visits")) == []


@pytest.mark.parametrize("name", ["Visit__c", "visit__C"])
def test_two_jobs_of_one_custom_object_are_rivals_however_its_name_is_written(records: JobLibrary, name: str) -> None:
    records.path_of("steps").write_text(RECORDS.format(id="steps", object=name), "utf-8")
    assert [rival.id for rival in records.rivals(records.bound("visits"))] == ["steps"]


def test_events_as_records_of_any_object_are_still_events(records: JobLibrary) -> None:
    shutil.copy(PROJECT / "include" / "jobs" / f"{OUTBOUND}.yaml", records.jobs_dir)
    records.path_of("steps").write_text(RECORDS.format(id="steps", object="Event"), "utf-8")
    found = records.rivals(records.load(records.path_of("steps")).bound)
    assert [rival.id for rival in found] == [OUTBOUND]


def test_a_pair_of_one_custom_object_is_not_bound_to_another(records: JobLibrary, tmp_path: Path) -> None:
    names = [objects_of(records.bound(job_id)) for job_id in ("visits", "steps")]
    assert names == [("touchpoint", "visit__c"), ("touchpoint", "step__c")]
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        visits, steps = (("salesforce", target, "00D1") for _, target in names)
        ledger.bind_pair("records", source=("totango", "touchpoint", "17"), target=visits, now=NOW)
        with pytest.raises(IdentityChanged, match=r"this job's is salesforce step__c of 00D1.*Write `pair:` with"):
            ledger.bind_pair("records", source=("totango", "touchpoint", "17"), target=steps, now=NOW)
        add_pair(records, "visits", "records")
        add_pair(records, "steps", "records")
        assert known_pair(records.bound("visits"), ledger) is not None
        assert known_pair(records.bound("steps"), ledger) is None


def test_both_directions_between_two_custom_objects_of_one_org_are_told_apart(tmp_path: Path) -> None:
    visits, steps = ("salesforce", "visit__c", "00D1"), ("salesforce", "step__c", "00D1")
    with Ledger.open(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        there = ledger.bind_pair("records", source=visits, target=steps, now=NOW)
        assert ledger.bind_pair("records", source=steps, target=visits, now=NOW) == Pair(there.number, mirrored=True)
