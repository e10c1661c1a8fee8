"""`cshub ledger`: the tables of what cshub remembers."""

from __future__ import annotations

import typer

from cshub.cli.options import Json, examples
from cshub.cli.screen import begin

app = typer.Typer(no_args_is_help=True, help="The ledger: bring its tables up to date, rebuild lost links.")


@app.command(epilog=examples("CSHUB_LEDGER_URL=postgresql://… cshub ledger upgrade"))
def upgrade(as_json: Json = False) -> None:
    """Bring the tables to the newest revision. Safe to repeat; runs do it by themselves too."""
    from cshub.ledger import Ledger, ledger_url
    from cshub.ledger.database import Database

    screen = begin(as_json)
    ledger = Ledger(Database(ledger_url()))
    try:
        ledger.upgrade()
        revision, address = ledger.revision(), ledger.database.url.render_as_string(hide_password=True)
    finally:
        ledger.close()
    screen.show(f"✓ {address} is at revision {revision}")
    screen.document({"ledger": address, "revision": revision})


@app.command(epilog=examples("cshub ledger revision"))
def revision(as_json: Json = False) -> None:
    """Say the revision the tables are at, and the newest one. Changes nothing."""
    from cshub.ledger import Ledger, ledger_url
    from cshub.ledger.database import Database
    from cshub.ledger.migrations import HEAD

    screen = begin(as_json)
    database = Database(ledger_url())
    address = database.url.render_as_string(hide_password=True)
    ledger = Ledger(database)
    try:
        missing = database.file is not None and not database.file.exists()
        found = None if missing else ledger.revision()
    finally:
        ledger.close()
    if found == HEAD:
        screen.show(f"{address} is at revision {found}, the newest.")
    else:
        screen.show(f"{address} is at revision {found or 'none'}; the newest is {HEAD}. Run `cshub ledger upgrade`.")
    screen.document({"ledger": address, "revision": found, "newest": HEAD})
