"""Flow, touchpoint type and reasons: from names in a job to ids of the tenant and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from cshub.core.errors import SpecError
from cshub.systems.totango.catalog import TouchpointOptions
from cshub.systems.totango.client import TotangoClient
from cshub.systems.totango.models import CatalogueEntry, TouchpointFields

_RETIRED_FLOW = "disabled_"  # ids of retired flows begin so (totango.md §2.4)


class Catalogues:
    """The tenant's flows, touchpoint types and reasons, each read once, when it is needed."""

    def __init__(self, client: TotangoClient) -> None:
        self._client = client

    @cached_property
    def flows(self) -> list[CatalogueEntry]:
        """Retired ones included."""
        return self._client.flows()

    @cached_property
    def open_flows(self) -> list[CatalogueEntry]:
        return [entry for entry in self.flows if not entry.is_disabled]

    @cached_property
    def types(self) -> list[CatalogueEntry]:
        return self._client.touchpoint_types()

    @cached_property
    def reasons(self) -> list[CatalogueEntry]:
        return self._client.touchpoint_reasons()


class Choices:
    """What the options of a job that writes touchpoints choose, and what an update keeps."""

    def __init__(self, catalogues: Catalogues, options: TouchpointOptions) -> None:
        self._catalogues = catalogues
        self._options = options

    @cached_property
    def chosen(self) -> TouchpointFields:
        """Ids of the flow, type and reasons that the options name. Raises :class:`SpecError` for unknown names."""
        options, catalogues = self._options, self._catalogues
        kind = options.touchpoint_type
        return TouchpointFields(
            activity_type_id=entry_called(options.flow, "flow", catalogues.open_flows).id if options.flow else None,
            touchpoint_type=entry_called(kind, "touchpoint type", catalogues.types).id if kind else None,
            touchpoint_tags=[entry_called(name, "reason", catalogues.reasons).id for name in options.reasons] or None,
        )

    def kept(self, extra: Mapping[str, str]) -> dict[str, Any]:
        """Flow, type, reasons and thread of the touchpoint, sent again because a field left out may be cleared.

        Names that the tenant has retired since are not sent: it would refuse the whole update.
        """
        flow, kind = extra.get("activity_type_id", ""), extra.get("meeting_type", "")
        tags = [tag for tag in extra.get("touchpoint_tags", "").split(",") if tag]
        return {
            "activity_type_id": flow
            if flow and not flow.startswith(_RETIRED_FLOW) and _knows(self._catalogues.open_flows, flow)
            else None,
            "touchpoint_type": kind if kind and _knows(self._catalogues.types, kind) else None,
            "touchpoint_tags": [tag for tag in tags if _knows(self._catalogues.reasons, tag)] if tags else None,
            **{name: int(extra[name]) for name in ("parent_id", "follow_up") if name in extra},
        }


def entry_called(
    name: str, what: str, entries: Sequence[CatalogueEntry], *, place: str = "target.options"
) -> CatalogueEntry:
    """The entry called ``name`` (or with this id). Raises :class:`SpecError` that lists what there is."""
    wanted = name.strip().casefold()
    for entry in entries:
        if entry.name.strip().casefold() == wanted or entry.id == name:
            return entry
    known = ", ".join(sorted(entry.name for entry in entries)) or "none"
    raise SpecError(f"Totango has no {what} called {name!r}. There are: {known}. Correct {place} of the job.")


def ids_called(names: Iterable[str], what: str, entries: Sequence[CatalogueEntry]) -> frozenset[str]:
    """Ids of all entries with these names, for a filter. Raises :class:`SpecError` for an unknown name."""
    wanted = {entry_called(name, what, entries, place="source.options").name.strip().casefold() for name in names}
    return frozenset(entry.id for entry in entries if entry.name.strip().casefold() in wanted)


def entry_name(entries: Sequence[CatalogueEntry], entry_id: str | None) -> str | None:
    """The name of the entry with this id, None when there is none."""
    return next((entry.name for entry in entries if entry.id == entry_id), None)


def _knows(entries: Sequence[CatalogueEntry], entry_id: str) -> bool:
    return any(entry.id == entry_id for entry in entries)
