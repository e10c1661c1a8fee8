"""Writes the files that are generated from the code: ``python -m cshub.reference_files [--check] [--root FOLDER]``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from cshub.core.jobs import ObjectRef
from cshub.core.objects import ObjectSpec
from cshub.core.reference import job_schema, job_tables, mapping_schema, transforms_table
from cshub.systems.registry import SYSTEMS, object_spec


def reference_files() -> dict[str, str]:
    """Path below the project's folder → text, for every generated file."""
    return {
        "include/schemas/job.schema.json": _as_json(job_schema()),
        "include/schemas/mapping.schema.json": _as_json(mapping_schema()),
        "docs/reference/transforms.md": transforms_table(),
        "docs/reference/job.md": job_tables(_objects()),
    }


def _objects() -> list[ObjectSpec]:
    """Every object of every system, in the order of the registry."""
    names = [ObjectRef(system=system, object=name) for system, found in SYSTEMS.items() for name in found.objects]
    return [object_spec(name) for name in names]


def stale_files(root: Path) -> list[str]:
    """Generated files below ``root`` that are missing or differ from what the code says now."""
    return [
        name
        for name, text in reference_files().items()
        if not (root / name).is_file() or (root / name).read_text("utf-8") != text
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0; with ``--check`` nothing is written, and it is 1 when a file is not up to date."""
    parser = argparse.ArgumentParser(prog="python -m cshub.reference_files", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only tell which files are not up to date")
    parser.add_argument("--root", type=Path, default=Path(), help="the project's folder (default: the current one)")
    asked = parser.parse_args(arguments)
    stale = stale_files(asked.root)
    if asked.check:
        for name in stale:
            print(f"{name} is not up to date: run `python -m cshub.reference_files` and commit it.", file=sys.stderr)
        return 1 if stale else 0
    texts = reference_files()
    for name in stale:
        path = asked.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(texts[name], "utf-8")
        print(f"wrote {name}")
    return 0


def _as_json(schema: dict[str, object]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
