"""Every kind of bad answer between Salesforce and Totango: a right result, or an error that says what to do."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any

import pytest

from cshub.core.errors import HubError, PermanentError
from cshub_sandbox.gate import BEFORE_COMMIT
from tests.faults.test_answers import TROUBLES, Trouble, status
from tests.faults.two_way_stage import BOTH_WAYS, Stage, Way, Work, a_busy_day, make_stage, rounds
from tests.pipeline.two_way import KINDS, Sync

SHARE = 7


class Call(StrEnum):
    QUERY = "querying-salesforce"
    RETRIEVE = "reading-salesforce-by-id"
    SALESFORCE_WRITE = "writing-salesforce"
    TOTANGO_READ = "reading-totango"
    TOTANGO_WRITE = "writing-totango"


CALLS: Mapping[Call, Mapping[str, Any]] = {
    Call.QUERY: {"service": "salesforce", "path": "/services/data/*/query*"},
    Call.RETRIEVE: {"service": "salesforce", "path": "*/composite/sobjects/*", "method": "POST"},
    Call.SALESFORCE_WRITE: {"service": "salesforce", "only_writes": True},
    Call.TOTANGO_READ: {"service": "totango", "path": "/api/*search*"},
    Call.TOTANGO_WRITE: {"service": "totango", "only_writes": True},
}
USED: Mapping[Way, tuple[Call, ...]] = {
    Way.INBOUND: (Call.QUERY, Call.TOTANGO_READ, Call.TOTANGO_WRITE),
    Way.OUTBOUND: (Call.RETRIEVE, Call.SALESFORCE_WRITE, Call.TOTANGO_READ),
}
READS = frozenset({Call.QUERY, Call.RETRIEVE, Call.TOTANGO_READ})
OF_SALESFORCE: Mapping[str, Trouble] = {
    "no-session": Trouble(status(401, body='[{"errorCode": "INVALID_SESSION_ID", "message": "Session expired"}]')),
    "row-lock-of-the-call": Trouble(status(400, body='[{"errorCode": "UNABLE_TO_LOCK_ROW", "message": "locked"}]')),
    "server-error-with-a-code": Trouble(status(500, body='[{"errorCode": "UNKNOWN_EXCEPTION", "message": "gack"}]')),
    "answer-shorter-than-the-request": Trouble({"kind": "empty_page"}),
    "rows-answered-twice": Trouble({"kind": "duplicated_rows"}),
}


def cases() -> Iterator[tuple[Way, Call, str]]:
    for way in BOTH_WAYS:
        for call in USED[way]:
            for name, trouble in TROUBLES.items():
                wants_reads = not any(side.value.startswith("writing") for side in trouble.sides)
                if call in READS if wants_reads else (call not in READS or len(trouble.sides) > 1):
                    yield way, call, name
            if call not in (Call.TOTANGO_READ, Call.TOTANGO_WRITE):
                yield from ((way, call, name) for name in OF_SALESFORCE)


CASES = [pytest.param(*case, id=f"{case[0]}-{case[1]}-{case[2]}") for case in cases()]


@dataclass
class Prepared:
    stage: Stage
    calls: dict[tuple[Way, Call], int] = field(default_factory=dict)


def a_short_day(work: Work) -> None:
    a_busy_day(work, creates=3, edits=2, deletes=1)


@pytest.fixture(scope="module", params=list(KINDS.values()), ids=list(KINDS))
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    stage = make_stage(tmp_path_factory.mktemp("answers"), request.param, a_short_day, records=14)
    found = Prepared(stage)
    for way in BOTH_WAYS:
        sync = stage.fork()
        for conditions in CALLS.values():
            sync.lab.fault("status", status=500, **{"nth": 10**9, **conditions})
        stage.course(sync, way).go_on()
        listed = sync.lab.sandbox.faults.listing()
        found.calls.update({(way, call): listed[number]["matched"] for number, call in enumerate(CALLS)})
        sync.lab.ledger.close()
    yield found
    stage.sync.lab.ledger.close()


def meet_trouble(prepared: Prepared, way: Way, call: Call, name: str, **when: Any) -> None:
    """A run meets the trouble; then it is gone, the run is gone on with, and both directions follow."""
    stage, trouble = prepared.stage, {**TROUBLES, **OF_SALESFORCE}[name]
    sync = stage.fork()
    watermark = sync.lab.ledger.watermark(_job_id(sync, way))
    sync.lab.fault(**{**trouble.rule, **CALLS[call], **when})
    course = stage.course(sync, way)
    try:
        done = course.go_on()
    except HubError as error:
        assert not when or isinstance(error, PermanentError), f"one {name} should be outlived: {error!r}"
        assert_told_well(sync, error)
        assert sync.lab.ledger.watermark(_job_id(sync, way)) == watermark
        sync.lab.sandbox.faults.clear()
        sync.lab.wait(minutes=4)
        course.insist()
    else:
        done.statistics.check()
        sync.lab.sandbox.faults.clear()
    sync.lab.wait(minutes=10)
    rounds(sync, way.other)
    may_repeat = call not in READS and trouble.rule["kind"] not in BEFORE_COMMIT
    stage.check(sync, total=stage.total, may_repeat=may_repeat)
    assert all(sync.lab.ledger.rejects(_job_id(sync, each)) == [] for each in BOTH_WAYS)
    sync.lab.ledger.close()


def assert_told_well(sync: Sync, error: HubError) -> None:
    """The message names the service and the next step, and no secret."""
    text = str(error)
    assert re.search(r"Salesforce|Totango", text), text
    assert re.search(r"\b(again|check|correct|ask|make|give|store|wait|run|read|use|see)\b", text, re.IGNORECASE), text
    secrets = [sync.lab.sandbox.service("totango").token, sync.lab.sandbox.service("salesforce").login["client_secret"]]
    assert not any(str(secret) in text for secret in secrets)


def _job_id(sync: Sync, way: Way) -> str:
    job = sync.lab.job if way is Way.INBOUND else sync.lab.back
    assert job is not None
    return job.id


def test_one_bad_answer_in_the_middle_is_outlived(prepared: Prepared) -> None:
    for way, call, name in Random(6).sample(list(cases()), SHARE):
        meet_trouble(prepared, way, call, name, nth=prepared.calls[way, call] // 2 + 1)


def test_bad_answers_that_do_not_end_are_told_and_lose_nothing(prepared: Prepared) -> None:
    for way, call, name in Random(7).sample(list(cases()), SHARE // 2):
        meet_trouble(prepared, way, call, name)


@pytest.mark.campaign
@pytest.mark.parametrize(("way", "call", "name"), CASES)
def test_every_bad_answer_in_the_middle_is_outlived(prepared: Prepared, way: Way, call: Call, name: str) -> None:
    meet_trouble(prepared, way, call, name, nth=prepared.calls[way, call] // 2 + 1)


@pytest.mark.campaign
@pytest.mark.parametrize(("way", "call", "name"), CASES)
def test_every_bad_answer_that_does_not_end_is_told(prepared: Prepared, way: Way, call: Call, name: str) -> None:
    meet_trouble(prepared, way, call, name)
