"""The approval step where nobody can be asked: a plan that exceeds the guard is refused at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowSkipException

from cshub.core.records import RunKind, RunOutcome
from cshub.core.stats import RunStatistics
from cshub.operators.approve import ApproveOperator
from cshub.operators.base import hub_run_id, run_kind
from cshub.operators.steps import DIFF, pulled

if TYPE_CHECKING:
    from airflow.sdk import Context


def _nobody(_excesses: Sequence[str]) -> None:
    pass


class UnattendedApprove(ApproveOperator):
    """Passes a plan within the guard, as its parent does; else sends nothing and tells ``refused`` what exceeds it."""

    refused: ClassVar[Callable[[Sequence[str]], None]] = _nobody

    def execute(self, context: Context) -> Any:
        planned = pulled(context, DIFF)
        if run_kind(context) is RunKind.DRY or not planned["excesses"]:
            return super().execute(context)
        from cshub.pipeline.opening import opened_run

        numbers = RunStatistics.from_dict(planned["statistics"])
        with opened_run(self.job_id, hub_run_id(context), run_kind(context)) as run:
            run.ledger.close_run(run.run_id, RunOutcome.REFUSED, numbers, now=run.clock.now())
        type(self).refused([item["text"] for item in planned["excesses"]])
        raise AirflowSkipException("The plan exceeds the guard and nobody can be asked: nothing is sent.")
