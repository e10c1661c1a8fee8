"""The tenant's lists: flows, touchpoint types, touchpoint reasons, task status labels."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any
from uuid import UUID

from cshub_sandbox.totango.records import TaskStatus
from cshub_sandbox.totango.switches import CatalogueShape

# The vendor's five types of a new tenant; internal notes do not count as a touch.
_TYPES = ("Web meeting", "In-person meeting", "Telephone call", "Email", "Internal note")
_TAGS = ("Onboarding", "Executive review", "Support", "Renewal", "Expansion")


@dataclass(frozen=True, slots=True)
class Flow:
    id: str
    name: str
    icon: str
    system: bool
    default: bool = False
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class CatalogueItem:
    id: str
    name: str
    is_default: bool
    non_editable: bool
    created_at: str  # ISO 8601 with milliseconds
    created_by: str


@dataclass(frozen=True, slots=True)
class StatusLabel:
    id: str
    name: str
    category: str
    status: TaskStatus


class Catalogues:
    """Flows by id, types and reasons by id. Exactly one flow is the default one."""

    def __init__(self, rng: Random, *, made_by: str, made_at: str) -> None:
        self._rng = rng
        self._made_by = made_by
        self._made_at = made_at
        flows = (
            Flow("adoption", "Adoption", "icon-adoption", system=True, default=True),
            Flow("renewal", "Renewal", "icon-renewal", system=True),
            Flow("support", "Support", "icon-support", system=True),
            Flow("escalation", "Escalation", "icon-escalation", system=True),
            Flow("disabled_1612137600000", "Launch 2021", "icon-custom", system=False, disabled=True),
        )
        self.flows: dict[str, Flow] = {flow.id: flow for flow in flows}
        self.types: dict[str, CatalogueItem] = {}
        self.tags: dict[str, CatalogueItem] = {}
        for name in _TYPES:
            self.add_type(name, is_default=name == _TYPES[0], non_editable=True)
        for name in _TAGS:
            self.add_tag(name)
        self.labels = {
            label.id: label
            for label in (
                StatusLabel(self._uuid(), "Not Started", "Not Started", TaskStatus.OPEN),
                StatusLabel(self._uuid(), "Open", "Started", TaskStatus.OPEN),
                StatusLabel(self._uuid(), "Completed", "Completed", TaskStatus.CLOSED),
                StatusLabel(self._uuid(), "Cancelled", "Cancelled", TaskStatus.CLOSED),
            )
        }

    @property
    def default_flow(self) -> Flow:
        return next(flow for flow in self.flows.values() if flow.default)

    def usable_flow(self, flow_id: str) -> Flow | None:
        flow = self.flows.get(flow_id)
        return None if flow is None or flow.disabled else flow

    def set_default_flow(self, flow_id: str) -> Flow:
        """Raises ``KeyError`` for a flow that does not exist or is disabled."""
        if self.usable_flow(flow_id) is None:
            raise KeyError(f"No usable flow {flow_id!r}")
        self.flows = {key: replace(flow, default=key == flow_id) for key, flow in self.flows.items()}
        return self.flows[flow_id]

    def add_flow(self, flow_id: str, name: str) -> Flow:
        self.flows[flow_id] = Flow(flow_id, name, "icon-custom", system=False)
        return self.flows[flow_id]

    def add_type(self, name: str, *, is_default: bool = False, non_editable: bool = False) -> CatalogueItem:
        return self._add(self.types, name, is_default, non_editable)

    def add_tag(self, name: str) -> CatalogueItem:
        return self._add(self.tags, name, False, False)

    def label_for(self, status: TaskStatus) -> StatusLabel:
        """The predefined label of a legacy status: open → Not Started, closed → Completed."""
        return next(label for label in self.labels.values() if label.status is status)

    def _add(self, into: dict[str, CatalogueItem], name: str, is_default: bool, non_editable: bool) -> CatalogueItem:
        item = CatalogueItem(self._uuid(), name, is_default, non_editable, self._made_at, self._made_by)
        into[item.id] = item
        return item

    def _uuid(self) -> str:
        return str(UUID(int=self._rng.getrandbits(128), version=4))


def render_flows(flows: Mapping[str, Flow], uses: Mapping[str, int]) -> dict[str, Any]:
    """An object keyed by flow id; ``uses`` counts the activities per flow."""
    return {
        flow.id: {
            "activity_type_id": flow.id,
            "display_name": flow.name,
            "num_of_activities_assign_to": uses.get(flow.id, 0),
            "icon_class": flow.icon,
            "system_type": flow.system,
            "default_type": flow.default,
            "disabled": flow.disabled,
        }
        for flow in flows.values()
    }


def render_items(items: Mapping[str, CatalogueItem], used: Container[str | None], shape: CatalogueShape) -> Any:
    """Types or reasons in one of the shapes seen in the wild; ``used`` holds the ids that touchpoints bear."""
    if shape is CatalogueShape.MAP:
        return {item.id: item.name for item in items.values()}
    rows = [
        {
            "id": item.id,
            "display_name": item.name,
            "icon": "touchpoint",
            "is_default": item.is_default,
            "non_editable": item.non_editable,
            "used": item.id in used,
            "created_at": item.created_at,
            "created_by": item.created_by,
            "updated_at": item.created_at,
            "updated_by": item.created_by,
        }
        for item in items.values()
    ]
    return rows if shape is CatalogueShape.LIST else {row["id"]: row for row in rows}
