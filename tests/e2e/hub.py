"""All six integration types in one scene: three services kept in step, two pairs of jobs in both directions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from cshub_runtime.acts import Act, Services
from tests.e2e.stage import Scene, Stage

SCENE = "hub"
TOUCHPOINTS_IN, TOUCHPOINTS_OUT = "hub_touchpoints_inbound", "hub_touchpoints_outbound"
TASKS_IN, TASKS_OUT = "hub_tasks_inbound", "hub_tasks_outbound"
MEETINGS, CAMPAIGNS = "hub_meetings", "hub_campaigns"
INBOUND, OUTBOUND = (MEETINGS, TASKS_IN, TOUCHPOINTS_IN), (CAMPAIGNS, TASKS_OUT, TOUCHPOINTS_OUT)
WRITTEN = ("totango", "salesforce", "chorus")

_TYPES: Mapping[str, Mapping[str, Any]] = {
    MEETINGS: {"kind": "chorus_touchpoints_inbound", "on_target_edit": "keep"},
    TOUCHPOINTS_IN: {"kind": "salesforce_touchpoints_inbound", "pair": "hub_touchpoints"},
    TOUCHPOINTS_OUT: {"kind": "salesforce_touchpoints_outbound", "pair": "hub_touchpoints"},
    TASKS_IN: {"kind": "salesforce_tasks_inbound", "pair": "hub_tasks"},
    TASKS_OUT: {"kind": "salesforce_tasks_outbound", "pair": "hub_tasks"},
    CAMPAIGNS: {"kind": "salesforce_campaign_touches_outbound"},
}
_FEW = {"delete": {"count": 2}}  # the one deletion of the story may be more than 5 % of what the hour has linked
JOBS: Mapping[str, Mapping[str, Any]] = {
    job_id: {"scene": SCENE, "schedule": {"kind": "manual"}, "guard": _FEW, **settings}
    for job_id, settings in _TYPES.items()
}


@dataclass
class Hub:
    """The jobs of the scene. A round runs those into Totango side by side, then those out of it."""

    stage: Stage
    scene: Scene
    first: Mapping[str, str] = field(default_factory=dict)
    second: Mapping[str, str] = field(default_factory=dict)
    second_wrote: Mapping[str, list[Any]] = field(default_factory=dict)

    @cached_property
    def services(self) -> Services:
        return Services(self.scene.process.addresses)

    def open(self, prologue: Iterable[Act]) -> None:
        """The first and the second round, once the prologue was played; what the second one wrote is kept."""
        for meeting in self.scene.control.world()["cases"]["summary_late_by_minutes"]:
            self.scene.control.act("chorus", "postpone_summary", id=meeting, seconds=86_400)
        self.play(prologue)
        self.first = self.round()
        before = self.writes()
        self.second = self.round()
        self.second_wrote = {service: calls[len(before[service]) :] for service, calls in self.writes().items()}

    def play(self, acts: Iterable[Act]) -> None:
        for act in acts:
            act.perform(self.services)

    def round(self) -> dict[str, str]:
        """One sync of every job, all green; their runs."""
        return {**self.sync(*INBOUND), **self.sync(*OUTBOUND)}

    def sync(self, *job_ids: str) -> dict[str, str]:
        """One sync of each of these jobs at once, all green; their runs."""
        runs = {job_id: self.stage.start(job_id) for job_id in job_ids}
        for job_id, run_id in runs.items():
            self.stage.finish(job_id, run_id)
        return runs

    def writes(self) -> dict[str, list[Any]]:
        """Writes that reached each service so far."""
        return {service: self.scene.control.log(service, writes=True) for service in WRITTEN}

    def statistics(self, runs: Mapping[str, str]) -> dict[str, dict[str, Any]]:
        return {job_id: self.stage.statistics(job_id, run_id) for job_id, run_id in runs.items()}

    def live_events(self) -> set[str]:
        """Ids of the Salesforce events that are not deleted."""
        return {event["Id"] for event in self.services.held("salesforce", "events") if not event["IsDeleted"]}
