"""Job and mapping files on disk. Light: read by every DAG parse."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from cshub.core.errors import Fault, JobFileError, SpecError
from cshub.core.jobfile import Lines, bind, closest, parse_template, read_job
from cshub.core.jobs import BoundJob, Job, MappingTemplate
from cshub.core.validate import CheckedFile, all_faults, check_job
from cshub.core.wording import suggest
from cshub.settings import Settings
from cshub.systems import registry


@dataclass(frozen=True, slots=True)
class JobFile:
    """A job with its template, and where each of its settings stands. Not to be run before ``faults`` is empty."""

    bound: BoundJob
    at: CheckedFile
    form_faults: tuple[Fault, ...] = ()

    def faults(self) -> list[Fault]:
        """Every fault that the files alone can show, in the order of the file."""
        unknown = [*self._unknown_object("source"), *self._unknown_object("target")]
        if unknown:
            return all_faults(self.form_faults, unknown)
        source = registry.object_spec(self.bound.source)
        target = registry.object_spec(self.bound.target)
        return all_faults(self.form_faults, check_job(self.bound, source, target, self.at))

    def _unknown_object(self, side: str) -> list[Fault]:
        """A job may choose another object of the template's system; the system must have it."""
        chosen = getattr(self.bound, side)
        known = list(registry.system(chosen.system).objects)
        if getattr(self.bound.job, side).object is None or chosen.object in known:
            return []
        reason = f"{chosen.system} has no object {chosen.object!r}"
        return [self.at.fault((side, "object"), reason, suggest(chosen.object, known))]


@dataclass(frozen=True, slots=True)
class JobLibrary:
    """The folders ``include/jobs`` and ``include/mappings``, or a user's own."""

    jobs_dir: Path
    mappings_dir: Path

    @classmethod
    def from_settings(cls, settings: Settings | None = None) -> JobLibrary:
        settings = settings or Settings.from_environment()
        return cls(settings.jobs_dir, settings.mappings_dir)

    def job_paths(self) -> list[Path]:
        return sorted(path for path in self.jobs_dir.glob("*.y*ml") if path.suffix in {".yaml", ".yml"})

    def job_ids(self) -> list[str]:
        return [path.stem for path in self.job_paths()]

    def path_of(self, job_id: str) -> Path:
        """The file of a job. Raises :class:`JobFileError` when there is none, with the nearest name."""
        for path in self.job_paths():
            if path.stem == job_id:
                return path
        if (given := Path(job_id)).suffix in {".yaml", ".yml"} or given.name != job_id:
            raise JobFileError([self._file_for_id(given)])
        known = self.job_ids()
        match = closest(job_id, known)
        remedy = f"Did you mean {match}?" if match else f"Known jobs: {', '.join(known) or 'none'}."
        raise JobFileError([Fault(_shown(self.jobs_dir / f"{job_id}.yaml"), "(file)", "there is no such job", remedy)])

    def _file_for_id(self, given: Path) -> Fault:
        """A file was named where only jobs of the folder can be meant: what has run is remembered by id."""
        reason, name, folder = "here a job is named by its id, not by a file", given.stem, _shown(self.jobs_dir)
        if name in self.job_ids() and self.path_of(name).resolve() == given.expanduser().resolve():
            remedy = f"Write `{name}`."
        elif given.expanduser().is_file():
            here = shlex.quote(str(given.parent))
            remedy = (
                f"Put the file into {folder} and write `{name}`, or let CSHUB_JOBS_DIR={here} stand before the "
                f"command. `cshub validate {given}` and `cshub test {given}` take files anywhere."
            )
        else:
            remedy = f"There is no such file either. Known jobs in {folder}: {', '.join(self.job_ids()) or 'none'}."
        return Fault(str(given), "(file)", reason, remedy)

    def load(self, path: Path) -> JobFile:
        """One job file with its template, as far as it can be understood; its ``faults`` tell the rest.

        Raises :class:`JobFileError` when nothing more can be said of it: no YAML, no type, an unknown type.
        """
        shown = _shown(path)
        reading = read_job(_text_of(path), shown)
        if reading.job is None:
            raise JobFileError(reading.faults)
        job, lines = reading.job, reading.lines
        faults = reading.faults
        if all(fault.field != "id" for fault in faults):
            faults = (*faults, *self._identity_faults(job, path, lines))
        template_path = self.mappings_dir / f"{job.type}.yaml"
        if not template_path.is_file():
            raise JobFileError([*faults, self._unknown_type(job, shown, lines)])
        template, template_lines = _parsed_template(_text_of(template_path), _shown(template_path))
        own = job.mapping is not None and job.mapping.fields is not None
        at = CheckedFile(shown, lines, _shown(template_path), template_lines, own)
        return JobFile(bind(job, template), at, faults)

    def bound(self, job_id: str) -> BoundJob:
        """A job that passed every offline check. Raises :class:`JobFileError` with every fault."""
        loaded = self.load(self.path_of(job_id))
        faults = loaded.faults()
        if faults:
            raise JobFileError(faults)
        return loaded.bound

    def check(self, job_ids: Sequence[str] = ()) -> dict[str, list[Fault]]:
        """Job id → faults, of the named jobs or of all; an empty list means the job is valid."""
        found: dict[str, list[Fault]] = {}
        for job_id in job_ids or self.job_ids():
            try:
                loaded = self.load(self.path_of(job_id))
                found[job_id] = [*loaded.faults(), *self._rival_faults(loaded)]
            except JobFileError as error:
                found[job_id] = list(error.faults)
        return found

    def rivals(self, bound: BoundJob) -> list[BoundJob]:
        """Other jobs between the same objects and connections, in either direction, that keep links of their own.

        Each of them would make every record once more. Files that cannot be understood are left out.
        """
        here = route_of(bound)
        routes = (here, here[::-1])
        return [other for other in self._others(bound) if route_of(other) in routes and not _share(other, bound)]

    def partner(self, bound: BoundJob) -> BoundJob | None:
        """The job that keeps the same pair in step in the other direction, None when there is none."""
        back = route_of(bound)[::-1]
        return next((other for other in self._others(bound) if route_of(other) == back and _share(other, bound)), None)

    def _others(self, bound: BoundJob) -> Iterator[BoundJob]:
        for path in self.job_paths():
            if path.stem != bound.id:
                with suppress(JobFileError):
                    yield self.load(path).bound

    def _rival_faults(self, loaded: JobFile) -> list[Fault]:
        remedy = "Write the same `pair:` in both, such as `pair: {}`, or use other connections."
        return [
            loaded.at.fault(
                ("pair",),
                f"the job {rival.id} moves the same records between the same connections, and neither knows what the "
                "other has made: every record would be made twice",
                remedy.format(rival.pair_name),
            )
            for rival in self.rivals(loaded.bound)
        ]

    def _identity_faults(self, job: Job, path: Path, lines: Lines) -> list[Fault]:
        if job.id == path.stem:
            return []
        remedy = f"Write `id: {path.stem}`, or rename the file to {job.id}.yaml."
        return [Fault(_shown(path), "id", f"the id {job.id} differs from the file's name", remedy, lines.at(("id",)))]

    def _unknown_type(self, job: Job, shown: str, lines: Lines) -> Fault:
        known = sorted(path.stem for path in self.mappings_dir.glob("*.yaml"))
        match = closest(job.type, known)
        remedy = f"Did you mean {match}?" if match else f"Known types: {', '.join(known)}."
        return Fault(shown, "type", f"there is no integration type {job.type}", remedy, lines.at(("type",)))


