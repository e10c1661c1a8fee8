"""What pydantic found wrong, in words that say what to do next."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from cshub.core.errors import Fault
from cshub.core.jobs import SLUG_PATTERN, TIME_PATTERN
from cshub.core.yaml_text import FieldPath, Lines

Words = tuple[str, str]  # reason, remedy


def faults_of(
    error: ValidationError, model: type[BaseModel], file: str, lines: Lines, at: FieldPath = ()
) -> list[Fault]:
    """What pydantic found as faults with line and remedy, one for each place. ``at``: where the model stands."""
    words: dict[FieldPath, list[Words]] = {}
    for item in error.errors():
        words.setdefault((*at, *path_in_file(item["loc"])), []).append(_words(item, model))
    faults = []
    for path, found in words.items():
        if len(found) > 1 and path[-2:-1] == ("transforms",):
            found = [_NO_TRANSFORM]
        reason = " or ".join(dict.fromkeys(reason for reason, _ in found))
        remedy = " Or: ".join(dict.fromkeys(remedy for _, remedy in found))
        faults.append(Fault(file, dotted(path), reason, remedy, lines.at(path)))
    return sorted(faults, key=lambda fault: fault.line or 0)


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


def suggest(word: str, words: Sequence[str]) -> str:
    """A remedy for a word that is not one of ``words``."""
    match = closest(word, words)
    return f"Did you mean {match}?" if match else f"Use one of {', '.join(sorted(words))}."


def path_in_file(loc: tuple[str | int, ...]) -> FieldPath:
    """pydantic's location without the steps that name a branch of a union: what an entry of ``transforms`` may be."""
    return tuple(step for at, step in enumerate(loc) if at < 2 or loc[at - 2] != "transforms")


def _words(item: ErrorDetails, model: type[BaseModel]) -> Words:
    context = item.get("ctx", {})
    if "remedy" in context:
        return item["msg"], str(context["remedy"])
    if item["type"] == "missing":
        return "is missing", _how_to_add(item["loc"], model)
    if item["type"] == "extra_forbidden":
        return "there is no such setting", _did_you_mean(str(item["loc"][-1]), model, item["loc"][:-1])
    if item["type"] == "string_pattern_mismatch" and context.get("pattern") in _PATTERNS:
        return _PATTERNS[context["pattern"]](str(item["input"]), str(item["loc"][-1]))
    if item["type"] in _WORDS:
        return _WORDS[item["type"]](item["input"], context)
    reason = item["msg"].removeprefix("Value error, ")
    return reason[0].lower() + reason[1:], "Correct the value."


def _not_listed(value: Any, context: Mapping[str, Any]) -> Words:
    known = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
    if len(known) == 1:
        return f"{value!r} is not known here", f"Write {known[0]}."
    return f"{value!r} is not one of the values", suggest(str(value), known)


def _no_slug(value: str, field: str) -> Words:
    better = re.sub("[^a-z0-9]+", "_", value.lower()).strip("_")
    example = better if re.search(SLUG_PATTERN, better) else _SLUGS.get(field, "chorus_touchpoints")
    return (
        f"{value!r} must be 3 to 80 lower-case letters, digits and underscores, the first one a letter",
        f"Write it such as `{example}`.",
    )


def _no_time(value: str, _: str) -> Words:
    return f"{value!r} must be a time of day, HH:MM", 'Write two digits each, such as "07:30".'


_PATTERNS: Mapping[str, Callable[[str, str], Words]] = {SLUG_PATTERN: _no_slug, TIME_PATTERN: _no_time}
_SLUGS: Mapping[str, str] = {"reason": "internal_meeting"}  # an example for a field that holds no job's name
_NO_TRANSFORM: Words = (
    "must be the name of a transform, with its argument if it takes one",
    "Write it such as `- strip` or `- truncate: 12000`.",
)


def _text_wanted(value: Any, _: Mapping[str, Any]) -> Words:
    scalar = isinstance(value, (bool, int, float))
    return "must be text", f'Put it in quotes: "{value}".' if scalar else "Write a text after the colon."


def _bound(word: str, name: str) -> Callable[[Any, Mapping[str, Any]], Words]:
    return lambda value, context: (f"{value!r} must be {word} {context[name]:g}", "Correct the number.")


def _always(reason: str, remedy: str) -> Callable[[Any, Mapping[str, Any]], Words]:
    return lambda value, context: (reason, remedy)


_BLOCK = _always("must be a block of settings", "Write its settings on the lines below it, as `name: value`.")
_WHOLE = _always("must be a whole number", "Write digits only, without quotes.")
_NUMBER = _always("must be a number", "Write digits only, without quotes.")
_YES_NO = _always("must be true or false", "Write true or false, without quotes.")

_WORDS: Mapping[str, Callable[[Any, Mapping[str, Any]], Words]] = {
    "enum": _not_listed,
    "literal_error": _not_listed,
    "bool_parsing": _YES_NO,
    "bool_type": _YES_NO,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "string_type": _text_wanted,
    "string_too_short": _always("must not be empty", "Write a text after the colon."),
    "string_too_long": lambda value, context: (
        f"has {len(value)} characters, at most {context['max_length']} are allowed",
        "Shorten it.",
    ),
    "list_type": _always("must be a list", "Write one entry per line, each after `- `."),
    "too_short": _always("must not be empty", "Add at least one entry."),
    "dict_type": _BLOCK,
    "model_type": _BLOCK,
    "model_attributes_type": _BLOCK,
    "greater_than": _bound("greater than", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "less_than": _bound("less than", "lt"),
    "less_than_equal": _bound("at most", "le"),
}


def _how_to_add(loc: tuple[str | int, ...], model: type[BaseModel]) -> str:
    name = str(loc[-1])
    fields = _fields_at(model, loc[:-1])
    field = next((info for known, info in fields.items() if name == (info.alias or known)), None)
    meaning = field.description if field and field.description else ""
    return f"Add `{name}: …`: {meaning}." if meaning else f"Add `{name}: …`."


def _did_you_mean(word: str, model: type[BaseModel], parents: tuple[str | int, ...]) -> str:
    known = [info.alias or name for name, info in _fields_at(model, parents).items()]
    match = closest(word, known)
    if match:
        return f"Did you mean {match}?"
    return f"Remove it, or use one of {', '.join(known)}." if known else "Remove it: nothing can be set here."


def _fields_at(model: type[BaseModel], parents: tuple[str | int, ...]) -> Mapping[str, FieldInfo]:
    owner: type[BaseModel] | None = model
    for step in parents:
        if isinstance(step, str) and owner is not None:
            field = next((info for name, info in owner.model_fields.items() if step == (info.alias or name)), None)
            owner = next(iter(_models_in(field.annotation)), None) if field else None
    return owner.model_fields if owner else {}


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in getattr(annotation, "__args__", ()) for model in _models_in(part)]
