"""Salesforce ids: 15 characters that tell upper from lower case, or 18 where the last three say which are upper.

Source of the checksum: Salesforce Help, "How to convert 15-character record IDs to 18-character".
"""

from __future__ import annotations

import re

from cshub.core.errors import DataError

_CASE_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[A-Za-z0-5]{3})?", re.ASCII)


def is_salesforce_id(value: str) -> bool:
    """Whether ``value`` can be a Salesforce id: 15 letters and digits, not all letters, or 18 with a right checksum.

    Eighteen characters in one case, as some services store them, count: the checksum tells the true case.
    """
    if not _SHAPE.fullmatch(value) or value[:15].isalpha():
        return False
    return len(value) == 15 or _with_true_case(value) is not None


def to_18(value: str) -> str:
    """The 18-character form. An 18-character id whose case was lost gets it back from its checksum.

    Raises :class:`DataError` when ``value`` is no Salesforce id.
    """
    if _SHAPE.fullmatch(value):
        if len(value) == 15:
            return value + _checksum(value)
        if restored := _with_true_case(value):
            return restored
    raise DataError(
        f"{value[:40]!r} is not a Salesforce id: it must have 15 characters, or 18 with a checksum at the end. "
        "Look at the field it comes from."
    )


def same_salesforce_id(left: str, right: str) -> bool:
    """Whether two ids, each in either form, name one record. False when one of them is no Salesforce id."""
    if not (is_salesforce_id(left) and is_salesforce_id(right)):
        return False
    return to_18(left) == to_18(right)


def has_lost_its_case(value: str) -> bool:
    """Whether ``value`` has the form of a Salesforce id of 15 characters without one capital letter.

    Services that store ids in lower case leave such ones. Nobody can tell which record it names: there may be several.
    """
    return len(value) == 15 and value.islower() and is_salesforce_id(value)


def capitals_needed(value: str, found: str) -> str:
    """What to tell a person who gave an id that has lost its case. ``found``: why nobody can tell what it names."""
    return (
        f"{value} has no capital letters, and {found}: an id of 15 characters needs its capitals. Copy it from the "
        "address of the record's page in Salesforce, or write its 18 characters, which may be in lower case."
    )


def loose_form(value: str) -> str | None:
    """What all forms of one Salesforce id have in common, also one that has lost its case; None for any other text.

    Ids of different records may have it in common too.
    """
    return value[:15].lower() if is_salesforce_id(value) else None


def may_be_same_salesforce_id(left: str, right: str) -> bool:
    """Whether two ids can name one record: they do, or one of them has lost its case and the letters are the same."""
    if has_lost_its_case(left) or has_lost_its_case(right):
        return loose_form(left) is not None and loose_form(left) == loose_form(right)
    return same_salesforce_id(left, right)


def _checksum(fifteen: str) -> str:
    return "".join(
        _CASE_LETTERS[sum(1 << place for place, letter in enumerate(fifteen[start : start + 5]) if letter.isupper())]
        for start in (0, 5, 10)
    )


def _with_true_case(eighteen: str) -> str | None:
    """The id in the case its last three characters tell, None when they do not fit it."""
    suffix = eighteen[15:].upper()
    upper = [bool(_CASE_LETTERS.index(suffix[place // 5]) >> (place % 5) & 1) for place in range(15)]
    base = "".join(
        letter.upper() if is_upper else letter.lower() for letter, is_upper in zip(eighteen[:15], upper, strict=True)
    )
    if any(is_upper and not letter.isalpha() for letter, is_upper in zip(base, upper, strict=True)):
        return None
    consistent = eighteen[:15] in (base, base.lower(), base.upper())
    return base + suffix if consistent else None
