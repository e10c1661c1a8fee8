"""Reference generated from the code: JSON schemas for editors, tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from cshub.core.jobs import Job, MappingTemplate
from cshub.core.objects import Kind, ObjectSpec, Options
from cshub.core.transforms import TRANSFORMS, usage

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def job_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a job file; transforms are completed by name and argument."""
    return _schema(Job, "Job")


def mapping_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a mapping template; transforms are completed by name and argument."""
    return _schema(MappingTemplate, "Mapping template")


def transforms_table() -> str:
    """Every transform as a Markdown page."""
    rows = [
        (f"`{usage(transform)}`", transform.help, _kinds(transform.takes), transform.gives.value)
        for transform in sorted(TRANSFORMS.values(), key=lambda item: item.name)
    ]
    head = (
        "# Transforms\n\nA row of a mapping applies its `transforms` in order, to values that are not null. "
        "The argument, where there is one, stands after the name: `- truncate: 12000`.\n\n"
    )
    return head + _table(("write", "gives the value", "takes", "gives"), rows)


def job_tables(objects: Sequence[ObjectSpec] = ()) -> str:
    """Every setting of a job file as a Markdown page, one table for each block of settings.

    After them the options of each of ``objects``, for ``source.options`` and ``target.options``.
    """
    schema = job_schema()
    parts = [
        "# Job files\n\nA job is one YAML file in `include/jobs/`; what it leaves out comes from the mapping template "
        "of its type in `include/mappings/`. Settings in bold must be given.\n",
        "## Job\n\n" + _settings(schema, schema["$defs"]),
    ]
    for name in _blocks_of(schema):
        block = schema["$defs"][name]
        text = str(block.get("description", "")).split("\n\n")[0].replace("\n", " ")
        parts.append(f"## {name}\n\n{text}\n\n{_settings(block, schema['$defs'])}".replace("\n\n\n\n", "\n\n"))
    parts += [_options(item) for item in objects]
    return "\n".join(parts)


def _options(item: ObjectSpec) -> str:
    """The options of an object, as a source and as a target; a setting within another is named by both, with a dot."""
    parts = [_table_of(model) for model in dict.fromkeys([item.source_options or item.options, item.options])]
    return "\n".join([f"## Options of {item.title}\n", *parts])


def _table_of(model: type[Options]) -> str:
    schema = model.model_json_schema(by_alias=True, mode="validation")
    text = str(schema.get("description", "")).split("\n\n")[0].replace("\n", " ").replace("``", "`")
    if not schema.get("properties"):
        return ""
    return f"{text}\n\n{_settings(_flat(schema, schema.get('$defs', {})), schema.get('$defs', {}))}"


def _flat(block: Mapping[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The block with the settings of its inner blocks in place of those, named by both, with a dot."""
    settings: dict[str, Any] = {}
    for name, setting in block["properties"].items():
        inner = definitions.get(str(setting.get("$ref", "")).rpartition("/")[2], {})
        if "properties" in inner:
            parts = _flat(inner, definitions)["properties"]
            settings |= {f"{name}.{part}": value for part, value in parts.items()}
        else:
            settings[name] = setting
    return {"properties": settings, "required": block.get("required", ())}


def _schema(model: type[BaseModel], title: str) -> dict[str, Any]:
    schema = model.model_json_schema(by_alias=True, mode="validation")
    row = schema["$defs"]["FieldMap"]["properties"]
    row["transforms"]["items"] = {"anyOf": [_by_name(), _with_argument()]}
    otherwise = schema["$defs"]["Translation"]["properties"]["otherwise"]
    otherwise["anyOf"] = [{"$ref": otherwise.pop("$ref")}, {"type": "null"}]
    return {"$schema": _DIALECT, **schema, "title": title}


def _by_name() -> dict[str, Any]:
    return {"enum": sorted(name for name, transform in TRANSFORMS.items() if transform.argument is None)}


def _with_argument() -> dict[str, Any]:
    named = {name: TRANSFORMS[name] for name in sorted(TRANSFORMS) if TRANSFORMS[name].argument is not None}
    properties = {
        name: {
            "type": "integer" if isinstance(transform.example, int) else "string",
            "description": f"{transform.help}; argument: {transform.argument}",
            "examples": [transform.example],
        }
        for name, transform in named.items()
    }
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _kinds(kinds: frozenset[Kind]) -> str:
    return ", ".join(kind.value for kind in Kind if kind in kinds)


def _settings(block: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    required = set(block.get("required", ()))
    rows = []
    for name, setting in block["properties"].items():
        shown = f"**`{name}`**" if name in required else f"`{name}`"
        default = "" if name in required else _default(setting)
        rows.append((shown, _values(setting, definitions), default, setting.get("description", "")))
    return _table(("setting", "values", "default", "meaning"), rows)


def _default(setting: Mapping[str, Any]) -> str:
    value = setting.get("default")
    if isinstance(value, dict):
        return ", ".join(f"`{name}: {item}`" for name, item in value.items() if isinstance(item, (int, float)))
    if value in (None, "", []):
        return ""
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _values(setting: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    options = [option for option in setting.get("anyOf", [setting]) if option.get("type") != "null"]
    return " or ".join(dict.fromkeys(_value(option, definitions) for option in options))


def _value(option: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    if "$ref" in option:
        name = option["$ref"].rpartition("/")[2]
        listed = definitions[name].get("enum")
        return ", ".join(f"`{item}`" for item in listed) if listed else name
    if "const" in option:
        return f"`{option['const']}`"
    if option.get("type") == "array":
        inner = _named(option.get("items", {}))
        return f"list of {inner[0]}" if inner else "list"
    titles = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true, false"}
    title = titles.get(option.get("type", ""), "block of settings" if option.get("type") == "object" else "any value")
    return " ".join([title, *_bounds(option)])


def _bounds(option: Mapping[str, Any]) -> Iterator[str]:
    words = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "maxLength": "of at most"}
    yield from (f"{word} {option[name]:g}" for name, word in words.items() if name in option)


def _named(setting: Mapping[str, Any]) -> list[str]:
    """Definitions that a setting refers to, in order."""
    found: list[str] = []
    for key, value in setting.items():
        if key == "$ref":
            found.append(value.rpartition("/")[2])
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, dict) and key != "default":
                found.extend(_named(part))
    return found


def _blocks_of(schema: Mapping[str, Any]) -> list[str]:
    """Blocks of settings in the order in which a reader meets them."""
    blocks: list[str] = []
    waiting = _named(schema["properties"])
    while waiting:
        name = waiting.pop(0)
        block = schema["$defs"][name]
        if name not in blocks and "properties" in block:
            blocks.append(name)
            waiting = [*_named(block["properties"]), *waiting]
    return blocks


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [" | ".join(line) for line in (head, ["---"] * len(head), *rows)]
    return "".join(f"| {line} |\n" for line in lines)
