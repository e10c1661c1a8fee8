from __future__ import annotations

import pytest

from cshub.core.errors import SpecError, TransientError
from cshub.core.records import LinkState, RunKind, RunOutcome
from cshub.pipeline.run import known_pair
from cshub_sandbox.kernel import Reply, Request
from tests.pipeline.cast import case, meet, revise, touchpoint_of, touchpoints_of, writes_of
from tests.pipeline.lab import Lab


def test_a_row_with_neither_subject_nor_content_is_rejected_listed_and_tried_again(lab: Lab) -> None:
    [poison] = case(lab, "poison")
    assert lab.sync().statistics.rejected == 1
    lab.wait(days=3)
    assert lab.sync().statistics.rejected == 1
    [entry] = lab.ledger.rejects(lab.job.id)
    assert (entry.source_key, entry.step, entry.attempts) == (poison.id, "map", 2)
    revise(lab, poison, subject="Now it has a name")
    lab.wait(days=3)
    lab.sync()
    assert touchpoint_of(lab, poison)["subject"] == "Now it has a name"
    assert lab.ledger.rejects(lab.job.id) == []


def test_rows_that_wait_can_be_retried_alone(lab: Lab) -> None:
    [poison] = case(lab, "poison")
    lab.sync()
    revise(lab, poison, subject="Now it has a name")
    done = lab.sync(RunKind.RETRY)
    assert "window" not in done.extracted.by_origin
    assert len(touchpoints_of(lab, poison)) == 1


def test_too_many_rejected_rows_stop_the_run_before_anything_is_sent(quiet: Lab) -> None:
    for number in range(25):
        meet(quiet, ended_ago_s=600.0 * (number + 1), subject="" if number % 3 else "Fine", summary=None)
    with pytest.raises(SpecError, match="nothing was sent"):
        quiet.sync()
    assert quiet.written() == []
    assert len(quiet.ledger.rejects(quiet.job.id)) == 16
    assert quiet.ledger.watermark(quiet.job.id) is None


def test_a_row_that_the_target_refuses_again_and_again_stays_listed_and_never_stops_the_others(quiet: Lab) -> None:
    stubborn = meet(quiet, subject="Stubborn", ended_ago_s=5000.0)
    for number in range(3):
        other = meet(quiet, subject=f"Other {number}")
        poison(quiet, "Stubborn", status=400)
        done = quiet.sync()
        assert done.loaded.outcome is RunOutcome.RED
        assert (done.statistics.failed, done.statistics.created) == (1, 1)
        assert touchpoints_of(quiet, other)
        quiet.wait(days=2)
    [entry] = quiet.ledger.rejects(quiet.job.id)
    assert (entry.source_key, entry.attempts, entry.step) == (stubborn.id, 3, "load")
    cure(quiet)
    assert quiet.sync().statistics.created == 1
    assert quiet.ledger.rejects(quiet.job.id) == []


def test_a_row_that_always_answers_500_is_set_aside_when_the_service_answers_the_others(quiet: Lab) -> None:
    stubborn = meet(quiet, subject="Stubborn", ended_ago_s=5000.0)
    others = [meet(quiet, subject=f"Other {number}", ended_ago_s=600.0 * (number + 1)) for number in range(4)]
    poison(quiet, "Stubborn")
    done = quiet.sync()
    assert (done.statistics.failed, done.statistics.created) == (1, 4)
    assert all(touchpoints_of(quiet, item) for item in others)
    assert quiet.ledger.open_intents(done.run.pair) == []
    cure(quiet)
    quiet.wait(days=3)
    assert quiet.sync().statistics.created == 1
    assert len(touchpoints_of(quiet, stubborn)) == 1


def test_three_such_rows_side_by_side_do_not_hide_the_others(quiet: Lab) -> None:
    for number in range(6):
        meet(quiet, subject=f"{'Stubborn' if number < 3 else 'Other'} {number}", ended_ago_s=600.0 * (9 - number))
    poison(quiet, "Stubborn")
    statistics = quiet.sync().statistics
    assert (statistics.failed, statistics.created) == (3, 3)


def test_an_outage_of_the_target_sets_nothing_aside(quiet: Lab) -> None:
    for number in range(30):
        meet(quiet, subject=f"Meeting {number}", ended_ago_s=600.0 * (number + 1))
    quiet.fault("status", status=503, service="totango", only_writes=True)
    course = quiet.course()
    with pytest.raises(TransientError, match="run the step again"):
        course.go_on()
    assert len(quiet.written()) < 30
    pair = known_pair(quiet.job, quiet.ledger)
    assert pair is not None
    assert LinkState.FAILED not in quiet.ledger.count_links(pair)
    quiet.sandbox.faults.clear()
    quiet.wait(minutes=5)
    assert course.insist().statistics.created == 30


def test_new_records_are_counted_as_not_allowed_where_the_job_does_not_allow_them(quiet: Lab) -> None:
    meet(quiet)
    quiet.configure(allow_new_records=False)
    assert quiet.sync().statistics.skipped == {"creation_not_allowed": 1}
    assert quiet.written() == []


def test_what_is_linked_goes_on_to_be_updated_where_new_records_are_not_allowed(quiet: Lab) -> None:
    item = meet(quiet, summary=None)
    quiet.sync()
    quiet.configure(allow_new_records=False)
    quiet.wait(minutes=10)
    quiet.act("chorus", "finish_summary", id=item.id)
    assert quiet.sync().statistics.updated == 1


@pytest.mark.parametrize(
    "text",
    [
        "a\x00b\x07c",
        "\u202eright to left",
        "👩‍👩‍👧‍👦" * 50,
        '=cmd|" /C calc"!A0',
        "<script>alert(1)</script>Said <b>hello</b>",
        "x" * 13_000,
        "line\r\nend\u2028other",
        "ä" * 1_000_000,
    ],
    ids=["control", "bidi", "emoji", "formula", "script", "long", "line-ends", "megabyte"],
)
def test_odd_texts_arrive_once_and_are_not_sent_again(quiet: Lab, text: str) -> None:
    item = meet(quiet, summary=text, subject=text[:300])
    statistics = quiet.sync().statistics
    assert statistics.created == 1, quiet.ledger.rejects(quiet.job.id)
    before = len(quiet.written())
    quiet.wait(minutes=10)
    quiet.sync()
    assert writes_of(quiet, before) == []
    assert len(touchpoints_of(quiet, item)) == 1


def test_a_lone_surrogate_is_rejected_or_repaired_and_never_stops_the_others(quiet: Lab) -> None:
    meet(quiet, summary="broken \ud83d text", ended_ago_s=4000.0)
    meet(quiet, summary="fine")
    statistics = quiet.sync().statistics
    assert statistics.created + statistics.rejected + statistics.failed == 2
    assert statistics.created >= 1


def poison(lab: Lab, word: str, *, status: int = 500) -> None:
    """The target stumbles over every touchpoint whose subject holds the word."""
    service = lab.sandbox.service("totango")
    cure(lab)
    honest = service.handle

    def stumble(request: Request) -> Reply:
        if request.method == "POST" and "touchpoints" in request.path and word.encode() in request.body:
            return Reply.json(status, {"error": {"message": "it does not go"}})
        reply: Reply = honest(request)
        return reply

    service.handle = stumble


def cure(lab: Lab) -> None:
    lab.sandbox.service("totango").__dict__.pop("handle", None)
