"""`cshub sandbox`: the simulated services, as a child process."""

from __future__ import annotations

import typer

from cshub.cli.options import examples

SETTINGS = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def register(app: typer.Typer) -> None:
    app.command(
        name="sandbox",
        rich_help_panel="Services and stores",
        context_settings=SETTINGS,
        epilog=examples("cshub sandbox", "cshub sandbox --seed 7 --json"),
    )(start)


def start(context: typer.Context) -> None:
    """Simulate Chorus, Salesforce and Totango on this machine, on one believable world.

    Its own --help lists the options. Stop it with Ctrl-C or SIGTERM.
    """
    from cshub.cli.child import run_child
    from cshub.cli.screen import current

    arguments = list(context.args)
    if current().as_json and "--json" not in arguments:
        arguments.append("--json")
    raise typer.Exit(run_child(["-m", "cshub_sandbox", *arguments]))
