"""Where the ledger is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "CSHUB_LEDGER_URL"


def ledger_url(environ: Mapping[str, str] | None = None, folder: Path | None = None) -> str:
    """SQLAlchemy url of the ledger: ``CSHUB_LEDGER_URL``, else a SQLite file in ``<folder>/.cshub/``.

    ``environ`` is the process's environment and ``folder`` the current one unless they are given.
    """
    stated = (os.environ if environ is None else environ).get(VARIABLE, "").strip()
    if stated:
        return stated
    return f"sqlite:///{(folder or Path.cwd()) / '.cshub' / 'ledger.db'}"
