"""A lost ledger, made again from what both services hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from cshub.core.errors import LockHeld, StateError
from cshub.core.jobs import BoundJob, OnSourceDelete
from cshub.core.planning import Rule
from cshub.core.rebuilding import Clue
from cshub.core.records import LinkState, Outcome, RunKind, RunOutcome
from cshub.library import JobLibrary
from cshub.pipeline.locking import locked
from cshub.pipeline.rebuild import Unmatched
from cshub.pipeline.run import Asked
from tests.pipeline.crashes import Crash
from tests.pipeline.lab import Lab, Maker
from tests.pipeline.lost_ledger import copied, lose, rebuilt, restore, writes_to
from tests.pipeline.two_way import KINDS, TASKS, TOUCHPOINTS, Kind, Sync, settled

BOTH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
FULL = Asked(full_sync=True)
TITLE = {"touchpoints": "subject", "tasks": "title"}


@pytest.fixture(scope="module")
def stages(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Sync]:
    """Both sides in step, by kind; each test works on a fork."""
    return {name: settled(tmp_path_factory.mktemp(name), kind) for name, kind in KINDS.items()}


@pytest.fixture
def fork(stages: Mapping[str, Sync], tmp_path: Path) -> Iterator[Callable[[Kind], Sync]]:
    made: list[Sync] = []

    def forked(kind: Kind) -> Sync:
        stage = stages[kind.name]
        made.append(Sync(stage.lab.fork(tmp_path / f"fork-{len(made)}"), kind))
        return made[-1]

    yield forked
    for sync in made:
        sync.lab.ledger.close()


@pytest.fixture
def sync(fork: Callable[[Kind], Sync]) -> Sync:
    return fork(TOUCHPOINTS)


def truth(sync: Sync) -> set[tuple[str, str | None]]:
    return {(link.source_key, link.target_key) for link in sync.links()}


def twins(sync: Sync) -> list[str]:
    """Two events that nothing but their ids tells apart, in step."""
    keys = [sync.event(Subject="Weekly call", Description="As always.") for _ in range(2)]
    sync.lab.wait(minutes=5)
    sync.round()
    return keys


@BOTH
@pytest.mark.parametrize("back", [False, True], ids=["inbound", "outbound"])
def test_one_rebuild_by_either_job_links_every_pair_again_and_neither_job_writes_anything(
    fork: Callable[[Kind], Sync], kind: Kind, back: bool
) -> None:
    sync = fork(kind)
    before = truth(sync)
    lose(sync.lab)
    with writes_to(sync.lab) as writes:
        done = rebuilt(sync.lab, sync.lab.back if back else None)
    assert writes.seen == []
    assert (done.pairs, truth(sync)) == (len(before), before)
    assert {item.why for item in done.rest} <= {Unmatched.NO_ACCOUNT}
    with writes_to(sync.lab) as writes:
        assert sync.round(full=True) == 0
    assert writes.seen == []
    sync.assert_equal()


@BOTH
def test_after_a_rebuild_edits_and_deletions_of_both_sides_are_carried_over_as_before(
    fork: Callable[[Kind], Sync], kind: Kind
) -> None:
    sync = fork(kind)
    lose(sync.lab)
    rebuilt(sync.lab)
    sync.round(full=True)
    links = sync.links()
    sync.edit_salesforce(links[0].source_key, Subject="Edited in Salesforce")
    sync.edit_totango(str(links[1].target_key), **{TITLE[kind.name]: "Edited in Totango"})
    sync.delete_salesforce(links[2].source_key)
    sync.delete_totango(str(links[3].target_key))
    sync.lab.wait(minutes=10)
    sync.round(full=True)
    sync.assert_equal()
    assert sync.in_totango(str(links[2].target_key)) is None
    assert sync.in_salesforce(links[3].source_key) is None
    assert sync.round(full=True) == 0


def test_meetings_are_linked_again_and_none_is_made_twice(lab: Lab) -> None:
    lab.sync(asked=FULL)
    held = len(lab.touchpoints())
    lose(lab)
    with writes_to(lab) as writes:
        done = rebuilt(lab)
        after = lab.sync(asked=FULL)
    assert writes.seen == []
    assert done.pairs == after.statistics.unchanged > 20
    assert len(lab.touchpoints()) == held


def test_a_touchpoint_that_was_moved_far_into_the_future_is_found_there(quiet: Lab) -> None:
    quiet.act("chorus", "add_meeting", subject="Review", summary="Agreed on the pilot.")
    quiet.wait(minutes=5)
    quiet.sync()
    (note,) = [item for item in quiet.touchpoints() if item["by_api"]]
    quiet.act("totango", "backdate", note_id=note["note_id"], to="2027-10-01T08:00:00Z")
    quiet.wait(minutes=5)
    lose(quiet)
    assert rebuilt(quiet).matched == {Clue.TEXTS: 1}
    assert quiet.sync().statistics.created == 0


def test_without_a_rebuild_a_lost_ledger_doubles_what_carries_no_id(quiet: Lab) -> None:
    """What the remedy is for: Totango stores no id of the source, so only the ledger knows what was made."""
    quiet.act("chorus", "add_meeting", subject="Review", summary="Agreed.")
    quiet.wait(minutes=5)
    quiet.sync()
    held = len(quiet.touchpoints())
    lose(quiet)
    assert quiet.sync().statistics.created == 1
    assert len(quiet.touchpoints()) == held + 1


def test_an_edit_that_no_run_had_carried_over_wins_if_it_is_the_later_one_on_either_side(sync: Sync) -> None:
    first, second = sync.links()[:2]
    sync.edit_salesforce(first.source_key, Subject="Edited in Salesforce")
    sync.edit_totango(str(second.target_key), subject="Edited in Totango")
    lose(sync.lab)
    sync.lab.wait(minutes=5)
    done = rebuilt(sync.lab)
    assert done.matched[Clue.DATE_AND_A_TEXT] == 2  # both titles were edited, no long text
    assert sync.round(full=True) == 2
    sync.assert_equal()
    titles = {row[1] for row in sync.salesforce()}
    assert {"Edited in Salesforce", "Edited in Totango"} <= titles
    assert sync.round(full=True) == 0


def test_the_value_that_loses_after_a_rebuild_is_kept_in_the_audit(sync: Sync) -> None:
    link = sync.links()[0]
    lost = (sync.in_salesforce(link.source_key) or {})["Subject"]
    sync.edit_totango(str(link.target_key), subject="Edited in Totango")
    lose(sync.lab)
    sync.lab.wait(minutes=5)
    rebuilt(sync.lab)
    sync.round(full=True)
    told = sync.lab.ledger.decisions(sync.lab.new_run().pair, link.source_key)
    assert any(lost in (change.before, change.after) for row in told for change in row.changes)


def test_records_made_on_either_side_meanwhile_are_new_and_are_made_once(sync: Sync) -> None:
    lose(sync.lab)
    event = sync.event(Subject="Made in Salesforce meanwhile")
    note = sync.note(next(iter(sync.common_accounts())), "Made in Totango meanwhile", "Text of it.")
    sync.lab.wait(minutes=5)
    done = rebuilt(sync.lab)
    new = {item.key: item.why for item in done.rest}
    assert (new[event], new[note]) == (Unmatched.NONE_FITS, Unmatched.NONE_FITS)
    assert sync.round(full=True) == 2
    sync.assert_equal()
    assert sync.round(full=True) == 0


def test_a_record_whose_twin_was_deleted_meanwhile_is_listed_as_new(sync: Sync) -> None:
    link = sync.links()[0]
    sync.delete_totango(str(link.target_key))
    lose(sync.lab)
    sync.lab.wait(minutes=5)
    rest = {item.key: item for item in rebuilt(sync.lab).rest}
    assert (rest[link.source_key].why, rest[link.source_key].fits) == (Unmatched.NONE_FITS, ())


def test_of_twins_nothing_is_chosen_and_no_run_of_either_direction_makes_them(sync: Sync) -> None:
    keys = twins(sync)
    others = [sync.twin_of(key) for key in keys]
    lose(sync.lab)
    done = rebuilt(sync.lab)
    held = {item.key: (item.why, sorted(item.fits)) for item in done.rest if item.why is Unmatched.FITS_SEVERAL}
    assert held == {
        **{key: (Unmatched.FITS_SEVERAL, sorted(others)) for key in keys},
        **{key: (Unmatched.FITS_SEVERAL, sorted(keys)) for key in others},
    }
    with writes_to(sync.lab) as writes:
        ran = sync.inbound(full=True)
        sync.round(full=True)
    assert writes.seen == []
    assert ran.statistics.parked == 2 + sum(item.why is Unmatched.NO_ACCOUNT for item in done.rest)
    row = sync.lab.ledger.decisions(ran.run.pair, keys[0])[-1]
    assert (row.outcome, row.rule) == (Outcome.PARKED, Rule.FITS_SEVERAL)
    assert all(other in row.reason for other in others)


def test_a_held_record_that_a_person_names_is_made(sync: Sync) -> None:
    keys = twins(sync)
    lose(sync.lab)
    rebuilt(sync.lab)
    named = sync.lab.sync(asked=Asked(records=(keys[0],)))
    assert named.statistics.created == 1
    assert sync.lab.ledger.links(named.run.pair, keys)[keys[1]].state is LinkState.HELD


def test_twins_that_a_person_made_different_are_matched_by_a_second_rebuild(sync: Sync) -> None:
    keys = twins(sync)
    others = {key: sync.twin_of(key) for key in keys}
    lose(sync.lab)
    rebuilt(sync.lab)
    sync.edit_salesforce(keys[0], Subject="Weekly call, the first")
    sync.edit_totango(others[keys[0]], subject="Weekly call, the first")
    sync.lab.wait(minutes=5)
    done = rebuilt(sync.lab, add=True)
    assert done.pairs == 2
    assert {key: sync.twin_of(key) for key in keys} == others
    assert sync.round(full=True) == 0


def test_a_held_record_whose_likes_are_gone_is_released_as_new_by_a_second_rebuild(sync: Sync) -> None:
    keys = twins(sync)
    others = [sync.twin_of(key) for key in keys]
    lose(sync.lab)
    rebuilt(sync.lab)
    for other in others:
        sync.delete_totango(other)
    sync.lab.wait(minutes=5)
    done = rebuilt(sync.lab, add=True)
    assert {item.why for item in done.rest if item.key in keys} == {Unmatched.NONE_FITS}
    assert sync.inbound(full=True).statistics.created == 2


def test_a_held_record_that_becomes_invalid_is_still_held_when_it_is_valid_again(
    fork: Callable[[Kind], Sync],
) -> None:
    sync = fork(TASKS)
    keys = twins(sync)
    lose(sync.lab)
    rebuilt(sync.lab)
    sync.edit_salesforce(keys[0], Subject="")
    sync.lab.wait(minutes=5)
    assert sync.inbound(full=True).statistics.rejected == 1
    sync.edit_salesforce(keys[0], Subject="Weekly call")
    sync.lab.wait(minutes=5)
    assert sync.inbound(full=True).statistics.created == 0


def test_a_ledger_that_has_links_is_left_alone_unless_a_person_says_that_they_stay(sync: Sync) -> None:
    before = truth(sync)
    with pytest.raises(StateError, match=r"it is not lost.*--add"):
        rebuilt(sync.lab)
    done = rebuilt(sync.lab, add=True)
    assert (done.pairs, done.linked, truth(sync)) == (0, len(before), before)
    assert sync.round(full=True) == 0


@BOTH
def test_a_ledger_of_yesterday_with_a_broken_off_write_is_settled_by_the_rebuild_itself(
    fork: Callable[[Kind], Sync], kind: Kind
) -> None:
    """A run that settled it first would make what came since once more."""
    sync = fork(kind)
    sync.event(Subject="Answer lost")
    sync.lab.wait(minutes=5)
    sync.lab.fuse.renew()
    sync.lab.fuse.only, sync.lab.fuse.burns_at = f"after POST /api/v3/{kind.name}", 1
    with pytest.raises(Crash):
        sync.inbound()
    sync.lab.fuse.renew()
    yesterday = copied(sync.lab)
    sync.event(Subject="Made since")
    sync.lab.wait(minutes=5)
    assert sync.inbound().statistics.created >= 1
    restore(sync.lab, yesterday)
    rebuilt(sync.lab, add=True)
    assert sync.round(full=True) == 0
    sync.assert_equal()


def test_a_rebuild_does_not_begin_while_a_run_of_the_pair_writes(sync: Sync) -> None:
    lose(sync.lab)
    with locked(sync.lab.new_run()), pytest.raises(LockHeld):
        rebuilt(sync.lab)


def test_a_dry_look_tells_the_same_and_keeps_nothing(sync: Sync) -> None:
    twins(sync)
    lose(sync.lab)
    looked = rebuilt(sync.lab, dry_run=True)
    run = sync.lab.new_run()
    assert (sync.links(), sync.lab.ledger.runs(), sync.lab.ledger.count_links(run.pair)) == ([], [], {})
    kept = rebuilt(sync.lab)
    assert (looked.matched, looked.rest, looked.read) == (kept.matched, kept.rest, kept.read)


def test_the_runs_of_a_rebuild_tell_numbers_that_add_up_for_both_jobs(sync: Sync) -> None:
    twins(sync)
    lose(sync.lab)
    done = rebuilt(sync.lab)
    runs = sync.lab.ledger.runs()
    assert {row.job_id for row in runs} == set(done.read)
    for row in runs:
        assert (row.kind, row.outcome) == (RunKind.REBUILD, RunOutcome.GREEN)
        assert row.statistics is not None
        assert row.statistics.check().read == done.read[row.job_id]


def test_what_the_hub_made_before_the_ledger_was_lost_is_still_told_from_what_people_made(sync: Sync) -> None:
    made = sync.event(Subject="Made in Salesforce")
    person = sync.note(next(iter(sync.common_accounts())), "Made by a person", "In Totango.")
    sync.lab.wait(minutes=5)
    sync.round()
    twin = sync.twin_of(made)
    lose(sync.lab)
    rebuilt(sync.lab)
    ledger, pair = sync.lab.ledger, sync.lab.new_run().pair
    reader = ledger.bind_pair(
        "notes_elsewhere",
        source=("totango", "touchpoint", sync.lab.new_run().target.identity()),
        target=("salesforce", "record", "elsewhere"),
        now=sync.lab.clock.now(),
    )
    assert pair != reader
    assert ledger.made_elsewhere(reader, [twin, person]) == {twin}


def test_a_touch_of_a_campaign_is_found_again_by_the_id_that_its_event_carries(make_lab: Maker) -> None:
    job = JobLibrary.from_settings().bound("salesforce_campaign_touches_outbound")
    lab = make_lab(meetings=0, job=job)
    lab.act("totango", "send_campaign", name="Spring news", at=lab.clock.now().isoformat())
    lab.wait(minutes=5)
    made = lab.sync(asked=FULL).statistics.created
    lose(lab)
    done = rebuilt(lab)
    assert done.matched == {Clue.ID_CARRIED: made}
    assert lab.sync(asked=FULL).statistics.writes == 0


def test_without_a_rebuild_such_an_event_is_adopted_by_the_next_run(make_lab: Maker) -> None:
    job = JobLibrary.from_settings().bound("salesforce_campaign_touches_outbound")
    lab = make_lab(meetings=0, job=job)
    lab.sync(asked=FULL)
    yesterday = copied(lab)
    lab.act("totango", "send_campaign", name="Spring news", at=lab.clock.now().isoformat())
    lab.wait(minutes=5)
    assert lab.sync().statistics.created > 0
    restore(lab, yesterday)
    with writes_to(lab) as writes:
        assert lab.sync(asked=FULL).statistics.created == 0
    assert writes.seen == []


def with_external_id(job: BoundJob) -> BoundJob:
    """The job, so that Salesforce keeps the id of what it is given."""
    target = job.job.target
    options = {**target.options, "external_id_field": "Totango_Id__c"}
    changed = job.job.model_copy(update={"target": target.model_copy(update={"options": options})})
    return job.model_copy(update={"job": changed, "digest": "with-external-id"})


@BOTH
def test_a_ledger_of_yesterday_doubles_nothing_in_salesforce_where_it_keeps_the_id(
    fork: Callable[[Kind], Sync], kind: Kind
) -> None:
    sync = fork(kind)
    assert sync.lab.back is not None
    sync.lab.back = with_external_id(sync.lab.back)
    yesterday = copied(sync.lab)
    sync.note(next(iter(sync.common_accounts())), "Made since", "A text of its own.")
    sync.lab.wait(minutes=5)
    assert sync.outbound(full=True).statistics.created == 1
    restore(sync.lab, yesterday)
    with writes_to(sync.lab) as writes:
        assert sync.outbound(full=True).statistics.created == 0
    assert writes.seen == []


@BOTH
def test_a_ledger_of_yesterday_knows_nothing_of_what_was_made_in_totango_since_until_it_is_rebuilt(
    fork: Callable[[Kind], Sync], kind: Kind
) -> None:
    """Totango keeps no id of the source: without ``--add`` the run would make a second one."""
    sync = fork(kind)
    yesterday = copied(sync.lab)
    event = sync.event(Subject="Made since")
    edited = sync.links()[0]
    sync.edit_salesforce(edited.source_key, Subject="Edited since")
    sync.lab.wait(minutes=5)
    assert sync.inbound().statistics.created == 1
    twin = sync.twin_of(event)
    restore(sync.lab, yesterday)
    done = rebuilt(sync.lab, add=True)
    assert (done.pairs, sync.twin_of(event)) == (1, twin)
    assert sync.round(full=True) == 0
    sync.assert_equal()


def test_a_one_way_job_that_follows_deletions_deletes_nothing_that_a_rebuild_could_not_compare(lab: Lab) -> None:
    lab.configure(on_source_delete=OnSourceDelete.DELETE)
    lab.sync(asked=FULL)
    note = lab.touchpoints()[-1]
    lab.act("totango", "edit_touchpoint", note_id=note["note_id"], subject="Edited by hand")
    lose(lab)
    done = rebuilt(lab)
    assert done.matched[Clue.DATE_AND_A_TEXT] + done.matched[Clue.MOMENT] <= 1
    assert lab.sync(asked=FULL).statistics.deleted == 0
