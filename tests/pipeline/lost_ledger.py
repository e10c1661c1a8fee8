"""Ledgers that are lost or come back as they were yesterday, and what both services were asked meanwhile."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cshub.core.jobs import BoundJob
from cshub.core.records import RunKind
from cshub.ledger import Ledger
from cshub.pipeline.rebuild import Rebuilt, rebuild
from tests.pipeline.crashes import FusedDatabase
from tests.pipeline.lab import Lab


def lose(lab: Lab) -> None:
    """The ledger's disk is gone; an empty one takes its place."""
    _replace(lab, None)


def copied(lab: Lab) -> Path:
    """A copy of the ledger as it is now."""
    lab.ledger.close()
    return Path(shutil.copy(_file(lab), lab.folder / f"copy-{next(lab.numbers)}.db"))


def restore(lab: Lab, copy: Path) -> None:
    """The ledger becomes what it was when it was copied."""
    _replace(lab, copy)


def rebuilt(lab: Lab, job: BoundJob | None = None, **more: Any) -> Rebuilt:
    """Rebuild by one of the jobs of the lab."""
    kind = RunKind.DRY if more.get("dry_run") else RunKind.REBUILD
    return rebuild(lab.new_run(kind, run_id=run_id(lab, job), job=job), **more)


def run_id(lab: Lab, job: BoundJob | None = None) -> str:
    return f"{(job or lab.job).id}:rebuild__{next(lab.numbers)}"


@dataclass
class Writes:
    """Calls that wrote to either service, as the sandbox recorded them."""

    seen: list[Any] = field(default_factory=list)


@contextmanager
def writes_to(lab: Lab) -> Iterator[Writes]:
    """What is written to either service while the block runs; complete when it ends."""
    writes, before = Writes(), len(lab.sandbox.log.entries)
    yield writes
    writes.seen += [entry for entry in lab.sandbox.log.entries[before:] if entry.write]


def _replace(lab: Lab, copy: Path | None) -> None:
    lab.ledger.close()
    file = _file(lab)
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()
    if copy is not None:
        shutil.copy(copy, file)
    lab.ledger = Ledger(FusedDatabase(f"sqlite:///{file}", lab.fuse))
    lab.ledger.upgrade()


def _file(lab: Lab) -> Path:
    return lab.folder / "ledger.db"
