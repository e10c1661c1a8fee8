"""Names of flows, types and reasons → their ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cshub.core.errors import SpecError

if TYPE_CHECKING:
    from cshub.systems.totango.models import CatalogueEntry


def entry_id(name: str, what: str, entries: Sequence[CatalogueEntry]) -> str:
    """Id of the entry with this id or, whatever its case, this name. Raises :class:`SpecError` that lists all."""
    for entry in entries:
        if name == entry.id or name.casefold() == entry.name.casefold():
            return entry.id
    known = ", ".join(entry.name for entry in entries) or "none"
    raise SpecError(f"Totango has no {what} {name!r}. There are: {known}.")
