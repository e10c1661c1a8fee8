"""Ids of records as people write them: in the trigger form, by REST, or on the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from cshub.core.errors import DataError, SpecError
from cshub.core.ids import has_lost_its_case, to_18


def named_records(texts: Iterable[object], *, system: str) -> tuple[str, ...]:
    """The ids as ``system``, the source, writes them: each once, in order, without blank ones.

    Salesforce ids may have 15 or 18 characters; those of 18 in lower case get their true case back. One of 15 stays in
    lower case: only the ledger may know which record is meant. Raises :class:`SpecError` that names what cannot
    be an id.
    """
    given = [text for item in texts if (text := str(item).strip())]
    return tuple(dict.fromkeys(_true_form(text, system) for text in given))


def _salesforce_id(text: str) -> str:
    return text if has_lost_its_case(text) else to_18(text)


_FORMS: Mapping[str, Callable[[str], str]] = {"salesforce": _salesforce_id}


def _true_form(text: str, system: str) -> str:
    try:
        return _FORMS.get(system, str)(text)
    except DataError as error:
        raise SpecError(
            f"{text[:40]!r} is not the id of a record in {system.capitalize()}: copy it from the address of the "
            "record's page, 15 or 18 characters."
        ) from error
