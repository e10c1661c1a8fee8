"""Only these records: asked for by id in the trigger form, read without moving the watermark."""

from __future__ import annotations

from typing import Any

import pytest

from cshub.core.errors import SpecError
from cshub.core.records import RunKind
from cshub.ledger import Ledger
from cshub.operators.named import named_records
from cshub.settings import Settings
from cshub_sandbox.testing import RunningSandbox
from tests.operators.conftest import JOB, HandMadeRun, ledger_run

FULL = "00U5g00000XyZ12EAF"


@pytest.mark.parametrize("form", [FULL, FULL[:15], FULL.lower(), f"  {FULL}\n"])
def test_a_salesforce_id_may_be_given_in_any_of_its_forms(form: str) -> None:
    assert named_records([form, FULL], system="salesforce") == (FULL,)


def test_ids_of_other_systems_are_taken_as_they_are_and_each_once() -> None:
    assert named_records(["900123", "", " 900124 ", "900123", 900125], system="totango") == (
        "900123",
        "900124",
        "900125",
    )


def test_what_cannot_be_a_salesforce_id_is_named() -> None:
    with pytest.raises(SpecError, match="'900123' is not the id of a record in Salesforce"):
        named_records(["900123"], system="salesforce")


@pytest.fixture
def synced(run: HandMadeRun) -> HandMadeRun:
    run.until("load")
    return run


def made(sandbox: RunningSandbox) -> list[dict[str, Any]]:
    notes = sandbox.control.state("totango")["touchpoints"]
    return [note for note in notes if note["by_api"] and not note.get("deleted")]


def test_only_the_named_records_are_read_and_the_watermark_stays(
    synced: HandMadeRun, operators: dict[str, Any], settings: Settings
) -> None:
    with Ledger.open(settings.ledger_url) as ledger:
        before = ledger.watermark(JOB)
        first, second, *_ = [row.source_key for row in ledger.decisions_of_run(f"{JOB}:{synced.run_id}")]
    again = HandMadeRun(operators, run_id="manual__2", params={"records": [first, second]})
    done = again.until("load")
    assert (done["extract"]["by_origin"], done["load"]["outcome"]) == ({"named": 2}, "green")
    row = ledger_run(settings, again)
    assert row is not None and row.kind is RunKind.RETRY
    with Ledger.open(settings.ledger_url) as ledger:
        assert ledger.watermark(JOB) == before


def test_a_record_that_a_person_deleted_in_the_target_is_made_again_when_it_is_named(
    synced: HandMadeRun, operators: dict[str, Any], sandbox: RunningSandbox, settings: Settings
) -> None:
    with Ledger.open(settings.ledger_url) as ledger:
        entry = next(row for row in ledger.decisions_of_run(f"{JOB}:{synced.run_id}") if row.outcome == "created")
    count = len(made(sandbox))
    note = next(note for note in made(sandbox) if str(note["note_id"]) == entry.target_key)
    sandbox.control.act("totango", "delete_touchpoint", note_id=note["note_id"])
    HandMadeRun(operators, run_id="manual__2").until("load")
    assert len(made(sandbox)) == count - 1
    named = HandMadeRun(operators, run_id="manual__3", params={"records": [entry.source_key]}).until("load")
    assert named["load"]["stats"]["created"] == 1
    assert len(made(sandbox)) == count


def test_an_id_that_the_source_does_not_have_is_counted_as_not_readable(
    synced: HandMadeRun, operators: dict[str, Any]
) -> None:
    done = HandMadeRun(operators, run_id="manual__2", params={"records": ["NO-SUCH-MEETING"]}).until("load")
    assert done["load"]["stats"]["skipped"] == {"source_not_readable": 1}


@pytest.mark.parametrize("beside", [{"full_sync": True}, {"only_waiting": True}, {"window_start": "2026-11-01"}])
def test_named_records_are_read_alone(operators: dict[str, Any], beside: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="Named records are read by their ids and nothing else"):
        HandMadeRun(operators, params={"records": ["A"], **beside}).execute("extract")
