"""What a history violates, its shortest form, and the text that a person can follow."""

from __future__ import annotations

from tests.campaigns.simulation.history import History, smaller
from tests.campaigns.simulation.play import Play


def violation_of(history: History) -> str | None:
    """What a history violates, None when every promise is kept."""
    try:
        Play(history).play()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def shortest(history: History) -> History:
    """The history without what its violation does not need."""
    kind = _kind(violation_of(history))
    shrinking = kind is not None
    while shrinking:
        found = next((less for less in smaller(history) if _kind(violation_of(less)) == kind), None)
        shrinking = found is not None
        history = found or history
    return history


def story_of(history: History) -> str:
    """What happens in a history, and how it ends."""
    play = Play(history, telling=True)
    try:
        play.play()
    except Exception as error:
        play.log.append(f"{type(error).__name__}: {error}")
    return play.story()


def _kind(violation: str | None) -> str | None:
    return None if violation is None else ":".join(violation.split(":")[:2])
