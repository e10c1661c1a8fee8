"""Command line of the local runtime: `python -m cshub_runtime demo`, and `… airflow` for Airflow's own commands."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from cshub_runtime.demo import Demo, DemoOptions
from cshub_runtime.supervisor import RuntimeFailure, running_environment

WIDTH = 110
"""Columns of what is printed where there is no terminal, such as in a log."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and run the demo; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cshub_runtime", description="Run cshub on this machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    demo = commands.add_parser("demo", help="start the sandbox and Airflow, run the first syncs, stay up until Ctrl-C")
    defaults = DemoOptions()
    demo.add_argument("--once", action="store_true", help="end after the first syncs; exit status 0 if all were green")
    demo.add_argument("--port", type=int, default=defaults.port, help="Airflow's port; 0: any free one (%(default)s)")
    demo.add_argument("--seed", type=int, default=defaults.seed, help="which simulated world to build (%(default)s)")
    demo.add_argument("--timezone", default=defaults.timezone, help="the hub's time zone (%(default)s)")
    demo.add_argument("--home", type=Path, default=defaults.home, help="folder for everything it writes (%(default)s)")
    data = demo.add_mutually_exclusive_group()
    data.add_argument("--fresh", action="store_true", help="begin with empty databases; this is the default")
    data.add_argument(
        "--keep-data", action="store_true", help="keep Airflow's history and the ledger of the last start"
    )
    demo.add_argument(
        "sandbox_arguments", nargs="*", help="after --: arguments for the sandbox, such as -- --meetings 50"
    )
    airflow = commands.add_parser("airflow", help="run one of Airflow's own commands on the demo that is running")
    airflow.add_argument("--home", type=Path, default=defaults.home, help="the running demo's folder (%(default)s)")
    airflow.add_argument("airflow_arguments", nargs=argparse.REMAINDER, help="such as: backfill create --dag-id …")
    given = parser.parse_args(arguments)
    if given.command == "airflow":
        return _airflow(given.home.absolute(), given.airflow_arguments)
    options = DemoOptions(
        home=given.home.absolute(),
        port=given.port,
        timezone=given.timezone,
        seed=given.seed,
        once=given.once,
        keep_data=given.keep_data,
        sandbox_arguments=tuple(given.sandbox_arguments),
    )
    return Demo(options, Console(width=None if sys.stdout.isatty() else WIDTH)).perform()


def _airflow(home: Path, arguments: Sequence[str]) -> int:
    try:
        environment = running_environment(home)
    except RuntimeFailure as error:
        print(error, file=sys.stderr)
        return 1
    os.execve(sys.executable, [sys.executable, "-m", "airflow", *arguments], environment)


if __name__ == "__main__":
    sys.exit(main())
