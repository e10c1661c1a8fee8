"""What each step of a history does: deeds of people, runs of the hub, and what befalls them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from cshub.core.errors import HubError
from cshub.core.records import RunKind
from cshub.pipeline.run import Asked
from tests.campaigns.simulation.history import Does, Step
from tests.campaigns.simulation.hub import recently
from tests.campaigns.simulation.judge import Violation
from tests.campaigns.simulation.services import ACCOUNTS, LATE_ACCOUNT, OTHER

if TYPE_CHECKING:
    from tests.campaigns.simulation.play import Play

INSISTING = 4  # tries of what was broken off, once nothing disturbs it any more


def _create(play: Play, step: Step) -> None:
    accounts = (*ACCOUNTS, *ACCOUNTS, LATE_ACCOUNT)
    account = accounts[step.number % len(accounts)]
    since = len(play.hub.book)
    values = play.new_text(step.system)
    play.hub.services[step.system].accounts.add(account)
    play.hub.services[step.system].create(play.things, account, values)
    play.tell_book(since)


def _edit(play: Play, step: Step) -> None:
    held = play.any_of(step.system, step.number)
    if held is not None:
        play.edit(step.system, held, "Words")


def _delete(play: Play, step: Step) -> None:
    held = play.any_of(step.system, step.number)
    if held is not None:
        since = len(play.hub.book)
        play.hub.services[step.system].delete(held)
        play.tell_book(since)


def _run(play: Play, step: Step, kind: RunKind = RunKind.MANUAL, asked: Asked | None = None) -> None:
    play.carry_out(play.hub.course(play.source_of(step), kind, asked))


def _run_full(play: Play, step: Step) -> None:
    _run(play, step, asked=Asked(full_sync=True))


def _retry(play: Play, step: Step) -> None:
    _run(play, step, RunKind.RETRY)


def _backfill(play: Play, step: Step) -> None:
    _run(play, step, RunKind.BACKFILL, Asked(interval=recently(play.hub, 1 + step.number % 48)))


def _named(play: Play, step: Step) -> None:
    """A record that the hub knows is named; of one that is deleted a person would ask for another one."""
    held = play.any_of(play.source_of(step), step.number)
    if held is not None:
        _run(play, step, RunKind.RETRY, Asked(records=(held.key,)))


def _crash(play: Play, step: Step) -> None:
    """The process is killed at one of the boundaries of this run, then perhaps gone on with."""
    play.hub.fuse.renew(burns_at=1 + step.number % 40)
    play.carry_out(play.hub.course(play.source_of(step)))


def _edit_during(play: Play, step: Step) -> None:
    held = play.any_of(step.system, step.number)
    if held is None:
        return

    def act() -> None:
        if not held.deleted:
            play.judge.unsure.add(held.thing)
            play.edit(step.system, held, "Meanwhile")

    play.hub.fuse.meanwhile(1 + step.number % 40, act)
    play.carry_out(play.hub.course(play.source_of(step)))


def _overtaken(play: Play, step: Step) -> None:
    source = play.source_of(step)
    first, second = (play.hub.course(source) for _ in range(2))

    def act() -> None:
        _delete(play, replace(step, system=source))
        with suppress(HubError):
            second.plan()

    play.hub.fuse.meanwhile(1 + step.number % 40, act)
    done = play.carry_out(first)
    play.hub.fuse.renew()
    if done:
        play.carry_out(second)


def _zombie(play: Play, step: Step) -> None:
    course = play.hub.course(play.source_of(step))

    def stand_still() -> None:
        play.hub.clock.sleep(300)
        course.disturbed = True
        course.twin().go_on()
        play.tell("   the process that stood still wakes up")

    play.hub.fuse.meanwhile(1 + step.number % 40, stand_still)
    play.carry_out(course)


def _interleaved(play: Play, step: Step) -> None:
    source = play.source_of(step)
    course = play.hub.course(source)

    def both() -> None:
        course.plan()
        if play.history.two_way:
            play.hub.clock.sleep(30)
            play.carry_out(play.hub.course(OTHER[source]))
        course.load()

    play.carry_out(course, do=both)


def _twice(play: Play, step: Step) -> None:
    first, second = (play.hub.course(play.source_of(step)) for _ in range(2))

    def both() -> None:
        first.plan()
        second.plan()
        first.load()
        play.hub.clock.sleep(5)

    if play.carry_out(first, do=both):
        play.carry_out(second)


def _go_on(play: Play, step: Step) -> None:
    course, play.broken = play.broken, None
    if course is not None:
        play.hub.clock.sleep(240)
        play.carry_out(course)


def _trouble(play: Play, step: Step) -> None:
    faults = play.hub.faults
    faults.kinds, faults.probability, faults.left = step.troubles, 0.3, 1 + step.number % 5


def _account(play: Play, step: Step) -> None:
    play.hub.services[step.system].accounts.add(LATE_ACCOUNT)


def _late(play: Play, step: Step) -> None:
    play.hub.services[step.system].delay = timedelta(minutes=step.number % 10)


def _clock(play: Play, step: Step) -> None:
    play.hub.clock.skew = timedelta(minutes=step.number % 9 - 4)


def _restore(play: Play, step: Step) -> None:
    """An older copy of the ledger is put back, as the handbook says: what was under way is ended, then rebuilt.

    What people did since may have been synced, which nobody remembers: where the services' clocks are apart, the
    earlier of two edits may win.
    """
    hub = play.hub
    hub.ledger.state, length = play.pasts[step.number % len(play.pasts)]
    play.tell(f"   the ledger is what it was after {length} entries of the book")
    play.judge.unsure |= {item.thing for item in hub.book[length:]}
    play.broken = None
    hub.clock.sleep(300)
    _rebuild(play)
    for attempt in range(INSISTING):
        told = [play.tell_apart(link) for link in hub.held()]
        if not any(told):
            break
        if attempt == INSISTING - 1:
            hub.faults.left = 0  # while records are hidden, nothing is proven of them
        hub.clock.sleep(300)
        _rebuild(play)


def _rebuild(play: Play) -> None:
    for attempt in range(INSISTING):
        if attempt == INSISTING - 1:
            play.hub.faults.left = 0
        try:
            return play.hub.rebuild()
        except HubError as error:
            play.tell(f"   broken off: {type(error).__name__}: {error}")
            play.hub.clock.sleep(300)
    raise Violation("stuck: a rebuild does not come to an end, though nothing disturbs it any more")


DEEDS: Mapping[Does, Callable[[Play, Step], None]] = {
    Does.CREATE: _create,
    Does.EDIT: _edit,
    Does.DELETE: _delete,
    Does.RUN: _run,
    Does.RUN_FULL: _run_full,
    Does.RETRY: _retry,
    Does.BACKFILL: _backfill,
    Does.NAMED: _named,
    Does.CRASH: _crash,
    Does.EDIT_DURING: _edit_during,
    Does.ZOMBIE: _zombie,
    Does.INTERLEAVED: _interleaved,
    Does.TWICE: _twice,
    Does.OVERTAKEN: _overtaken,
    Does.GO_ON: _go_on,
    Does.TROUBLE: _trouble,
    Does.ACCOUNT: _account,
    Does.LATE: _late,
    Does.CLOCK: _clock,
    Does.RESTORE: _restore,
}
