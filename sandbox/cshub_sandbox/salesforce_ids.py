"""Salesforce record ids: 15 case-sensitive characters, and the 18-character form with a checksum."""

from __future__ import annotations

from random import Random

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
ACCOUNT_PREFIX = "001"


def to_18(short: str) -> str:
    """The 18-character form of a 15-character id: each suffix character tells the case of five characters.

    Raises ``ValueError`` when ``short`` has not exactly 15 characters.
    """
    if len(short) != 15:
        raise ValueError(f"a short Salesforce id has 15 characters, this one has {len(short)}: {short!r}")
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << place for place, char in enumerate(short[start : start + 5]) if "A" <= char <= "Z")
        suffix += ALPHABET[bits]
    return short + suffix


def is_valid_18(identifier: str) -> bool:
    """Whether ``identifier`` has 18 characters and the right suffix."""
    return len(identifier) == 18 and to_18(identifier[:15]) == identifier


def new_account_id(rng: Random) -> str:
    """A fresh 18-character account id of one made-up organisation (pod letters ``5g``)."""
    return to_18(ACCOUNT_PREFIX + "5g00000" + "".join(rng.choices(BASE62, k=5)))
