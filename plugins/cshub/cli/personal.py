"""Personal values are shown by their first letter only, unless a person asks to see them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

HIDDEN = "•••"


def masked(value: Any) -> Any:
    """``dana@vendor.example`` → ``d•••``; each element of a list; no value stays no value."""
    if value is None or value == "":
        return value
    if isinstance(value, (list, tuple)):
        return [masked(item) for item in value]
    if isinstance(value, dict):
        return {name: masked(item) for name, item in value.items()}
    return f"{str(value)[0]}{HIDDEN}"


@dataclass(frozen=True, slots=True)
class Mask:
    """Masks the values of ``personal`` attributes and of those that ``is_personal`` tells; by default it shows all."""

    personal: Collection[str] = ()
    is_personal: Callable[[str], bool] | None = None

    def value(self, attribute: str, value: Any) -> Any:
        """``attribute`` may name several, separated by `` / ``, as a reject of a whole row does."""
        names = {name.strip() for name in attribute.split("/")}
        return masked(value) if any(self._hides(name) for name in names) else value

    def _hides(self, name: str) -> bool:
        return name in self.personal or (self.is_personal is not None and self.is_personal(name))
