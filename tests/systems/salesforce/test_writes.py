from __future__ import annotations

from typing import Any

import orjson
import pytest
import requests
from tests.systems.salesforce.cast import Stage, done, failed, refused, signed_in, token
from tests.systems.wire import Say, Script

from cshub.core.errors import (
    AmbiguousWrite,
    ConnectionSpecError,
    DataError,
    NotFound,
    QuotaSpent,
    RequestRefused,
    ServiceUnavailable,
    SpecError,
)
from cshub.core.ids import to_18

LOCKED = failed("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access")


def key(number: int) -> str:
    return to_18(f"00U5g00000{number:05}")


def keys(*numbers: int) -> list[str]:
    return [key(number) for number in numbers]


def rows(count: int) -> list[dict[str, Any]]:
    return [{"Subject": f"Event {number}"} for number in range(count)]


def test_a_create_sends_type_and_values_and_tells_the_ids_in_order() -> None:
    stage = signed_in(Say(body=done(*keys(1, 2), created=True)))
    verdicts = stage.client.create("Event", rows(2))
    assert [(verdict.id, verdict.created, verdict.ok) for verdict in verdicts] == [
        (key(1), True, True),
        (key(2), True, True),
    ]
    assert stage.asked()[1] == "POST data/v66.0/composite/sobjects"
    assert stage.body(1) == {
        "allOrNone": False,
        "records": [{"attributes": {"type": "Event"}, "Subject": f"Event {number}"} for number in (0, 1)],
    }
    assert stage.sent[1].headers["Content-Type"] == "application/json"


def test_five_calls_carry_a_thousand_records() -> None:
    stage = signed_in(Say(body=done(*[key(1)] * 200)))
    assert len(stage.client.create("Event", rows(1_000))) == 1_000
    assert stage.client.calls == 6


def test_a_smaller_chunk_is_kept_to_and_an_impossible_one_refused() -> None:
    stage = signed_in(Say(body=done(*keys(1, 2))), Say(body=done(key(3))), chunk_size=2)
    assert [verdict.id for verdict in stage.client.create("Event", rows(3))] == keys(1, 2, 3)
    with pytest.raises(ConnectionSpecError, match="from 1 to 200"):
        signed_in(chunk_size=201)


def test_nothing_is_sent_for_no_rows() -> None:
    stage = signed_in()
    assert stage.client.create("Event", []) == stage.client.delete([]) == []
    assert stage.sent == []


def test_rows_are_refused_one_by_one_with_codes_and_fields() -> None:
    bad = failed("STRING_TOO_LONG", "Subject: data value too large", "Subject")
    stage = signed_in(Say(body=[*done(key(1)), bad]))
    good, refusal = stage.client.update("Event", [{"Id": key(1), "Subject": "a"}, {"Id": key(2), "Subject": "b"}])
    assert good.ok and not refusal.ok
    assert (refusal.errors[0].code, refusal.errors[0].fields) == ("STRING_TOO_LONG", ("Subject",))
    assert isinstance(refusal.failure(), RequestRefused)
    assert "Shorten the value in the mapping" in str(refusal.failure())
    assert stage.asked()[1] == "PATCH data/v66.0/composite/sobjects"


def test_an_upsert_names_its_key_in_the_address() -> None:
    stage = signed_in(Say(body=[*done(key(1), created=True), *done(key(2), created=False)]))
    verdicts = stage.client.upsert("Event", "Totango__c", [{"Totango__c": "a"}, {"Totango__c": "b"}])
    assert [verdict.created for verdict in verdicts] == [True, False]
    assert stage.asked()[1] == "PATCH data/v66.0/composite/sobjects/Event/Totango__c"


def test_a_delete_tells_which_records_were_gone() -> None:
    stage = signed_in(Say(body=[*done(key(1)), failed("ENTITY_IS_DELETED", "entity is deleted")]))
    first, second = stage.client.delete([key(1)[:15], key(2)])
    assert (first.ok, second.is_gone) == (True, True)
    assert isinstance(second.failure(), NotFound)
    assert stage.question(1) == {"ids": f"{key(1)},{key(2)}", "allOrNone": "false"}


def test_duplicates_pass_only_when_asked_for() -> None:
    stage = signed_in(Say(body=done(key(1))))
    stage.client.create("Visit__c", rows(1))
    stage.client.create("Visit__c", rows(1), allow_duplicates=True)
    headers = [request.headers.get("Sforce-Duplicate-Rule-Header") for request in stage.sent[1:]]
    assert headers == [None, "allowSave=true"]


def test_only_locked_rows_are_sent_again_after_a_growing_wait() -> None:
    stage = signed_in(
        Say(body=[*done(key(1)), LOCKED, LOCKED]),
        Say(body=[LOCKED, *done(key(3))]),
        Say(body=done(key(2))),
        jitter=lambda: 0.5,
    )
    assert [verdict.id for verdict in stage.client.create("Event", rows(3))] == keys(1, 2, 3)
    assert [len(stage.body(index)["records"]) for index in (1, 2, 3)] == [3, 2, 1]
    assert stage.time.slept == [2, 4]


def test_a_row_that_stays_locked_is_given_up_after_five_tries() -> None:
    stage = signed_in(Say(body=[LOCKED]))
    [verdict] = stage.client.update("Event", [{"Id": key(1)}])
    assert isinstance(verdict.failure(), ServiceUnavailable)
    assert stage.client.calls == 6


