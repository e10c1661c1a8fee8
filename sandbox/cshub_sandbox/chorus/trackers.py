"""Trackers: words whose mention in a conversation is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..world import Meeting


@dataclass(frozen=True, slots=True)
class Tracker:
    id: str
    name: str
    type: str  # chorus (built in), custom or competitor
    words: tuple[str, ...]


TRACKERS = (
    Tracker("next_steps", "Next steps", "chorus", ("i will", "send", "next")),
    Tracker("pricing", "Pricing", "chorus", ("price", "budget", "quote")),
    Tracker("training", "Training", "custom", ("training", "recording", "sessions")),
    Tracker("competition", "Competition", "competitor", ("other offer", "competing")),
)


def mentions(tracker: Tracker, meeting: Meeting) -> list[dict[str, int]]:
    """Index of the utterance and whole seconds from the start, for each utterance with one of the words."""
    return [
        {"utterance": index, "offset": int(line.offset_s)}
        for index, line in enumerate(meeting.utterances)
        if any(word in line.text.lower() for word in tracker.words)
    ]


def tracker_matches(meeting: Meeting) -> list[dict[str, Any]]:
    """Trackers that matched, as the engagement list shows them."""
    counted = [(tracker, len(mentions(tracker, meeting))) for tracker in TRACKERS]
    return [{"name": t.name, "num_matches": count, "type": t.type} for t, count in counted if count]


def detailed_trackers(meeting: Meeting) -> list[dict[str, Any]]:
    """Trackers that matched, as a conversation shows them."""
    found = [(tracker, mentions(tracker, meeting)) for tracker in TRACKERS]
    return [
        {
            "id": tracker.id,
            "name": tracker.name,
            "type": tracker.type,
            "source": "chorus",
            "owner_id": 0,
            "team_ids": None,
            "count": len(places),
            "mentions": places,
        }
        for tracker, places in found
        if places
    ]
