"""All commands of `cshub` and the root options."""

from __future__ import annotations

from importlib import metadata
from typing import Annotated

import typer

from cshub.cli import (
    applying,
    checks,
    chorus,
    ledger_tables,
    plans,
    preview,
    rebuild,
    records,
    runs,
    salesforce,
    sandbox,
    totango,
    undo,
)
from cshub.cli.group import HubGroup
from cshub.cli.screen import enter

EPILOG = """\
[bold]Exit status[/bold]
  0  a green run, valid files, or the answer that was asked for
  1  a red or refused run, faults found, or an error that stays
  2  the command was not understood
  3  the service, network or ledger failed for now: try later
  130  interrupted with Ctrl-C

[bold]Examples[/bold]
  [cyan]cshub validate[/cyan]                             check every job file
  [cyan]cshub preview chorus_touchpoints_inbound[/cyan]   the first records as they will arrive
  [cyan]cshub plan chorus_touchpoints_inbound[/cyan]      every change before it is made
  [cyan]cshub run chorus_touchpoints_inbound[/cyan]       run a job through its DAG"""

app = typer.Typer(
    cls=HubGroup,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"cshub {metadata.version('cshub')}")
        raise typer.Exit


@app.callback()
def root(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document instead of tables.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=tell_version)
    ] = False,
) -> None:
    """Keeps Chorus, Salesforce and Totango in step: check, preview, plan, run and look into integration jobs."""
    enter(as_json=as_json, debug=debug)


for module in (checks, preview, plans, applying, runs, undo, records):
    module.register(app)
rebuild.register(ledger_tables.app)
app.add_typer(ledger_tables.app, name="ledger", rich_help_panel="Services and stores")
app.add_typer(totango.app, name="totango", rich_help_panel="Services and stores")
app.add_typer(chorus.app, name="chorus", rich_help_panel="Services and stores")
app.add_typer(salesforce.app, name="salesforce", rich_help_panel="Services and stores")
sandbox.register(app)
