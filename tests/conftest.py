"""What holds for every test."""

from __future__ import annotations

import os
from pathlib import Path

# Airflow makes its home folder when it is first imported; this one is ignored by git.
os.environ.setdefault("AIRFLOW_HOME", str(Path(__file__).parents[1] / ".cshub" / "airflow"))
