"""Every kind of bad answer, reading and writing: a right result, or an error that says what to do; nothing is lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from cshub.core.errors import (
    AuthenticationFailed,
    HubError,
    PermanentError,
    PermissionDenied,
    RateLimited,
    TransientError,
)
from cshub.core.records import RunOutcome
from tests.pipeline.cast import absent_account, meet
from tests.pipeline.lab import Lab
from tests.pipeline.oracle import assert_held, expected_touchpoints, identity_of, made_by_hub


class Side(StrEnum):
    CHORUS_READ = "reading-chorus"
    TOTANGO_READ = "reading-totango"
    TOTANGO_WRITE = "writing-totango"


CALLS: Mapping[Side, Mapping[str, Any]] = {
    Side.CHORUS_READ: {"service": "chorus", "path": "/v3/engagements"},
    Side.TOTANGO_READ: {"service": "totango", "path": "/api/*search*"},
    Side.TOTANGO_WRITE: {"service": "totango", "only_writes": True},
}
READING = (Side.CHORUS_READ, Side.TOTANGO_READ)
EVERYWHERE = (*READING, Side.TOTANGO_WRITE)


@dataclass(frozen=True)
class Trouble:
    """One fault. ``kind``: what a run may end in that meets it again and again."""

    rule: Mapping[str, Any]
    kind: type[HubError] = TransientError
    sides: tuple[Side, ...] = EVERYWHERE
    red: bool = False  # the run ends, red, with the record listed


def status(code: int, **more: Any) -> dict[str, Any]:
    return {"kind": "status", "status": code, **more}


TROUBLES: Mapping[str, Trouble] = {
    "answer-lost-after-commit": Trouble({"kind": "drop_after_commit"}),
    "connection-dropped-before-commit": Trouble({"kind": "drop_before_commit"}),
    "500-before-commit": Trouble(status(500)),
    "503-before-commit": Trouble(status(503)),
    "502-after-commit": Trouble({"kind": "status_after_commit", "status": 502}),
    "504-after-commit": Trouble({"kind": "status_after_commit", "status": 504}),
    "504-before-commit": Trouble(status(504)),
    "429-with-retry-after": Trouble(status(429, headers={"Retry-After": "7"}), RateLimited),
    "429-without-a-word": Trouble(status(429), RateLimited),
    "429-with-a-wrong-reset": Trouble(status(429, headers={"RateLimit-Reset": "99999999999"}), RateLimited),
    "429-with-reset-in-the-past": Trouble(status(429, headers={"RateLimit-Reset": "-5"}), RateLimited),
    "no-connection": Trouble({"kind": "connect_timeout", "delay_s": 20}),
    "time-out": Trouble({"kind": "slow", "delay_s": 600}),
    "one-byte-a-second": Trouble({"kind": "trickle", "delay_s": 1}),
    "endless-redirect": Trouble({"kind": "redirect_loop"}),
    "keep-alive-closed": Trouble({"kind": "keep_alive_closed"}),
    "body-truncated": Trouble({"kind": "truncated"}),
    "json-cut": Trouble({"kind": "cut_json"}),
    "html-with-200": Trouble({"kind": "html"}),
    "token-expired": Trouble({"kind": "token_expired"}, AuthenticationFailed),
    "forbidden": Trouble(status(403), PermissionDenied),
    "empty-page": Trouble({"kind": "empty_page"}, sides=READING),
    "repeated-page": Trouble({"kind": "repeated_page"}, sides=READING),
    "changed-order": Trouble({"kind": "shuffled"}, sides=READING),
    "wrong-totals": Trouble({"kind": "wrong_totals"}, sides=READING),
    "rows-twice": Trouble({"kind": "duplicated_rows"}, sides=READING),
    "row-refused": Trouble(status(400), sides=(Side.TOTANGO_WRITE,), red=True),
    "row-not-found": Trouble(status(404), sides=(Side.TOTANGO_WRITE,), red=True),
    "reading-refused": Trouble(status(400), PermanentError, sides=READING),
}
CASES = [pytest.param(name, side, id=f"{name}-{side}") for name, item in TROUBLES.items() for side in item.sides]


@dataclass
class Prepared:
    """A lab before a run that reads several pages, fills one touchpoint and makes eight."""

    lab: Lab
    folder: Path
    calls: dict[Side, int] = field(default_factory=dict)
    forks: int = 0

    def fork(self) -> Lab:
        self.forks += 1
        return self.lab.fork(self.folder / f"fork{self.forks}")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    folder = tmp_path_factory.mktemp("answers")
    (folder / "origin").mkdir()
    lab = Lab.make(folder / "origin", accounts=8, meetings=0, cases=False)
    lab.sandbox.service("chorus").switches.page_size = 3
    late = meet(lab, summary=None, ended_ago_s=9000, subject="Late")
    lab.sync()
    lab.wait(hours=1)
    lab.act("chorus", "finish_summary", id=late.id)
    for number in range(1, 9):
        account = lab.sandbox.world.accounts[number % 2]
        meet(lab, account=account.crm_id, ended_ago_s=700 * number, subject=f"Meeting {number}")
    meet(lab, account=absent_account(lab).crm_id)
    prepared = Prepared(lab, folder)
    count_calls(prepared)
    yield prepared
    lab.ledger.close()


def count_calls(prepared: Prepared) -> None:
    """How many calls of each side a run without trouble sends."""
    lab = prepared.fork()
    for calls in CALLS.values():
        lab.fault("status", status=500, **{"nth": 10**9, **calls})
    lab.sync()
    lab.ledger.close()
    prepared.calls = {side: lab.sandbox.faults.listing()[number]["matched"] for number, side in enumerate(CALLS)}
    assert min(prepared.calls.values()) >= 5


def meet_trouble(prepared: Prepared, name: str, side: Side, **when: Any) -> None:
    """A run meets the trouble; then it is gone, and the run is gone on with."""
    trouble = TROUBLES[name]
    lab = prepared.fork()
    watermark = lab.ledger.watermark(lab.job.id)
    lab.fault(**{**trouble.rule, **CALLS[side], **when})
    course = lab.course()
    persistent = not when
    ended_red = False
    try:
        done = course.go_on()
    except HubError as error:
        assert persistent or isinstance(error, PermanentError), f"one {name} should be outlived: {error}"
        assert isinstance(error, trouble.kind), repr(error)
        assert_told_well(lab, error)
        assert lab.ledger.watermark(lab.job.id) == watermark
    else:
        assert done.statistics.check().is_green is not trouble.red
        ended_red = done.loaded.outcome is RunOutcome.RED
        assert ended_red is trouble.red
    assert_nothing_doubled(lab)
    lab.sandbox.faults.clear()
    lab.wait(minutes=4)
    if ended_red:
        assert lab.ledger.rejects(lab.job.id)
        course = lab.course()
    done = course.insist()
    assert done.statistics.is_green
    assert_held(lab.sandbox, lab.sandbox.service("chorus").records.by_id.values())
    assert lab.ledger.rejects(lab.job.id) == []
    before = len(lab.written())
    lab.wait(minutes=10)
    assert lab.sync().statistics.writes == 0
    assert len(lab.written()) == before
    lab.ledger.close()


def assert_told_well(lab: Lab, error: HubError) -> None:
    """The message names the service and the next step, and no token."""
    text = str(error)
    assert re.search(r"Chorus|Totango", text), text
    assert re.search(r"\b(again|check|correct|ask|make|give|store|wait|run|read|use)\b", text, re.IGNORECASE), text
    for name in ("chorus", "totango"):
        assert str(lab.sandbox.service(name).token) not in text


def assert_nothing_doubled(lab: Lab) -> None:
    wanted = Counter(item.identity for item in expected_touchpoints(lab.sandbox, records(lab)))
    held = Counter(map(identity_of, made_by_hub(lab.sandbox)))
    assert held <= wanted


def records(lab: Lab) -> Any:
    return lab.sandbox.service("chorus").records.by_id.values()


@pytest.mark.parametrize(("name", "side"), CASES)
def test_one_bad_answer_in_the_middle_is_outlived(prepared: Prepared, name: str, side: Side) -> None:
    meet_trouble(prepared, name, side, nth=prepared.calls[side] // 2 + 1)


@pytest.mark.parametrize(("name", "side"), CASES)
def test_bad_answers_that_do_not_end_are_told_and_lose_nothing(prepared: Prepared, name: str, side: Side) -> None:
    meet_trouble(prepared, name, side)


@pytest.mark.campaign
@pytest.mark.parametrize("place", ["first", "last"])
@pytest.mark.parametrize(("name", "side"), CASES)
def test_one_bad_answer_at_either_end_is_outlived(prepared: Prepared, name: str, side: Side, place: str) -> None:
    meet_trouble(prepared, name, side, nth=1 if place == "first" else prepared.calls[side])
