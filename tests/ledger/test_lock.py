from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from cshub.core.errors import FencedOut, LinkMoved, LockHeld
from cshub.core.records import Outcome
from cshub.ledger import Fence, Ledger, runs
from cshub.ledger import lock as rows
from cshub.ledger.link_writes import batch_of, store
from cshub.ledger.shapes import ShapeBook
from tests.ledger.cast import JOB, MINUTE, NOW, at_work, begin, entry_of, link_of, open_run, parked


def acquire(ledger: Ledger, run_id: str, now: object = NOW) -> Fence:
    return ledger.acquire_lock(JOB, holder="worker-2", run_id=run_id, now=now, ttl=MINUTE)  # type: ignore[arg-type]


def test_a_free_lock_is_given_and_a_held_one_names_its_holder(ledger: Ledger) -> None:
    assert acquire(ledger, "run-1") == Fence(JOB, 1)
    with pytest.raises(LockHeld) as caught:
        acquire(ledger, "run-2", NOW + MINUTE / 2)
    message = str(caught.value)
    assert "'run-1' (worker-2)" in message
    assert "since 2026-11-20 23:00:00 UTC" in message and "until 2026-11-20 23:01:00 UTC" in message


def test_a_released_or_expired_lock_or_one_of_the_same_run_is_given_with_a_higher_token(ledger: Ledger) -> None:
    first = acquire(ledger, "run-1")
    ledger.release(first)
    second = acquire(ledger, "run-2")
    third = acquire(ledger, "run-2")
    fourth = acquire(ledger, "run-3", NOW + MINUTE)
    assert [item.token for item in (first, second, third, fourth)] == [1, 2, 3, 4]


def test_runs_are_at_work_while_their_lock_is_good(ledger: Ledger) -> None:
    fence = acquire(ledger, "run-1")
    assert ledger.runs_at_work(NOW + MINUTE / 2) == {"run-1"}
    assert ledger.runs_at_work(NOW + MINUTE) == set()
    ledger.release(fence)
    assert ledger.runs_at_work(NOW) == set()


def test_locks_of_other_names_are_free(ledger: Ledger) -> None:
    acquire(ledger, "run-1")
    assert ledger.acquire_lock("other", holder="h", run_id="run-2", now=NOW, ttl=MINUTE).token == 1


def test_an_old_fence_neither_renews_nor_releases(ledger: Ledger) -> None:
    old = acquire(ledger, "run-1")
    acquire(ledger, "run-1")
    with pytest.raises(FencedOut, match="taken over by run 'run-1'"):
        ledger.renew(old, NOW, MINUTE)
    ledger.release(old)
    with pytest.raises(LockHeld):
        acquire(ledger, "run-2")


def test_renewing_holds_the_lock_longer_and_a_late_clock_never_shortens_it(ledger: Ledger) -> None:
    fence = acquire(ledger, "run-1")
    ledger.renew(fence, NOW, 10 * MINUTE)
    ledger.renew(fence, NOW - 5 * MINUTE, MINUTE)
    with pytest.raises(LockHeld, match="23:10:00"):
        acquire(ledger, "run-2", NOW + 9 * MINUTE)


