"""Recognising the touchpoint that a create with a lost answer made, whatever the service did to its text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import xxhash

from cshub.core.ports import Candidate
from cshub.core.text import loose_form, normalise_text
from cshub.systems.totango.models import Touchpoint, TouchpointFields
from cshub.systems.totango.touchpoint_reader import target_record

_SAME_MOMENT_MS = 1000
_DATE_ONLY = 3


def hint_of(account_id: str, fields: TouchpointFields) -> dict[str, Any]:
    """What :func:`recognised` needs to know of a create. JSON-ready; texts only as digests, but for the subject."""
    return {
        "account_id": account_id,
        "timestamp_ms": fields.create_date_ms,
        "author": (fields.created_by or "").lower(),
        "subject": normalise_text(fields.subject),
        "content": _digest(normalise_text(fields.content)),
        "loose": _digest(loose_form(fields.content)),
    }


def recognised(notes: Iterable[Touchpoint], hint: Mapping[str, Any]) -> list[Candidate]:
    """Those with this date, author, subject and content, oldest first; then those that an edit may have changed.

    Of these, first the ones that still have the content; those that have but the date are vague.
    """
    distinct = sorted({note.note_id: note for note in notes}.values(), key=_creation)
    ranked = [(rank, note) for note in distinct if (rank := _rank(note, hint))]
    ranked.sort(key=lambda pair: pair[0])
    return [Candidate(target_record(note), rank, is_vague=rank == _DATE_ONLY) for rank, note in ranked]


def text_digests(text: str | None) -> set[str]:
    """Digests of a text in the two forms in which services give it back."""
    return {_digest(normalise_text(text)), _digest(loose_form(text))}


def _creation(note: Touchpoint) -> tuple[int, int]:
    return note.creation_ms or 0, note.note_id


def _fits(note: Touchpoint, hint: Mapping[str, Any]) -> bool:
    if note.subject is not None and normalise_text(note.subject) != hint["subject"]:
        return False
    return _has_date(note, hint) and _has_author(note, hint) and _has_content(note, hint)


def _rank(note: Touchpoint, hint: Mapping[str, Any]) -> int:
    """1 to 3, the likeliest first; 0 for a note of which not even an edit may be all that tells it from the hint."""
    if _fits(note, hint):
        return 1
    if note.last_edit_ms is None or note.creation_ms is None or hint["timestamp_ms"] is None:
        return 0
    if not _has_author(note, hint):
        return 0
    if hint["content"] != _digest("") and _has_content(note, hint):
        return 2
    return _DATE_ONLY if _has_date(note, hint) else 0


def _has_date(note: Touchpoint, hint: Mapping[str, Any]) -> bool:
    at = hint["timestamp_ms"]
    return at is None or abs(note.timestamp_ms - at) < _SAME_MOMENT_MS


def _has_author(note: Touchpoint, hint: Mapping[str, Any]) -> bool:
    return not hint["author"] or note.author.strip().lower() == hint["author"].strip()


def _has_content(note: Touchpoint, hint: Mapping[str, Any]) -> bool:
    return not text_digests(note.text).isdisjoint({hint["content"], hint["loose"]})


def _digest(text: str) -> str:
    return xxhash.xxh3_128_hexdigest(text.encode("utf-8", "surrogatepass"))
