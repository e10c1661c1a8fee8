"""YAML text → plain values and the line of each, or the one fault that keeps it from being read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import RoundTripConstructor
from ruamel.yaml.error import YAMLError

from cshub.core.errors import Fault, JobFileError

FieldPath = tuple[str | int, ...]
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
MOST_VALUES = 100_000  # settings of one file, those that aliases repeat among them

_REMEDIES: Mapping[str, str] = {
    "found duplicate key": "Keep one of the two and remove the other.",
    "found character '\\t'": "Indent with spaces instead of tabs.",
    "mapping values are not allowed": "Put the value in quotes, or correct the indentation.",
    "but found another document": "Remove the line `---` and what follows it.",
    "unacceptable character": "Save the file as UTF-8 text without control characters.",
    "found undefined alias": "Put the value in quotes if it begins with *.",
    "could not determine a constructor": "Remove the tag that begins with !.",
}
_DEFAULT_REMEDY = "Correct this line or the one before it: look for a missing quote, bracket or colon."


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


class _AsWritten(RoundTripConstructor):
    """Dates and times stay the text that was written."""


_AsWritten.add_constructor("tag:yaml.org,2002:timestamp", RoundTripConstructor.construct_scalar)


class _TooMany(Exception):
    """The document has more values than a person writes."""


def parse_yaml(text: str, file: str) -> tuple[dict[str, Any], Lines]:
    """The document as plain values and its line numbers. Raises :class:`JobFileError` when it is no YAML mapping."""
    yaml = YAML(typ="rt")
    yaml.Constructor = _AsWritten
    try:
        root = yaml.load(text)
        document = _plain(root, count())
    except Exception as error:  # ruamel fails in many ways, some undocumented, over text that is no YAML
        raise JobFileError([_syntax_fault(error, file)]) from error
    if isinstance(document, dict):
        lines = Lines(root)
        if faults := [_size_fault(path, file, lines) for path in _too_large(document)]:
            raise JobFileError(faults)
        return document, lines
    found = "is empty" if root is None else f"holds {'a list' if isinstance(root, list) else 'one value'}, not settings"
    remedy = "Write one setting per line as `name: value`, beginning with `version: 1`."
    raise JobFileError([Fault(file, "(file)", f"the file {found}", remedy, 1)])


def _syntax_fault(error: Exception, file: str) -> Fault:
    mark = getattr(error, "problem_mark", None)
    if isinstance(error, (RecursionError, _TooMany)):
        reason = "the file refers to itself, is nested too deeply or has too many values"
        return Fault(file, "(file)", reason, f"Write it without aliases, with at most {MOST_VALUES:,} values.", 1)
    told = isinstance(error, (YAMLError, ValueError)) and str(error).strip()
    problem = getattr(error, "problem", None) or (str(error).strip().splitlines()[0] if told else "not readable")
    remedy = next((text for start, text in _REMEDIES.items() if start in problem), _DEFAULT_REMEDY)
    return Fault(file, "(file)", f"not valid YAML: {problem}", remedy, mark.line + 1 if mark else 1)


def _size_fault(path: FieldPath, file: str, lines: Lines) -> Fault:
    reason = "a number that large fits no field and no file"
    remedy = "Write a smaller one, or put it in quotes if it is a text."
    return Fault(file, ".".join(map(str, path)), reason, remedy, lines.at(path))


def _too_large(node: Any, path: FieldPath = ()) -> Iterator[FieldPath]:
    """Places of whole numbers of more than 64 bits."""
    if isinstance(node, dict | list):
        for step, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _too_large(value, (*path, step))
    elif isinstance(node, int) and not _SMALLEST <= node <= _LARGEST:
        yield path


def _plain(node: Any, counted: Iterator[int]) -> Any:
    if next(counted) > MOST_VALUES:
        raise _TooMany
    if isinstance(node, Mapping):
        return {_name(key): _plain(value, counted) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value, counted) for value in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return str(node)


def _name(key: Any) -> str:
    """A key as the text that transforms and translations compare with."""
    if isinstance(key, bool):
        return "true" if key else "false"
    return "null" if key is None else str(key)
