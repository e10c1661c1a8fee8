"""Other mappings for the jobs of a two-way lab."""

from __future__ import annotations

from collections.abc import Callable

from cshub.core.jobs import FieldMap
from tests.pipeline.two_way import Sync


def mapped_to(source: str, target: str) -> FieldMap:
    return FieldMap(source=source, target=target)


def remap(sync: Sync, job: str, change: Callable[[FieldMap], list[FieldMap]]) -> None:
    """Change the rows of ``job`` (to Totango) or ``back``."""
    bound = getattr(sync.lab, job)
    rows = [made for row in bound.template.fields for made in change(row)]
    setattr(sync.lab, job, bound.model_copy(update={"template": bound.template.model_copy(update={"fields": rows})}))


def timed(sync: Sync) -> None:
    """Both jobs keep the hour: the touchpoint's date goes to two fields, and comes back from where the hour is."""
    start, hour = mapped_to("touchpoint_date", "StartDateTime"), mapped_to("StartDateTime", "touchpoint_date")
    remap(sync, "back", lambda row: [row, start] if row.target == "ActivityDate" else [row])
    remap(sync, "job", lambda row: [hour] if row.target == "touchpoint_date" else [row])
