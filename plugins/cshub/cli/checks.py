"""`cshub validate` and `cshub test`: what can be known of a job before it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cshub.cli.options import Json, examples
from cshub.cli.screen import ExitCode, Screen, begin, counted, fault_document, fault_table, grid, shown

if TYPE_CHECKING:
    from cshub.core.errors import Fault
    from cshub.core.examples import ExampleResult

PANEL = "Before a run"
Jobs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="JOB…", help="Job ids, or paths of YAML files anywhere. None: every job.", show_default=False
    ),
]


def register(app: typer.Typer) -> None:
    app.command(
        rich_help_panel=PANEL,
        epilog=examples(
            "cshub validate",
            "cshub validate chorus_touchpoints_inbound --online",
            "cshub validate ~/drafts/my_job.yaml",
        ),
    )(validate)
    app.command(
        name="test", rich_help_panel=PANEL, epilog=examples("cshub test", "cshub test chorus_touchpoints_inbound")
    )(run_tests)


def validate(
    jobs: Jobs = None,
    online: Annotated[
        bool, typer.Option("--online", help="Also call the services: connections, and the names the job uses.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check job files and name every fault at once: place, field, reason and remedy.

    Jobs are checked against each other too: two directions of one sync must share their pair.

    Files only, unless --online is given. The exit status is 0 only when no fault was found.
    """
    from cshub.cli.pairs import pair_finding
    from cshub.cli.selection import selected

    screen = begin(as_json)
    choice = selected(jobs or [])
    found = {item.job_id: item.faults() for item in choice}
    fitting = {job_id for job_id, faults in found.items() if not faults}
    partners: dict[str, str | None] = {}
    warnings: dict[str, list[Fault]] = {}
    for item in choice:
        if not found[item.job_id]:
            finding = pair_finding(item.job_id, item.library)
            partners[item.job_id] = finding.partner
            found[item.job_id] += finding.faults
            if finding.is_alone:
                screen.note(f"{item.job_id}: no other job has the pair {item.bound.pair_name}: it syncs one way.")
    if online:
        from cshub.cli.online import online_findings

        for item in choice:
            if item.job_id not in fitting:
                screen.note(f"{item.job_id}: the services were not asked: mend these faults of the files first")
            else:
                screen.note(f"{item.job_id}: asking the services")
                asked = online_findings(item)
                found[item.job_id] += asked.faults
                warnings[item.job_id] = asked.warnings
                for warning in asked.warnings:
                    screen.note(f"{item.job_id}: warning: {warning}")
    _show_faults(screen, found, partners)
    screen.document(
        {
            "valid": not any(found.values()),
            "jobs": [
                {
                    "job": job_id,
                    "valid": not faults,
                    "asked_services": online and job_id in fitting,
                    "partner": partners.get(job_id),
                    "faults": [fault_document(fault) for fault in faults],
                    "warnings": [fault_document(warning) for warning in warnings.get(job_id, ())],
                }
                for job_id, faults in found.items()
            ],
        }
    )
    screen.end(ExitCode.RED if any(found.values()) else ExitCode.GREEN)


def run_tests(jobs: Jobs = None, as_json: Json = False) -> None:
    """Run the examples that job files carry: each record given must become what the example says.

    Nothing is called. Only the attributes an example names are compared. The exit status is 0 only when all pass.
    """
    from cshub.cli.selection import selected
    from cshub.core.errors import JobFileError
    from cshub.core.examples import run_examples

    screen = begin(as_json)
    results: dict[str, list[ExampleResult]] = {}
    faults: list[Fault] = []
    for item in selected(jobs or []):
        found = item.faults()
        faults += found
        if not found:
            results[item.job_id] = run_examples(item.bound, item.source, item.target)
    if faults:
        raise JobFileError(faults)
    for job_id, outcomes in results.items():
        _show_examples(screen, job_id, outcomes)
    total = [outcome for outcomes in results.values() for outcome in outcomes]
    failed = sum(not outcome.passed for outcome in total)
    screen.show(f"{counted(len(total), 'example')}: {len(total) - failed} passed, {failed} failed.")
    screen.document(
        {
            "passed": not failed,
            "jobs": [
                {"job": job_id, "examples": [_example_document(outcome) for outcome in outcomes]}
                for job_id, outcomes in results.items()
            ],
        }
    )
    screen.end(ExitCode.RED if failed else ExitCode.GREEN)


def _show_faults(screen: Screen, found: dict[str, list[Fault]], partners: dict[str, str | None]) -> None:
    from rich.text import Text

    for job_id, faults in found.items():
        if faults:
            screen.show(Text(f"✗ {job_id}: {counted(len(faults), 'fault')}", style="bold red"), fault_table(faults), "")
        else:
            partner = partners.get(job_id)
            screen.show(Text(f"✓ {job_id}{f'  two-way with {partner}' if partner else ''}", style="green"))
    wrong = sum(bool(faults) for faults in found.values())
    if not found:
        screen.show("There are no jobs. Add a YAML file to the jobs folder (CSHUB_JOBS_DIR).")
    elif wrong:
        screen.show(f"{wrong} of {counted(len(found), 'job')} {'has' if wrong == 1 else 'have'} faults.")
    else:
        screen.show(f"{counted(len(found), 'job')} checked, no faults.")


def _show_examples(screen: Screen, job_id: str, outcomes: list[ExampleResult]) -> None:
    from rich.text import Text

    screen.show(Text(job_id, style="bold"))
    if not outcomes:
        screen.show("  no examples; add some under `examples:` in the job file")
    for outcome in outcomes:
        sign, style = ("✓", "green") if outcome.passed else ("✗", "red")
        screen.show(Text(f"  {sign} {outcome.name}", style=style))
        if not outcome.passed:
            rows = [(item.attribute, _value(item.expected), _value(item.got)) for item in outcome.differences]
            screen.show(grid(("attribute", "expected", "got"), rows))


def _example_document(outcome: ExampleResult) -> dict[str, Any]:
    return {
        "name": outcome.name,
        "passed": outcome.passed,
        "differences": [
            {"attribute": item.attribute, "expected": item.expected, "got": _value(item.got, plain=True)}
            for item in outcome.differences
        ],
    }


def _value(value: Any, *, plain: bool = False) -> Any:
    from cshub.core.mapping import ABSENT

    if value is ABSENT:
        return "(absent)"
    return value if plain else shown(value)
