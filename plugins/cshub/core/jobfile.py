"""Text of a job or mapping file → types, or every fault at once with its line."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from cshub.core.errors import Fault, JobFileError
from cshub.core.jobs import BoundJob, Job, MappingTemplate

ModelT = TypeVar("ModelT", bound=BaseModel)
FieldPath = tuple[str | int, ...]

REMEDIES: Mapping[str, str] = {
    "missing": "Add it.",
    "extra_forbidden": "Remove it or correct its name.",
    "string_pattern_mismatch": "Correct the value to this form.",
    "enum": "Use one of the listed values.",
    "literal_error": "Use the expected value.",
    "bool_parsing": "Write true or false.",
    "bool_type": "Write true or false.",
    "value_error": "Correct this block.",
}
DEFAULT_REMEDY = "Correct the value."


class Lines:
    """Line numbers of a YAML document by path."""

    def __init__(self, root: Any) -> None:
        self._root = root

    def at(self, path: FieldPath) -> int | None:
        """1-based line of ``path``, or of its nearest parent that is in the file."""
        node, line = self._root, 1
        for step in path:
            try:
                if isinstance(node, CommentedMap):
                    line = node.lc.key(step)[0] + 1
                elif isinstance(node, CommentedSeq):
                    line = node.lc.item(step)[0] + 1
                else:
                    break
                node = node[step]
            except (KeyError, IndexError, TypeError, AttributeError):
                break
        return line


def parse_yaml(text: str, file: str) -> tuple[dict[str, Any], Lines]:
    """The document as plain values and its line numbers. Raises :class:`JobFileError` when it is no YAML mapping."""
    try:
        root = YAML(typ="rt").load(text)
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        fault = Fault(
            file, "(file)", f"not valid YAML: {problem}", "Correct the line.", mark.line + 1 if mark else None
        )
        raise JobFileError([fault]) from error
    if not isinstance(root, CommentedMap):
        raise JobFileError([Fault(file, "(file)", "the file holds no settings", "Start with `version: 1`.", 1)])
    return _plain(root), Lines(root)


def parse_job(text: str, file: str) -> tuple[Job, Lines]:
    """A :class:`Job` from the text of its file. Raises :class:`JobFileError` with every fault of form."""
    return _parse(Job, text, file)


def parse_template(text: str, file: str) -> tuple[MappingTemplate, Lines]:
    """A :class:`MappingTemplate` from the text of its file. Raises :class:`JobFileError` with every fault of form."""
    return _parse(MappingTemplate, text, file)


def bind(job: Job, template: MappingTemplate) -> BoundJob:
    """Job and template as one value; its digest changes with any setting of either."""
    content = orjson.dumps([job.model_dump(mode="json"), template.model_dump(mode="json")], option=orjson.OPT_SORT_KEYS)
    return BoundJob(job=job, template=template, digest=hashlib.sha256(content).hexdigest()[:16])


def faults_of(
    error: ValidationError, model: type[BaseModel], file: str, lines: Lines, at: FieldPath = ()
) -> list[Fault]:
    """Each pydantic error as a fault with line and remedy. ``at``: where the model stands in the file."""
    faults = []
    for item in error.errors():
        path = (*at, *_path_in_file(item["loc"]))
        remedy = REMEDIES.get(item["type"], DEFAULT_REMEDY)
        if item["type"] == "extra_forbidden":
            remedy = _did_you_mean(str(item["loc"][-1]), model, item["loc"][:-1]) or remedy
        reason = item["msg"].removeprefix("Value error, ")
        faults.append(Fault(file, dotted(path), reason[0].lower() + reason[1:], remedy, lines.at(path)))
    return faults


def dotted(path: FieldPath) -> str:
    """``("mapping", "fields", 2, "target")`` → ``mapping.fields[2].target``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text or "(file)"


def closest(word: str, words: Sequence[str]) -> str | None:
    """The word most like ``word``, None when none is near."""
    matches = get_close_matches(word, words, n=1, cutoff=0.6)
    return matches[0] if matches else None


def _parse(model: type[ModelT], text: str, file: str) -> tuple[ModelT, Lines]:
    document, lines = parse_yaml(text, file)
    try:
        return model.model_validate(document), lines
    except ValidationError as error:
        raise JobFileError(faults_of(error, model, file, lines)) from error


def _path_in_file(loc: tuple[str | int, ...]) -> FieldPath:
    return tuple(step for step in loc if not (isinstance(step, str) and ("[" in step or step in {"str", "dict"})))


def _did_you_mean(word: str, model: type[BaseModel], parents: tuple[str | int, ...]) -> str | None:
    owner: Any = model
    for step in parents:
        if isinstance(step, int):
            continue
        field = getattr(owner, "model_fields", {}).get(step)
        owner = next(iter(_models_in(field.annotation)), None) if field else None
    known = [info.alias or name for name, info in getattr(owner, "model_fields", {}).items()]
    match = closest(word, known)
    if match:
        return f"Did you mean {match}?"
    return f"Known here: {', '.join(known)}." if known else None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]


def _plain(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node.isoformat() if hasattr(node, "isoformat") else node
