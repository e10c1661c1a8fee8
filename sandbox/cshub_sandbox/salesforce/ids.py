"""New record ids, and the letter case that an id must have (docs/vendors/salesforce.md §5)."""

from __future__ import annotations

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
