"""Where the faults of a job stand, and in which order they are told."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from cshub.core.errors import Fault
from cshub.core.wording import dotted
from cshub.core.yaml_text import FieldPath, Lines

_PART = re.compile(r"mapping\.(?:fields\[\d+\]|skip_when\[\d+\]\.when\[\d+\])")
_WHOLE_PART = re.compile(
    r"mapping\.fields\[\d+\](?:\.(?:source|target|constant|transforms|translate)(?:\[\d+\])?)?"
    r"|mapping\.skip_when\[\d+\]\.when\[\d+\].*"
)
_ROW_TARGET = re.compile(r"mapping\.fields\[\d+\]\.target")


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """Where a job's settings stand, so that a fault names its line. ``own_mapping``: the rows are in the job file."""

    job_file: str
    job_lines: Lines
    template_file: str
    template_lines: Lines
    own_mapping: bool

    def fault(self, path: FieldPath, reason: str, remedy: str) -> Fault:
        return Fault(self.job_file, dotted(path), reason, remedy, self.job_lines.at(path))

    def row_fault(self, index: int, part: str, reason: str, remedy: str) -> Fault:
        if self.own_mapping:
            return self.fault(("mapping", "fields", index, part), reason, remedy)
        path: FieldPath = ("fields", index, part)
        return Fault(self.template_file, dotted(path), reason, remedy, self.template_lines.at(path))


def all_faults(form: Sequence[Fault], meaning: Sequence[Fault]) -> list[Fault]:
    """What :func:`~cshub.core.jobfile.read_job` and :func:`check_job` found, in the order of the file.

    What was judged on a row or setting whose form is wrong is left out: it may only follow from that.
    """
    doubtful = {_part(fault) for fault in form if _WHOLE_PART.fullmatch(fault.field)}
    if any(_ROW_TARGET.fullmatch(fault.field) for fault in form):
        doubtful |= {(fault.file, "mapping.fields") for fault in form}
    known = [
        fault
        for fault in meaning
        if _part(fault) not in doubtful and not any(_is_within(fault, other) for other in form)
    ]
    return in_order([*form, *known], first=form[0].file if form else None)


def in_order(faults: Sequence[Fault], *, first: str | None) -> list[Fault]:
    """By file, ``first`` before the others, and line."""
    return sorted(faults, key=lambda fault: (fault.file != first, fault.file, fault.line or 0))


def _part(fault: Fault) -> tuple[str, str]:
    """File and field of a fault; the whole row or condition for one that is inside it."""
    match = _PART.match(fault.field)
    return fault.file, match.group(0) if match else fault.field


def _is_within(fault: Fault, other: Fault) -> bool:
    """Whether a fault concerns the same setting as ``other``, or one below it."""
    same_file = fault.file == other.file
    return same_file and (fault.field == other.field or fault.field.startswith((f"{other.field}.", f"{other.field}[")))
