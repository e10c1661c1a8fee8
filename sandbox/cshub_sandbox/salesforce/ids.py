"""New record ids, and what a caller means by an id that it sends (docs/vendors/salesforce.md §5)."""

from __future__ import annotations

from collections.abc import Container

from cshub_sandbox.salesforce.rows import full_id
from cshub_sandbox.salesforce_ids import ALPHABET, BASE62, to_18

POD = "5g0"
_STRIDE = 7_919  # a prime, so that ids differ in more than their last letters
_FIRST = 62**5  # above every id that the world itself gives to accounts


class IdMaker:
    """Ids per key prefix, each greater than the one before; the same calls give the same ids."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def new(self, prefix: str) -> str:
        """An 18-character id never given before."""
        number = self._last.get(prefix, _FIRST) + _STRIDE
        self._last[prefix] = number
        digits = ""
        while number:
            number, digit = divmod(number, 62)
            digits = BASE62[digit] + digits
        return to_18(prefix + POD + digits.rjust(9, "0"))


def resolve(text: str, rows: Container[str], *, tolerant: bool = False) -> str | None:
    """The 18-character id among ``rows`` that ``text`` stands for, or None.

    The first 15 characters must have the right case; ``tolerant`` repairs an 18-character id by its check characters.
    """
    exact = full_id(text)
    if exact is None:
        return None
    if exact in rows:
        return exact
    if tolerant and len(text) == 18:
        repaired = restore_case(text)
        return repaired if repaired in rows else None
    return None


def restore_case(text: str) -> str:
    """An 18-character id with the letter case that its check characters tell; as it is when they tell nothing."""
    letters = list(text[:15])
    for group, check in enumerate(text[15:].upper()):
        if check not in ALPHABET:
            return text
        bits = ALPHABET.index(check)
        for place in range(5):
            at = group * 5 + place
            letters[at] = letters[at].upper() if bits >> place & 1 else letters[at].lower()
    return "".join(letters) + text[15:].upper()
