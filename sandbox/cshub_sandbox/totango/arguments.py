"""Arguments of a user's action, read with errors for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from cshub_sandbox.totango.bodies import Payload
from cshub_sandbox.totango.tenant import epoch_ms


class Arguments:
    """Arguments of one action. Readers raise ``ValueError``; ``only`` refuses names that the action does not know."""

    def __init__(self, action: str, values: Mapping[str, Any]) -> None:
        self._action = action
        self.values = dict(values)

    def only(self, *names: str) -> None:
        unknown = sorted(set(self.values) - set(names))
        if unknown:
            raise ValueError(f"{self._action} does not take {', '.join(unknown)}; it takes {', '.join(names)}")

    def text(self, name: str) -> str:
        value = self.optional(name)
        if not value:
            raise ValueError(f"{self._action} needs {name}")
        return value

    def optional(self, name: str) -> str | None:
        value = self.values.get(name)
        if value is None or isinstance(value, str):
            return value
        raise ValueError(f"{name} of {self._action} must be text")

    def number(self, name: str) -> int:
        value = self.values.get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{self._action} needs {name}, a whole number")
        return value

    def time_ms(self, name: str) -> int:
        """Epoch milliseconds, or ISO 8601 text with a zone."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return self.number(name)
        at = datetime.fromisoformat(value)
        if at.tzinfo is None:
            raise ValueError(f"{name} of {self._action} needs a time zone, e.g. 2026-11-20T08:00:00Z")
        return epoch_ms(at)

    def pairs(self, name: str) -> dict[str, str]:
        value = self.values.get(name) or {}
        if not isinstance(value, dict):
            raise ValueError(f"{name} of {self._action} must be an object")
        return {str(key): str(item) for key, item in value.items()}

    def payload(self, names: Sequence[str]) -> Payload:
        return Payload({name: self.values[name] for name in names if name in self.values})


Action = Callable[[Arguments], Any]