def test_every_write_renews_the_lock_by_its_time_to_live(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    later = NOW + MINUTE - MINUTE / 60
    ledger.record(fence, "run-1", links=[parked(pair, "a")], decisions=[], now=later)
    with pytest.raises(LockHeld):
        acquire(ledger, "run-2", NOW + MINUTE)


def test_a_lock_that_expired_and_was_not_taken_still_serves_its_holder(ledger: Ledger) -> None:
    pair, fence = at_work(ledger)
    ledger.record(fence, "run-1", links=[parked(pair, "a")], decisions=[], now=NOW + 60 * MINUTE)
    with pytest.raises(LockHeld):
        acquire(ledger, "run-2", NOW + 60 * MINUTE)


@pytest.mark.parametrize("end", ["taken over", "released"])
def test_no_write_passes_an_old_fence(ledger: Ledger, end: str) -> None:
    pair, old = at_work(ledger)
    intent = begin(ledger, old, pair, "pending")
    if end == "released":
        ledger.release(old)
    else:
        acquire(ledger, "run-1")
    writes: list[Callable[[], object]] = [
        lambda: begin(ledger, old, pair, "m1"),
        lambda: ledger.confirm(old, intent.id, link=link_of(pair, "pending"), decision=entry_of("pending"), now=NOW),
        lambda: ledger.abandon(old, intent.id, reason="no", now=NOW),
        lambda: ledger.record(
            old, "run-1", links=[parked(pair, "a")], decisions=[entry_of("a", Outcome.PARKED)], now=NOW
        ),
    ]
    for write in writes:
        with pytest.raises(FencedOut, match=end):
            write()
    assert ledger.links(pair, ["m1", "a", "pending"]) == {}
    assert ledger.open_intents(pair) == [intent]
    assert ledger.outcomes("run-1") == {}


def test_a_fence_that_never_was_is_out(ledger: Ledger) -> None:
    pair, _ = at_work(ledger)
    with pytest.raises(FencedOut):
        begin(ledger, Fence("unknown", 1), pair)


def test_a_write_that_waited_for_a_takeover_is_out(ledger: Ledger, url: str) -> None:
    """The old holder starts its transaction while the takeover is under way and not yet committed."""
    pair, old = at_work(ledger)
    waiting = threading.Event()
    caught: list[BaseException] = []

    def late_writer() -> None:
        with Ledger.open(url) as mine:
            waiting.set()
            try:
                begin(mine, old, pair)
            except BaseException as error:
                caught.append(error)

    with Ledger.open(url) as other:
        writer = threading.Thread(target=late_writer)
        with other.database.writing() as connection:
            rows.acquire(connection, JOB, holder="worker-2", run_id="run-1", now=NOW, ttl=MINUTE)
            writer.start()
            assert waiting.wait(20)
            writer.join(0.2)
            assert writer.is_alive()
        writer.join(20)
    assert [type(error) for error in caught] == [FencedOut]


def test_two_under_different_locks_cannot_make_the_same_link(ledger: Ledger, url: str) -> None:
    pair, _ = at_work(ledger)
    waiting = threading.Event()
    caught: list[BaseException] = []

    def rival() -> None:
        with Ledger.open(url) as mine:
            fence = mine.acquire_lock("other", holder="h", run_id="run-1", now=NOW, ttl=MINUTE)
            waiting.set()
            try:
                mine.record(fence, "run-1", links=[link_of(pair)], decisions=[], now=NOW)
            except BaseException as error:
                caught.append(error)

    shapes = ShapeBook(ledger.database)
    batch = batch_of(shapes, [link_of(pair)])
    other = threading.Thread(target=rival)
    other.start()
    assert waiting.wait(20)
    with ledger.database.writing() as connection:
        try:
            store(connection, shapes, batch, runs.place(connection, "run-1"))
        except LinkMoved as error:
            caught.append(error)
    other.join(30)
    assert [type(error) for error in caught] == [LinkMoved]
    assert ledger.links(pair, ["m1"])["m1"].version == 1


def test_of_many_who_ask_at_once_one_gets_the_lock(ledger: Ledger, url: str) -> None:
    start = threading.Barrier(4)
    given: list[Fence] = []
    refused: list[LockHeld] = []

    def ask(number: int) -> None:
        with Ledger.open(url) as mine:
            start.wait()
            try:
                given.append(acquire(mine, f"run-{number}"))
            except LockHeld as error:
                refused.append(error)

    askers = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(30)
    assert given == [Fence(JOB, 1)]
    assert len(refused) == 3


def test_writers_that_take_over_from_each_other_never_write_under_an_old_token(ledger: Ledger, url: str) -> None:
    """Four writers seize the lock again and again; the tokens recorded by successful writes only ever grow."""
    pair = open_run(ledger, "run-1")
    done: list[int] = []

    def fight(number: int) -> None:
        with Ledger.open(url) as mine:
            for turn in range(12):
                fence = acquire(mine, "run-1")
                for step in range(2):
                    key = f"{number}-{turn}-{step}"
                    entry = entry_of(key, Outcome.PARKED, reason=str(fence.token))
                    try:
                        mine.record(fence, "run-1", links=[parked(pair, key)], decisions=[entry], now=NOW)
                    except FencedOut:
                        break
                    done.append(fence.token)

    fighters = [threading.Thread(target=fight, args=(number,)) for number in range(4)]
    for fighter in fighters:
        fighter.start()
    for fighter in fighters:
        fighter.join(60)
    tokens = [int(row.reason) for row in ledger.decisions_of_run("run-1")]
    assert tokens == sorted(tokens)
    assert len(tokens) == len(done) >= 1
