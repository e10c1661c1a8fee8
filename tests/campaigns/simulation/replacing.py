"""``dataclasses.replace`` for what a simulated history changes thousands of times, three times as fast."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, TypeVar, cast

T = TypeVar("T")


def replace(item: T, **changes: Any) -> T:
    """A copy with changes. Only for dataclasses all of whose fields are given to ``__init__``, in their order."""
    values_of, places = _shape(type(item))
    values = list(values_of(item))
    for name, value in changes.items():
        values[places[name]] = value
    return type(item)(*values)


@lru_cache
def _shape(kind: Hashable) -> tuple[Callable[[Any], tuple[Any, ...]], Mapping[str, int]]:
    names = [field.name for field in fields(cast(type[Any], kind))]
    return attrgetter(*names), {name: place for place, name in enumerate(names)}
