"""Approve: a person decides when a plan exceeds the job's guard. No worker slot is held while waiting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped

from cshub.core.records import RunKind, RunOutcome
from cshub.core.stats import RunStatistics
from cshub.operators.base import failure_noted, hub_run_id, run_kind
from cshub.operators.steps import DIFF, pulled

if TYPE_CHECKING:
    from airflow.sdk import Context


class ApproveOperator(ApprovalOperator):
    """Passes a plan within the guard at once; otherwise shows what would happen and waits. No answer = refused."""

    ui_color = "#fef7e0"

    def __init__(self, *, job_id: str, **kwargs: Any) -> None:
        super().__init__(subject=f"{job_id}: approve the load?", defaults=self.REJECT, **kwargs)
        self.job_id = job_id

    def execute(self, context: Context) -> Any:
        with failure_noted(self.job_id, context):
            planned = pulled(context, DIFF)
        if run_kind(context) is RunKind.DRY:
            raise AirflowSkipException(f"Dry run: the plan is kept as {planned['plan_id']}, nothing is sent.")
        if not planned["excesses"]:
            return {"chosen_options": [self.APPROVE], "asked": False}
        self.subject = f"{self.job_id}: {_headline(planned['excesses'])}. Send it?"
        self.body = _body(self.job_id, hub_run_id(context), planned)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        try:
            answer = super().execute_complete(context, event)
        except DownstreamTasksSkipped:
            _note_refusal(self.job_id, context)
            raise
        return {"chosen_options": answer["chosen_options"], "asked": True}


def _headline(excesses: list[dict[str, Any]]) -> str:
    return ", ".join(item["text"] for item in excesses)


def _body(job_id: str, run_id: str, planned: dict[str, Any]) -> str:
    rows = "\n".join(f"| {name} | {count} |" for name, count in planned["counts"].items())
    return (
        f"The plan of this run exceeds the guard of job `{job_id}`.\n\n| action | records |\n|---|---|\n{rows}\n\n"
        f"{_deletions(planned)}"
        "**Approve** sends exactly this plan; rows that have changed since are left out. **Reject** sends nothing.\n\n"
        f"Every row, field by field: `cshub plan {job_id} --run {run_id} --all`, or as a file with `--csv plan.csv`."
    )


def _deletions(planned: dict[str, Any]) -> str:
    count, first = planned["counts"].get("delete", 0), planned.get("deleted_first", [])
    if not count or not first:
        return ""
    rest = f"\n- … and {count - len(first)} more" if count > len(first) else ""
    lines = "\n".join(f"- {_literal(key)} {_literal(name)}".rstrip() for key, name in first)
    return f"**{count} to delete in the target:**\n\n{lines}{rest}\n\n"


def _literal(text: str) -> str:
    """Text of a record as it is, whatever Markdown or HTML it holds."""
    plain = " ".join(text.replace("`", "'").split())
    return f"`{plain}`" if plain else ""


def _note_refusal(job_id: str, context: Context) -> None:
    from cshub.pipeline.opening import opened_run

    numbers = RunStatistics.from_dict(pulled(context, DIFF)["statistics"])
    with opened_run(job_id, hub_run_id(context), run_kind(context)) as run:
        run.ledger.close_run(run.run_id, RunOutcome.REFUSED, numbers, now=run.clock.now())
