"""What job files say of pairs: which jobs are the two directions of one sync, and which cannot be."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from cshub.core.errors import Fault, JobFileError
from cshub.core.jobs import BoundJob
from cshub.library import End, JobLibrary, route_of


@dataclass(frozen=True, slots=True)
class PairFinding:
    """``partner``: the job of the other direction. ``is_alone``: the job names a pair that no other job has."""

    partner: str | None = None
    is_alone: bool = False
    faults: tuple[Fault, ...] = ()


def pair_finding(job_id: str, library: JobLibrary) -> PairFinding:
    """What the other job files mean for the pair of a valid job.

    A fault for each job of the same pair that neither goes the same way nor back: the pair's records are not its own.
    """
    loaded = library.load(library.path_of(job_id))
    bound = loaded.bound
    partner = library.partner(bound)
    route = route_of(bound)
    others = [other for other in _others(job_id, library) if other.pair_name == bound.pair_name]
    faults = [
        loaded.at.fault(
            ("pair",),
            f"the job {other.id} has the same pair and other connections or objects ({_shown(there)}; here "
            f"{_shown(route)}), and a pair is two objects behind two connections",
            "Use the same connections and objects in both, in opposite directions, or give one of them another pair.",
        )
        for other in others
        if (there := route_of(other)) not in (route, route[::-1])
    ]
    return PairFinding(partner.id if partner else None, bound.job.pair is not None and not others, tuple(faults))


def _others(job_id: str, library: JobLibrary) -> list[BoundJob]:
    found = []
    for path in library.job_paths():
        if path.stem != job_id:
            with suppress(JobFileError):
                found.append(library.load(path).bound)
    return found


def _shown(route: tuple[End, End]) -> str:
    return " → ".join(f"{end.system} {end.object} over {end.connection}" for end in route)