@pytest.mark.parametrize(
    "lost", [Say(502), Say(200, b'[{"id": "00U'), requests.ConnectionError("reset"), requests.ReadTimeout("slow")]
)
def test_the_lost_answer_of_a_create_is_said_row_by_row_and_not_sent_again(lost: Say | Exception) -> None:
    stage = signed_in(lost)
    verdicts = stage.client.create("Event", rows(2))
    assert all(isinstance(verdict.failure(), AmbiguousWrite) for verdict in verdicts)
    assert len(stage.sent) == 2


def test_the_lost_answer_of_one_call_says_nothing_of_the_next() -> None:
    stage = signed_in(Say(502), Say(body=done(key(3))), chunk_size=2)
    verdicts = stage.client.create("Event", rows(3))
    assert [type(verdict.cause) for verdict in verdicts] == [AmbiguousWrite, AmbiguousWrite, type(None)]


@pytest.mark.parametrize("verb", ["update", "upsert", "delete"])
def test_a_repeatable_write_survives_a_lost_answer(verb: str) -> None:
    stage = signed_in(requests.ConnectionError("reset"), Say(502), Say(body=done(key(1))))
    client = stage.client
    done_by = {
        "update": lambda: client.update("Event", [{"Id": key(1)}]),
        "upsert": lambda: client.upsert("Event", "Totango__c", [{"Totango__c": "a"}]),
        "delete": lambda: client.delete([key(1)]),
    }
    assert [verdict.ok for verdict in done_by[verb]()] == [True]


def test_a_create_that_never_left_is_sent_again() -> None:
    stage = signed_in(requests.ConnectTimeout("no route"), Say(429), Say(body=done(key(1))))
    assert [verdict.ok for verdict in stage.client.create("Event", rows(1))] == [True]


@pytest.mark.parametrize("body", [[], done(key(1)), [1, 2], {"errors": []}])
def test_an_answer_that_is_shorter_than_the_request_is_never_taken_for_complete(body: Any) -> None:
    stage = signed_in(Say(body=body))
    assert all(isinstance(verdict.cause, AmbiguousWrite) for verdict in stage.client.create("Event", rows(2)))
    with pytest.raises(ServiceUnavailable, match="Run again"):
        stage.client.update("Event", [{"Id": key(1)}, {"Id": key(2)}])


def test_a_row_without_success_and_without_reason_is_a_failure() -> None:
    stage = signed_in(Say(body=[{"success": False}]))
    [verdict] = stage.client.create("Event", rows(1))
    assert not verdict.ok and isinstance(verdict.failure(), RequestRefused)


def test_an_allowance_used_up_in_the_middle_keeps_what_was_written() -> None:
    spent = refused(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
    stage = signed_in(Say(body=done(*keys(1, 2))), spent, chunk_size=2)
    verdicts = stage.client.create("Event", rows(6))
    assert [type(verdict.cause) for verdict in verdicts] == [type(None)] * 2 + [QuotaSpent] * 4
    assert len(stage.sent) == 3


def test_an_allowance_used_up_before_anything_was_written_is_raised() -> None:
    with pytest.raises(QuotaSpent):
        signed_in(refused(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests")).client.create("Event", rows(6))


def test_trouble_while_locked_rows_are_repeated_keeps_the_verdicts_of_the_others() -> None:
    stage = signed_in(Say(body=[*done(key(1)), LOCKED]), Say(503))
    first, second = stage.client.update("Event", [{"Id": key(1)}, {"Id": key(2)}])
    assert first.ok and isinstance(second.cause, ServiceUnavailable)


class Choosy(Script):
    """Refuses a whole call that holds a row with this subject."""

    def __init__(self, bad: str) -> None:
        super().__init__(token())
        self._bad = bad

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        if str(request.url).endswith("/token"):
            return super().send(request, *args, **kwargs)
        self.requests.append(request)
        subjects = [row["Subject"] for row in orjson.loads(request.body or b"")["records"]]
        if self._bad in subjects:
            return Script(refused(400, "INVALID_FIELD", "No such column 'Tpye'")).send(request)
        return Script(Say(body=done(*[key(int(subject.split()[1])) for subject in subjects]))).send(request)


def test_one_row_that_spoils_a_whole_call_is_found_and_the_others_are_written() -> None:
    stage = Stage(script=Choosy("Event 137"))
    verdicts = stage.client.create("Event", rows(200))
    assert [index for index, verdict in enumerate(verdicts) if not verdict.ok] == [137]
    assert [verdict.id for verdict in verdicts if verdict.ok] == [key(number) for number in range(200) if number != 137]
    assert stage.client.calls <= 20


def test_a_field_that_spoils_every_row_ends_the_run_after_few_calls() -> None:
    stage = signed_in(refused(400, "INVALID_FIELD", "No such column 'Tpye'"))
    with pytest.raises(SpecError, match="No such column"):
        stage.client.create("Event", rows(200))
    assert stage.client.calls <= 22


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), 2**70, "\ud800"])
def test_a_value_that_json_cannot_hold_spoils_its_own_row_only(value: Any) -> None:
    stage = signed_in(Say(body=done(key(2))))
    first, second = stage.client.create("Event", [{"Subject": value}, {"Subject": "b"}])
    assert isinstance(first.failure(), DataError)
    assert second.id == key(2)
    assert len(stage.body(1)["records"]) == 1


def test_an_id_that_is_none_spoils_its_own_row_only() -> None:
    stage = signed_in(Say(body=done(key(2))))
    first, second = stage.client.delete(["nonsense", key(2)])
    assert isinstance(first.cause, DataError) and second.ok
