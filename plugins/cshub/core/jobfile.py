"""Text of a job or mapping file → types, or every fault at once with its line."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from cshub.core.errors import Fault, JobFileError
from cshub.core.jobs import BoundJob, Job, MappingTemplate
from cshub.core.wording import closest, faults_of, path_in_file
from cshub.core.yaml_text import FieldPath, Lines, parse_yaml

__all__ = ["JobReading", "Lines", "bind", "closest", "parse_job", "parse_template", "parse_yaml", "read_job"]

ModelT = TypeVar("ModelT", bound=BaseModel)

_ROUNDS = 8
_STAND_INS: Mapping[FieldPath, Any] = {
    ("version",): 1,
    ("id",): "unnamed",
    ("name",): "unnamed",
    ("source",): {"connection": "unnamed"},
    ("target",): {"connection": "unnamed"},
    ("source", "connection"): "unnamed",
    ("target", "connection"): "unnamed",
}


@dataclass(frozen=True, slots=True)
class JobReading:
    """A job file as far as it can be understood.

    ``faults``: every fault of form. ``job``: what the file says apart from them, so that the rest can be checked too;
    not to be run when there are faults. None when nothing can be said of it (no YAML, no type).
    """

    job: Job | None
    lines: Lines
    faults: tuple[Fault, ...]


def parse_job(text: str, file: str) -> tuple[Job, Lines]:
    """A :class:`Job` from the text of its file. Raises :class:`JobFileError` with every fault of form."""
    return _parse(Job, text, file)


def parse_template(text: str, file: str) -> tuple[MappingTemplate, Lines]:
    """A :class:`MappingTemplate` from the text of its file. Raises :class:`JobFileError` with every fault of form."""
    return _parse(MappingTemplate, text, file)


def read_job(text: str, file: str) -> JobReading:
    """A job file for a validation that names every fault at once: faults of form do not hide the others."""
    try:
        document, lines = parse_yaml(text, file)
    except JobFileError as error:
        return JobReading(None, Lines(None), error.faults)
    faults: tuple[Fault, ...] | None = None
    document = copy.deepcopy(document)
    for _ in range(_ROUNDS):
        try:
            return JobReading(Job.model_validate(document), lines, faults or ())
        except ValidationError as error:
            faults = tuple(faults_of(error, Job, file, lines)) if faults is None else faults
            for item in error.errors():
                _leave_out(document, path_in_file(item["loc"]))
    return JobReading(None, lines, faults or ())


def bind(job: Job, template: MappingTemplate) -> BoundJob:
    """Job and template as one value; its digest changes with any setting of either."""
    content = orjson.dumps([job.model_dump(mode="json"), template.model_dump(mode="json")], option=orjson.OPT_SORT_KEYS)
    return BoundJob(job=job, template=template, digest=hashlib.sha256(content).hexdigest()[:16])


def _parse(model: type[ModelT], text: str, file: str) -> tuple[ModelT, Lines]:
    document, lines = parse_yaml(text, file)
    try:
        return model.model_validate(document), lines
    except ValidationError as error:
        raise JobFileError(faults_of(error, model, file, lines)) from error


def _leave_out(document: dict[str, Any], path: FieldPath) -> None:
    """Takes the faulty setting out of ``document``; what must be there gets a stand-in that keeps other places."""
    stand_in = _stand_in(path, _at(document, path))
    path = stand_in[0] if stand_in else path
    owner: Any = _at(document, path[:-1])
    step: Any = path[-1]
    if stand_in and (isinstance(owner, dict) or (isinstance(owner, list) and step < len(owner))):
        owner[step] = stand_in[1]
    elif isinstance(owner, dict):
        owner.pop(step, None)
    elif len(path) > 1:
        _leave_out(document, path[:-1])


def _stand_in(path: FieldPath, value: Any) -> tuple[FieldPath, Any] | None:
    """Place and value that keep the numbering of lists: rows and conditions are not left out, but replaced."""
    match path:
        case ("mapping", "fields", int(), "target"):
            return path, ""
        case ("mapping", "fields", int()):
            row = value if isinstance(value, dict) else {}
            return path, {
                **{key: row[key] for key in row if key != "source"},
                "constant": "",
                "target": row.get("target", ""),
            }
        case ("mapping", "skip_when", int(), "reason"):
            return path, "unnamed"
        case ("mapping", "skip_when", int(), "when", int(), *_):
            return path[:5], {"field": "unnamed", "is_empty": True}
        case ("mapping", "skip_when", int(), *_):
            return path[:3], {"reason": "unnamed", "when": [{"field": "unnamed", "is_empty": True}]}
    return (path, _STAND_INS[path]) if path in _STAND_INS else None


def _at(document: Any, path: FieldPath) -> Any:
    for step in path:
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return None
    return document
