"""``python -m cshub_sandbox``: starts the sandbox and keeps it up until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from datetime import datetime

from .kernel import check_world_time
from .sandbox import SERVICES, Sandbox, WorldSize, login_of
from .server import CONTROL, SandboxServer

EPILOG = """\
examples:
  python -m cshub_sandbox                      start, print where everything listens
  python -m cshub_sandbox --seed 7 --json      the same for a program: one JSON line when ready
  python -m cshub_sandbox --meetings 4000      a larger world (32.5 % of the meetings lie in the last seven days)

Stop it with Ctrl-C or SIGTERM. The control address shows every call (GET /log), moves the clock (POST /clock),
makes calls fail (POST /faults) and edits the world as a user would (POST /act/...); GET / on it explains each call.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs until SIGTERM or SIGINT. Gives 0 after an orderly stop, 1 when a port is taken, 2 for wrong arguments."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    size = WorldSize(arguments.seed, arguments.accounts, arguments.meetings)
    try:
        sandbox = Sandbox(SERVICES, size=size, now=arguments.now)
    except ValueError as problem:
        parser.error(str(problem))
    ports = {name: getattr(arguments, f"{name}_port") for name in (*SERVICES, CONTROL)}
    try:
        asyncio.run(_serve(SandboxServer(sandbox, ports=ports), as_json=arguments.json))
    except OSError as problem:
        print(f"Cannot listen: {problem}. Choose another port, or 0 for any free one.", file=sys.stderr)
        return 1
    return 0


async def _serve(server: SandboxServer, *, as_json: bool) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    try:
        await server.start()
        print(_ready_line(server) if as_json else _ready_text(server), flush=True)
        await stopped.wait()
    finally:
        await server.stop()


def _ready_line(server: SandboxServer) -> str:
    ready = {
        name: {"url": server.urls[name], "token": service.token, **login_of(service)}
        for name in server.sandbox.gates
        if (service := server.sandbox.service(name))
    }
    return json.dumps({**ready, CONTROL: {"url": server.urls[CONTROL]}})


def _ready_text(server: SandboxServer) -> str:
    world = server.sandbox.world
    lines = [
        f"The sandbox is up: {len(world.accounts)} accounts, {len(world.meetings)} meetings, seed {world.seed}.",
        "",
    ]
    for name in server.sandbox.gates:
        service = server.sandbox.service(name)
        lines.append(f"  {name:<10} {server.urls[name]}   token {service.token}")
        lines += [f"  {'':<10} {key.replace('_', ' ')} {value}" for key, value in login_of(service).items()]
    lines += [
        f"  {CONTROL:<10} {server.urls[CONTROL]}   open it to see what it can do",
        "",
        "Stop it with Ctrl-C.",
    ]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cshub sandbox",
        description="Simulates Chorus, Totango and Salesforce on this machine, on one believable world from a seed.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    size = WorldSize()
    parser.add_argument("--seed", type=int, default=size.seed, help="same seed, same world (default %(default)s)")
    parser.add_argument(
        "--accounts", type=int, default=size.accounts, help="customers, at least 8 (default %(default)s)"
    )
    parser.add_argument(
        "--meetings", type=int, default=size.meetings, help="meetings in 120 days (default %(default)s)"
    )
    for name in (*SERVICES, CONTROL):
        parser.add_argument(f"--{name}-port", type=_port, default=0, metavar="P", help="0, the default, = any free")
    parser.add_argument(
        "--now", type=_moment, metavar="TIME", help="when the world's clock starts (ISO 8601 with zone; default: now)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON line with addresses and tokens when ready")
    return parser


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give 0 to 65535")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time with zone, such as 2026-11-20T12:00:00Z")
    try:
        return check_world_time(found)
    except ValueError as problem:
        raise argparse.ArgumentTypeError(str(problem)) from problem
