"""Flow, touchpoint type and reasons: from names in a job to ids of the tenant, and kept as they are on updates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from cshub.core.errors import SpecError
from cshub.systems.totango.catalog import TouchpointOptions
from cshub.systems.totango.client import TotangoClient
from cshub.systems.totango.models import CatalogueEntry, TouchpointFields

_RETIRED_FLOW = "disabled_"  # ids of retired flows begin so (totango.md §2.4)


class Choices:
    """Reads each catalogue once, when it is needed."""

    def __init__(self, client: TotangoClient, options: TouchpointOptions) -> None:
        self._client = client
        self._options = options

    @cached_property
    def chosen(self) -> TouchpointFields:
        """Ids of the flow, type and reasons that the options name. Raises :class:`SpecError` for unknown names."""
        options = self._options
        tags = [_entry(name, "reason", self._reasons).id for name in options.reasons]
        return TouchpointFields(
            activity_type_id=_entry(options.flow, "flow", self._flows).id if options.flow else None,
            touchpoint_type=_entry(options.touchpoint_type, "touchpoint type", self._types).id
            if options.touchpoint_type
            else None,
            touchpoint_tags=tags or None,
        )

    @cached_property
    def _flows(self) -> list[CatalogueEntry]:
        return [entry for entry in self._client.flows() if not entry.is_disabled]

    @cached_property
    def _types(self) -> list[CatalogueEntry]:
        return self._client.touchpoint_types()

    @cached_property
    def _reasons(self) -> list[CatalogueEntry]:
        return self._client.touchpoint_reasons()

    def kept(self, extra: Mapping[str, str]) -> dict[str, Any]:
        """Flow, type and reasons of the touchpoint, sent again because a field left out may be cleared.

        Those that the tenant has retired since are not sent: it would refuse the whole update.
        """
        flow, kind = extra.get("activity_type_id", ""), extra.get("meeting_type", "")
        tags = [tag for tag in extra.get("touchpoint_tags", "").split(",") if tag]
        return {
            "activity_type_id": flow
            if flow and not flow.startswith(_RETIRED_FLOW) and _knows(self._flows, flow)
            else None,
            "touchpoint_type": kind if kind and _knows(self._types, kind) else None,
            "touchpoint_tags": [tag for tag in tags if _knows(self._reasons, tag)] if tags else None,
        }


def _knows(entries: Sequence[CatalogueEntry], entry_id: str) -> bool:
    return any(entry.id == entry_id for entry in entries)


def _entry(name: str, what: str, entries: Sequence[CatalogueEntry]) -> CatalogueEntry:
    """The entry called ``name`` (or with this id). Raises :class:`SpecError` that lists what there is."""
    wanted = name.strip().casefold()
    for entry in entries:
        if entry.name.strip().casefold() == wanted or entry.id == name:
            return entry
    known = ", ".join(sorted(entry.name for entry in entries)) or "none"
    raise SpecError(f"Totango has no {what} called {name!r}. There are: {known}. Correct target.options of the job.")
