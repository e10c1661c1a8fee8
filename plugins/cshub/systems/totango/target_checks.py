"""Whether a tenant has what the options of a target name."""

from __future__ import annotations

from collections.abc import Sequence

from cshub.core.errors import SpecError
from cshub.core.validate_online import OptionFault
from cshub.core.wording import closest
from cshub.systems.totango.catalog import TouchpointOptions
from cshub.systems.totango.choices import Catalogues, entry_called
from cshub.systems.totango.models import CatalogueEntry

NO_FLOW = "Make one in Totango; the tenant's default flow is then taken unless one is named."


def touchpoint_option_faults(catalogues: Catalogues, options: TouchpointOptions) -> list[OptionFault]:
    """Every name of a flow, type or reason that the tenant does not have."""
    faults = [] if options.flow is None else unknown("flow", options.flow, "flow", catalogues.open_flows)
    if options.touchpoint_type is not None:
        faults += unknown("touchpoint_type", options.touchpoint_type, "touchpoint type", catalogues.types)
    for name in options.reasons:
        faults += unknown("reasons", name, "reason", catalogues.reasons)
    return faults


def flow_faults(catalogues: Catalogues, flow: str | None) -> list[OptionFault]:
    """A flow of tasks that the tenant does not have; a tenant without any flow can have no task."""
    if flow is not None:
        return unknown("flow", flow, "flow", catalogues.open_flows)
    return [] if catalogues.open_flows else [OptionFault("flow", "Totango has no flow for tasks", NO_FLOW)]


def unknown(option: str, name: str, what: str, entries: Sequence[CatalogueEntry]) -> list[OptionFault]:
    """A fault unless there is an entry of this name or id."""
    try:
        entry_called(name, what, entries)
    except SpecError:
        known = sorted(entry.name for entry in entries)
        reason = f"Totango has no {what} called {name!r}; there are: {', '.join(known) or 'none'}"
        near = closest(name, known)
        return [
            OptionFault(option, reason, f"Did you mean {near}?" if near else "Write one of these, or leave it out.")
        ]
    return []
