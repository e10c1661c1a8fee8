"""What the demo tells and writes, without its Airflow, database and sandbox."""

from __future__ import annotations

import io
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from cshub_runtime import demo
from cshub_runtime.sandbox_process import SandboxAddresses, Service

ADDRESSES = SandboxAddresses({"chorus": Service("http://c", "t1"), "totango": Service("http://t", "t2")}, "http://x")


class StillAirflow:
    """An Airflow that answers at once and does nothing."""

    base_url = "http://a"
    rest = SimpleNamespace(store_connection=lambda connection: None)

    def __init__(self, *given: Any, **more: Any) -> None:
        """Takes what the real one takes."""

    def claim(self) -> None:
        """Nothing to claim."""

    def start(self) -> None:
        """Up already."""

    def stop(self) -> None:
        """Nothing to stop."""

    def environment(self) -> dict[str, str]:
        return {"CSHUB_LEDGER_URL": "sqlite:///ledger.db"}


def test_the_command_line_can_be_used_before_the_first_sync_and_the_demo_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "LocalAirflow", StillAirflow)
    monkeypatch.setattr(
        demo, "SandboxProcess", lambda *given, **more: nullcontext(SimpleNamespace(addresses=ADDRESSES))
    )
    monkeypatch.chdir(tmp_path)
    shown = io.StringIO()
    seen: list[str] = []

    def rounds(self: demo.Demo, rest: Any, addresses: SandboxAddresses) -> bool:
        seen.append((tmp_path / "cshub.env").read_text("utf-8"))
        seen.append(shown.getvalue())
        return True

    monkeypatch.setattr(demo.Demo, "_rounds", rounds)
    options = demo.DemoOptions(home=tmp_path, once=True)
    assert demo.Demo(options, Console(file=shown, width=200)).perform() == 0
    assert "export AIRFLOW_CONN_TOTANGO_DEFAULT=" in seen[0] and "export CSHUB_LEDGER_URL=" in seen[0]
    assert "Airflow answers" in seen[1] and ". cshub.env && cshub status" in seen[1]
    assert not (tmp_path / "cshub.env").exists()
