"""Which touchpoints a job reads."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from cshub.core.window import Window
from cshub.systems.totango.catalog import TouchpointSourceOptions
from cshub.systems.totango.choices import Catalogues, ids_called
from cshub.systems.totango.models import Touchpoint, to_ms


@dataclass(frozen=True, slots=True)
class TouchpointFilter:
    """Empty sets let everything pass. E-mails are in lower case."""

    flows: frozenset[str]
    types: frozenset[str]
    reasons: frozenset[str]
    authors: frozenset[str]
    accounts: frozenset[str]
    updated_within: timedelta | None

    def passes(self, note: Touchpoint, window: Window) -> bool:
        """Whether a job reads this touchpoint in this window."""
        if self.updated_within is not None and note.modified_ms < to_ms(window.end - self.updated_within):
            return False
        return (
            _holds(self.flows, note.activity_type_id)
            and _holds(self.types, note.touchpoint_type)
            and (not self.reasons or not self.reasons.isdisjoint(note.tags or ()))
            and _holds(self.authors, note.author.strip().lower())
            and _holds(self.accounts, note.account_id)
        )


def filter_of(options: TouchpointSourceOptions, catalogues: Catalogues) -> TouchpointFilter:
    """Reads the catalogues that the options name something of. Raises :class:`SpecError` for unknown names."""
    days = options.updated_within_days
    return TouchpointFilter(
        flows=ids_called(options.flows, "flow", catalogues.flows) if options.flows else frozenset(),
        types=ids_called(options.touchpoint_types, "touchpoint type", catalogues.types)
        if options.touchpoint_types
        else frozenset(),
        reasons=ids_called(options.reasons, "reason", catalogues.reasons) if options.reasons else frozenset(),
        authors=frozenset(author.strip().lower() for author in options.authors),
        accounts=frozenset(options.accounts),
        updated_within=None if days is None else timedelta(days=days),
    )


def _holds(wanted: frozenset[str], value: str | None) -> bool:
    return not wanted or value in wanted