class End(NamedTuple):
    """One side of a job. ``object``: the one that its options choose where the catalogue's stands for many."""

    system: str
    object: str
    connection: str


def route_of(bound: BoundJob) -> tuple[End, End]:
    """From where to where a job moves records. An object that the system does not have stands as it is written."""
    source, target = objects_of(bound)
    return (
        End(bound.source.system, source, bound.job.source.connection),
        End(bound.target.system, target, bound.job.target.connection),
    )


def objects_of(bound: BoundJob) -> tuple[str, str]:
    """The objects that a job reads and writes; one that the system does not have stands as it is written."""
    source, target = bound.source.object, bound.target.object
    with suppress(SpecError):
        source = registry.object_read(bound.source, bound.source_options)
    with suppress(SpecError):
        target = registry.object_written(bound.target, bound.target_options)
    return source, target


def _share(one: BoundJob, other: BoundJob) -> bool:
    return one.pair_name == other.pair_name


def _text_of(path: Path) -> str:
    """Text of a file. Raises :class:`JobFileError` when it is not text in UTF-8 or cannot be read."""
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        fault = Fault(_shown(path), "(file)", "not text in UTF-8", "Save the file in the encoding UTF-8.", line)
        raise JobFileError([fault]) from error
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
        raise JobFileError([Fault(_shown(path), "(file)", reason, "Make it readable for the hub.")]) from error


@lru_cache(maxsize=32)
def _parsed_template(text: str, shown: str) -> tuple[MappingTemplate, Lines]:
    """Jobs share their type's template, and reading YAML is most of what a DAG parse costs."""
    return parse_template(text, shown)


def _shown(path: Path) -> str:
    """The path as a person would type it: relative to the current folder when it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
