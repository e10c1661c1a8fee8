"""Starting, watching and ending the programs of a local runtime, so that none is ever left behind."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from cshub_runtime.settings import MARKER

GONE_WITHIN_S = 5.0


class Component:
    """One long-running program in a session of its own, writing to one log file.

    Constructing starts nothing. `end` and `kill` leave nothing of its session.
    """

    def __init__(self, name: str, command: Sequence[str], *, environment: Mapping[str, str], log_path: Path) -> None:
        self.name = name
        self.log_path = log_path
        self.starts = 0
        self._started_at = 0.0
        self._command = list(command)
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id, also after the program has ended; None before the first start."""
        return self._process.pid if self._process else None

    @property
    def exit_status(self) -> int | None:
        """Exit status of the ended program; None while it runs or before it was started."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """Start the program; what is left of an earlier start of it is killed first."""
        self.kill()
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.starts += 1
        self._started_at = time.monotonic()

    @property
    def running_s(self) -> float:
        """Seconds since the last start."""
        return time.monotonic() - self._started_at

    def alive(self) -> bool:
        """Whether the program is running."""
        return self._process is not None and self._process.poll() is None

    def ask_to_end(self) -> None:
        """Send SIGTERM to the program, if it runs, without waiting."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def end(self) -> None:
        """End the program and everything in its session; see `end_together`."""
        end_together([self])

    def kill(self) -> None:
        """Kill the program and everything in its session at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._kill_session()

    def log_tail(self, characters: int = 2000) -> str:
        """The end of the log file; empty when there is none."""
        if not self.log_path.exists():
            return ""
        return self.log_path.read_text(encoding="utf-8", errors="replace")[-characters:]

    def _kill_session(self) -> None:
        """Kill what the program has started, in whatever process group, and wait until it is gone."""
        if self._process is None:
            return
        self._process.poll()
        killed = []
        for process in psutil.process_iter():
            try:
                if process.pid != self._process.pid and os.getsid(process.pid) == self._process.pid:
                    process.kill()
                    killed.append(process)
            except (ProcessLookupError, PermissionError, psutil.Error):
                continue
        deadline = time.monotonic() + GONE_WITHIN_S
        while any(_lives(process) for process in killed) and time.monotonic() < deadline:
            time.sleep(0.01)


def _lives(process: psutil.Process) -> bool:
    """Whether a process still runs; one that nobody has reaped does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def end_together(components: Sequence[Component], patience_s: float = 3.0) -> None:
    """End several programs at the same time: ask, ask again after `patience_s`, and kill after as long again.

    Airflow's components take the second request as "do not wait for running tasks".
    """
    for _ in range(2):
        for component in components:
            component.ask_to_end()
        deadline = time.monotonic() + patience_s
        while any(component.alive() for component in components) and time.monotonic() < deadline:
            time.sleep(0.05)
    for component in components:
        component.kill()


def marked(home: Path) -> list[psutil.Process]:
    """Every living process that belongs to the local runtime in `home`, whoever its parent is now.

    This process and those it was started by are left out: a shell may have taken over the marker by mistake.
    """
    found = []
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    for process in psutil.process_iter():
        try:
            if (
                process.pid not in own
                and process.environ().get(MARKER) == str(home)
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def end_marked(home: Path, patience_s: float = 5.0) -> int:
    """End every process that belongs to the local runtime in `home`; returns how many there were.

    Looks again until none is found, because a process may start another one while it is being ended.
    """
    ended: set[int] = set()
    request = signal.SIGTERM
    deadline = time.monotonic() + patience_s + 10
    while (left := marked(home)) and time.monotonic() < deadline:
        for process in left:
            ended.add(process.pid)
            try:
                process.send_signal(request)
            except psutil.NoSuchProcess:
                continue
        psutil.wait_procs(left, timeout=patience_s if request is signal.SIGTERM else 1)
        request = signal.SIGKILL
    return len(ended)
