"""What every source and every target must do. A system's test inherits a class and says how to make a case.

Twelve lines are enough::

    class TestChorusEngagements(SourceContract):
        @pytest.fixture
        def case(self) -> SourceCase: ...
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from cshub.core.errors import (
    AmbiguousWrite,
    AuthenticationFailed,
    DataError,
    HubError,
    NotFound,
    RequestRefused,
    TransientError,
)
from cshub.core.ports import Reading, Source, Target, Verdict, Write
from cshub.core.records import Operation, Presence, RecordKey, SourceRecord, TargetRecord
from cshub.core.window import Window
from cshub_sandbox.faults import FaultRule

WRONG_TOKEN = "wrong-token-of-somebody"

READ_FAULTS = [
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429},
    {"kind": "status", "status": 429, "headers": {"Retry-After": "not a number"}},
    {"kind": "drop_before_commit"},
    {"kind": "drop_after_commit"},
    {"kind": "connect_timeout"},
    {"kind": "keep_alive_closed"},
    {"kind": "truncated"},
    {"kind": "cut_json"},
    {"kind": "html"},
    {"kind": "redirect_loop"},
    {"kind": "slow", "delay_s": 600},
]
PAGE_FAULTS = ["empty_page", "repeated_page", "shuffled", "wrong_totals", "duplicated_rows"]


@dataclass
class SourceCase:
    """``keys``: what lies in ``window``, told by the sandbox. ``fault`` scripts a fault.

    ``sample_calls``: how many calls a preview may take at most. ``delete_by_hand``: deletes a record as a user of the
    pages would and lets pass the time after which a search shows it; None where the service never proves a deletion.
    """

    source: Source
    window: Window
    keys: set[str]
    fault: Callable[[FaultRule], Any]
    signed_in_with: Callable[[str], Source]
    unknown_key: RecordKey
    sample_calls: int = 5
    delete_by_hand: Callable[[RecordKey], Any] | None = None


@dataclass
class TargetCase:
    """``values`` and ``changed``: two states of one record. ``held``: keys of all records the service holds.

    ``settle`` lets pass the time after which a search shows a write. ``delete_by_hand``: as a user of the pages.
    """

    target: Target
    account_id: str
    reference: str
    values: Mapping[str, Any]
    changed: Mapping[str, Any]
    window: Window
    held: Callable[[], set[str]]
    settle: Callable[[], None]
    delete_by_hand: Callable[[RecordKey], Any]
    fault: Callable[[FaultRule], Any]
    signed_in_with: Callable[[str], Target]
    write_path: str
    compared: Sequence[str]


def records_of(source: Source, window: Window) -> list[SourceRecord]:
    return [record for page in source.read_window(window) for record in page.records]


def keys_of(source: Source, window: Window) -> list[str]:
    """Keys of the records that the window shows; those told to be deleted are none of them."""
    return [record.key for record in records_of(source, window) if record.presence is Presence.PRESENT]


class SourceContract:
    @pytest.fixture
    def case(self) -> SourceCase:
        raise NotImplementedError

    def test_the_identity_is_told_and_stays(self, case: SourceCase) -> None:
        assert case.source.identity()
        assert case.source.identity() == case.source.identity()

    def test_a_window_is_read_completely_and_each_record_once(self, case: SourceCase) -> None:
        keys = keys_of(case.source, case.window)
        assert set(keys) == case.keys
        assert len(keys) == len(set(keys))

    def test_two_halves_of_a_window_hold_what_the_whole_holds(self, case: SourceCase) -> None:
        middle = case.window.start + (case.window.end - case.window.start) / 2
        halves = [Window(case.window.start, middle), Window(middle, case.window.end)]
        found = [key for half in halves for key in keys_of(case.source, half)]
        assert set(found) == case.keys
        assert len(found) == len(set(found))

    def test_the_way_of_reading_is_told(self, case: SourceCase) -> None:
        assert case.source.reading in set(Reading)

    def test_a_record_read_in_a_window_has_a_body_that_is_json(self, case: SourceCase) -> None:
        for record in records_of(case.source, case.window):
            if record.presence is Presence.PRESENT:
                assert record.body
                assert json.loads(json.dumps(record.body)) == record.body

    def test_records_read_by_key_are_those_asked_for(self, case: SourceCase) -> None:
        wanted = _addresses(case)[:3]
        found = {record.key: record for record in _by_key(case.source, [*wanted, case.unknown_key])}
        assert set(found) == {*(key.key for key in wanted), case.unknown_key.key}
        assert all(found[key.key].body is not None for key in wanted)
        assert found[case.unknown_key.key].body is None
        assert found[case.unknown_key.key].presence is not Presence.PRESENT

    def test_a_record_read_by_key_is_as_the_window_shows_it(self, case: SourceCase) -> None:
        shown = {record.key: record for record in records_of(case.source, case.window)}
        for record in _by_key(case.source, _addresses(case)[:5]):
            listed = shown[record.key]
            assert replace(record, body=None) == replace(listed, body=None)
            assert (record.body or {}).items() >= (listed.body or {"": "no body"}).items()

    def test_a_deletion_is_proven_by_key(self, case: SourceCase) -> None:
        if case.delete_by_hand is None:
            return
        gone, kept = _addresses(case)[:2]
        case.delete_by_hand(gone)
        found = {record.key: record for record in _by_key(case.source, [gone, kept])}
        assert (found[gone.key].presence, found[gone.key].body) == (Presence.DELETED, None)
        assert found[kept.key].presence is Presence.PRESENT
        assert gone.key not in keys_of(case.source, case.window)

    @pytest.mark.parametrize("kind", [*PAGE_FAULTS, "html", "cut_json", "truncated", "drop_after_commit"])
    @pytest.mark.parametrize("nth", [None, 1])
    def test_an_existing_record_is_never_told_deleted(self, case: SourceCase, kind: str, nth: int | None) -> None:
        wanted = _addresses(case)[:2]
        case.fault(FaultRule.parse({"kind": kind, **({"nth": nth} if nth else {})}))
        try:
            found = _by_key(case.source, wanted)
        except HubError:
            return
        assert Presence.DELETED not in {record.presence for record in found}

    def test_a_sample_is_small_and_taken_from_the_window(self, case: SourceCase) -> None:
        before = case.source.calls
        sample = case.source.sample(case.window, 3)
        assert len(sample) == min(3, len(case.keys))
        assert {record.key for record in sample} <= case.keys
        assert case.source.calls - before <= case.sample_calls

    def test_calls_are_counted(self, case: SourceCase) -> None:
        before = case.source.calls
        keys_of(case.source, case.window)
        assert case.source.calls > before

    def test_a_wrong_token_is_told_apart_and_not_told(self, case: SourceCase) -> None:
        with pytest.raises(AuthenticationFailed) as caught:
            keys_of(case.signed_in_with(WRONG_TOKEN), case.window)
        assert WRONG_TOKEN not in str(caught.value)

    @pytest.mark.parametrize("fault", READ_FAULTS, ids=lambda fault: "-".join(str(item) for item in fault.values()))
    @pytest.mark.parametrize("nth", [1, 2])
    def test_a_single_fault_leaves_no_gap(self, case: SourceCase, fault: Mapping[str, Any], nth: int) -> None:
        case.fault(FaultRule.parse({**fault, "nth": nth}))
        assert set(keys_of(case.source, case.window)) == case.keys

    @pytest.mark.parametrize("nth", [1, 2, 3])
    @pytest.mark.parametrize("kind", PAGE_FAULTS)
    def test_a_spoiled_page_leaves_no_gap(self, case: SourceCase, kind: str, nth: int) -> None:
        case.fault(FaultRule.parse({"kind": kind, "nth": nth}))
        keys = keys_of(case.source, case.window)
        assert set(keys) == case.keys
        assert len(keys) == len(set(keys))

    @pytest.mark.parametrize("fault", READ_FAULTS, ids=lambda fault: "-".join(str(item) for item in fault.values()))
    def test_a_lasting_fault_ends_in_a_clear_error(self, case: SourceCase, fault: Mapping[str, Any]) -> None:
        case.fault(FaultRule.parse(fault))
        with pytest.raises(TransientError):
            keys_of(case.source, case.window)

    def test_a_token_that_expires_in_the_middle_ends_the_read(self, case: SourceCase) -> None:
        case.fault(FaultRule.parse({"kind": "token_expired", "nth": 2}))
        with pytest.raises(AuthenticationFailed):
            keys_of(case.source, case.window)


class TargetContract:
    @pytest.fixture
    def case(self) -> TargetCase:
        raise NotImplementedError

    def test_the_identity_is_told_and_stays(self, case: TargetCase) -> None:
        assert case.target.identity()
        assert case.target.identity() == case.target.identity()

    def test_known_accounts_are_found_and_unknown_ones_left_out(self, case: TargetCase) -> None:
        found = case.target.resolve_accounts({case.reference, "no-such-account"})
        assert dict(found) == {case.reference: case.account_id}
        assert dict(case.target.resolve_accounts(set())) == {}

    def test_unknown_people_are_left_out(self, case: TargetCase) -> None:
        assert dict(case.target.resolve_people({case.account_id: {"nobody@nowhere.example"}})) == {}
        assert dict(case.target.resolve_people({})) == {}

    def test_a_record_that_was_made_is_read_back_as_it_was_sent(self, case: TargetCase) -> None:
        key = _create(case)
        record = _read(case, key)
        assert record.account_id == case.account_id
        self.assert_alike(record, case.values, case)

    def test_an_update_may_be_repeated(self, case: TargetCase) -> None:
        key = _create(case)
        for _ in range(2):
            assert _update(case, key).error is None
        self.assert_alike(_read(case, key), case.changed, case)

    def test_a_deletion_may_be_repeated_and_is_then_proven(self, case: TargetCase) -> None:
        key = _create(case)
        for _ in range(2):
            assert _delete(case, key).error is None
        case.settle()
        assert dict(case.target.read_keys([key])) == {key.key: None}
        assert key.key not in case.held()

    def test_a_record_deleted_by_a_person_is_proven_gone(self, case: TargetCase) -> None:
        key = _create(case)
        case.delete_by_hand(key)
        case.settle()
        assert dict(case.target.read_keys([key])) == {key.key: None}

    def test_a_window_shows_what_was_made_in_it(self, case: TargetCase) -> None:
        key = _create(case)
        case.settle()
        shown = {record.key: record for batch in case.target.read_window(case.window) for record in batch}
        assert key.key in shown
        self.assert_alike(shown[key.key], case.values, case)

    def test_a_hint_can_be_stored_as_json(self, case: TargetCase) -> None:
        hint = case.target.hint(_creation(case))
        assert json.loads(json.dumps(hint)) == hint

    def test_nothing_is_found_that_was_not_made(self, case: TargetCase) -> None:
        assert _found(case, case.values) == []

    def test_many_hints_are_answered_in_their_order(self, case: TargetCase) -> None:
        first = _create(case)
        second = _create(case, case.changed)
        hints = [case.target.hint(_creation(case, values)) for values in (case.changed, case.values, case.changed)]
        found = case.target.find(hints)
        assert [items[0].record.key for items in found] == [second.key, first.key, second.key]
        assert list(case.target.find([])) == []

    def test_what_cannot_be_looked_up_by_an_external_id_is_left_out(self, case: TargetCase) -> None:
        assert dict(case.target.read_external(set())) == {}
        assert "no-such-id" not in case.target.read_external({"no-such-id"})

    def test_each_write_of_a_batch_has_its_verdict_in_order(self, case: TargetCase) -> None:
        assert case.target.batch_size >= 1
        assert list(case.target.write([])) == []
        writes = [_creation(case), _creation(case, account_id="no-such-account"), _creation(case, case.changed)]
        batches = [writes[at : at + case.target.batch_size] for at in range(0, 3, case.target.batch_size)]
        verdicts = [verdict for batch in batches for verdict in case.target.write(batch)]
        assert [verdict.error is None for verdict in verdicts] == [True, False, True]
        assert isinstance(verdicts[1].error, (RequestRefused, DataError))
        assert verdicts[1].key is None
        made = [verdict.key.key for verdict in verdicts if verdict.key is not None]
        assert len(set(made)) == 2
        assert set(made) <= case.held()

    def test_an_update_of_a_record_that_is_gone_is_answered_not_found(self, case: TargetCase) -> None:
        key = _create(case)
        case.delete_by_hand(key)
        case.settle()
        assert isinstance(_update(case, key).error, NotFound)

    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "drop_after_commit"},
            {"kind": "status_after_commit", "status": 502},
            {"kind": "status_after_commit", "status": 504},
            {"kind": "truncated"},
            {"kind": "cut_json"},
            {"kind": "html"},
            {"kind": "slow", "delay_s": 600},
        ],
        ids=lambda fault: "-".join(str(item) for item in fault.values()),
    )
    def test_a_create_whose_answer_was_lost_is_found_again_and_not_repeated(
        self, case: TargetCase, fault: Mapping[str, Any]
    ) -> None:
        before = case.held()
        case.fault(FaultRule.parse({**fault, "only_writes": True, "nth": 1}))
        (verdict,) = case.target.write([_creation(case)])
        made = case.held() - before
        assert len(made) == 1
        assert isinstance(verdict.error, AmbiguousWrite) or {verdict.key and verdict.key.key} == made
        assert set(_found(case, case.values)) == made

    @pytest.mark.parametrize(
        "fault", [{"kind": "drop_before_commit"}, {"kind": "keep_alive_closed"}, {"kind": "status", "status": 500}]
    )
    def test_a_create_that_may_not_have_been_carried_out_is_left_to_recovery(
        self, case: TargetCase, fault: Mapping[str, Any]
    ) -> None:
        before = case.held()
        case.fault(FaultRule.parse({**fault, "only_writes": True, "nth": 1}))
        (verdict,) = case.target.write([_creation(case)])
        assert isinstance(verdict.error, AmbiguousWrite)
        assert case.held() == before
        assert _found(case, case.values) == []

    @pytest.mark.parametrize("fault", [{"kind": "connect_timeout"}, {"kind": "status", "status": 429}])
    def test_a_create_that_certainly_was_not_carried_out_is_sent_again(
        self, case: TargetCase, fault: Mapping[str, Any]
    ) -> None:
        before = case.held()
        case.fault(FaultRule.parse({**fault, "only_writes": True, "nth": 1}))
        key = _create(case)
        assert case.held() - before == {key.key}

    @pytest.mark.parametrize("step", ["update", "delete"])
    @pytest.mark.parametrize(
        "fault",
        [
            {"kind": "drop_after_commit"},
            {"kind": "drop_before_commit"},
            {"kind": "status_after_commit", "status": 502},
            {"kind": "status", "status": 503},
            {"kind": "html"},
            {"kind": "truncated"},
        ],
        ids=lambda fault: "-".join(str(item) for item in fault.values()),
    )
    def test_updates_and_deletions_survive_a_lost_answer(
        self, case: TargetCase, fault: Mapping[str, Any], step: str
    ) -> None:
        key = _create(case)
        case.fault(FaultRule.parse({**fault, "only_writes": True, "nth": 1}))
        if step == "delete":
            assert _delete(case, key).error is None
            assert key.key not in case.held()
        else:
            assert _update(case, key).error is None
            self.assert_alike(_read(case, key), case.changed, case)

    def test_a_wrong_token_is_told_apart_and_not_told(self, case: TargetCase) -> None:
        target = case.signed_in_with(WRONG_TOKEN)
        with pytest.raises(AuthenticationFailed) as caught:
            target.write([_creation(case)])
        assert WRONG_TOKEN not in str(caught.value)

    @pytest.mark.parametrize("kind", [*PAGE_FAULTS, "html", "cut_json", "truncated", "drop_after_commit"])
    def test_an_existing_record_is_never_proven_gone_by_a_lasting_fault(self, case: TargetCase, kind: str) -> None:
        key = _create(case)
        case.settle()
        case.fault(FaultRule.parse({"kind": kind}))
        try:
            answer = dict(case.target.read_keys([key]))
        except HubError:
            return
        assert answer.get(key.key, "unproven") is not None

    @pytest.mark.parametrize("kind", PAGE_FAULTS)
    @pytest.mark.parametrize("nth", [1, 2])
    def test_a_spoiled_page_leaves_no_gap_in_a_window(self, case: TargetCase, kind: str, nth: int) -> None:
        case.settle()
        whole = {record.key for batch in case.target.read_window(case.window) for record in batch}
        case.fault(FaultRule.parse({"kind": kind, "nth": nth}))
        again = [record.key for batch in case.target.read_window(case.window) for record in batch]
        assert set(again) == whole
        assert len(again) == len(whole)

    def assert_alike(self, record: TargetRecord, values: Mapping[str, Any], case: TargetCase) -> None:
        """The record holds ``values`` in the attributes the case compares. Systems may refine the comparison."""
        for name in case.compared:
            assert record.values.get(name) == values[name], name


def _by_key(source: Source, keys: Sequence[RecordKey]) -> list[SourceRecord]:
    return [record for page in source.read_keys(keys) for record in page.records]


def _addresses(case: SourceCase) -> list[RecordKey]:
    """How each record of the window is asked for by id, in the order of the ids."""
    records = [record for record in records_of(case.source, case.window) if record.presence is Presence.PRESENT]
    return sorted((RecordKey(item.key, item.account_id, item.extra) for item in records), key=lambda key: key.key)


def _creation(case: TargetCase, values: Mapping[str, Any] | None = None, account_id: str = "") -> Write:
    wanted = case.values if values is None else values
    return Write(Operation.CREATE, None, account_id or case.account_id, wanted, external_id="source-1")


def _create(case: TargetCase, values: Mapping[str, Any] | None = None) -> RecordKey:
    (verdict,) = case.target.write([_creation(case, values)])
    assert verdict.error is None
    assert verdict.key is not None
    return verdict.key


def _update(case: TargetCase, key: RecordKey) -> Verdict:
    (verdict,) = case.target.write([Write(Operation.UPDATE, key, key.account_id, case.changed, _changed(case), "s-1")])
    return verdict


def _changed(case: TargetCase) -> frozenset[str]:
    return frozenset(name for name, value in case.changed.items() if value != case.values.get(name))


def _delete(case: TargetCase, key: RecordKey) -> Verdict:
    (verdict,) = case.target.write([Write(Operation.DELETE, key, key.account_id)])
    return verdict


def _found(case: TargetCase, values: Mapping[str, Any]) -> list[str]:
    (items,) = case.target.find([case.target.hint(_creation(case, values))])
    return [item.record.key for item in items]


def _read(case: TargetCase, key: RecordKey) -> TargetRecord:
    record = case.target.read_keys([key])[key.key]
    assert record is not None
    return record
