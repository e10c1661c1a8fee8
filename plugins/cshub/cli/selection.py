"""Which jobs a command is about: ids of the jobs folder, or YAML files anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cshub.core.errors import Fault
from cshub.core.jobs import BoundJob
from cshub.core.objects import ObjectSpec
from cshub.library import JobLibrary
from cshub.systems import registry


@dataclass(frozen=True)
class Selected:
    """One job file that a command was asked for; it may be wrong or missing."""

    job_id: str
    library: JobLibrary

    def faults(self) -> list[Fault]:
        """Every fault that the files alone can show."""
        return self.library.check([self.job_id])[self.job_id]

    @cached_property
    def bound(self) -> BoundJob:
        """The job. Raises :class:`~cshub.core.errors.JobFileError` when it has faults."""
        return self.library.bound(self.job_id)

    @property
    def source(self) -> ObjectSpec:
        return registry.object_spec(self.bound.source)

    @property
    def target(self) -> ObjectSpec:
        return registry.object_spec(self.bound.target)


def selected(names: Sequence[str]) -> list[Selected]:
    """The named jobs, or every job of the jobs folder; a name with a folder or an ending is a path."""
    library = JobLibrary.from_settings()
    if not names:
        return [Selected(job_id, library) for job_id in library.job_ids()]
    return [_selected(name, library) for name in dict.fromkeys(names)]


def _selected(name: str, library: JobLibrary) -> Selected:
    path = Path(name).expanduser()
    if path.suffix not in {".yaml", ".yml"} and path.name == name:
        return Selected(name, library)
    return Selected(path.stem, JobLibrary(path.parent, library.mappings_dir))
