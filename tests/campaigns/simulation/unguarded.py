"""Frozen dataclasses without their guard, made and copied in a fraction of the time: histories do that by millions.

That nothing changes them is what the type checker sees to, and all other tests.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import Field, field, fields, is_dataclass, make_dataclass
from types import ModuleType
from typing import Any
from unittest.mock import patch

from tests.campaigns.simulation.replacing import replace

_GUARDS = ("__setattr__", "__delattr__")  # one slot of the type: only without both is an attribute set the quick way
_PACKAGES = ("cshub.core.", "cshub.ledger.", "cshub.pipeline.", "tests.campaigns.simulation.")


@contextmanager
def unguarded() -> Iterator[None]:
    """Frozen dataclasses of the hub and of the simulation are made like plain ones."""
    with ExitStack() as stack:
        for kind in _frozen():
            stack.enter_context(_plainly_made(kind))
        for module in _modules():
            if vars(module).get("replace") is dataclasses.replace:
                stack.enter_context(patch.object(module, "replace", replace))
        yield


def _modules() -> list[ModuleType]:
    return [module for name, module in sys.modules.items() if name.startswith(_PACKAGES)]


def _frozen() -> set[type[Any]]:
    kinds = {item for module in _modules() for item in vars(module).values() if isinstance(item, type)}
    return {kind for kind in kinds if is_dataclass(kind) and "__setattr__" in vars(kind) and _is_guarded(kind)}


def _is_guarded(kind: type[Any]) -> bool:
    return bool(vars(kind)["__dataclass_params__"].frozen) and kind.__bases__ == (object,)


@contextmanager
def _plainly_made(kind: type[Any]) -> Iterator[None]:
    kept = {name: vars(kind)[name] for name in ("__init__", *_GUARDS)}
    after = {"__post_init__": vars(kind)["__post_init__"]} if "__post_init__" in vars(kind) else {}
    plain = make_dataclass(kind.__name__, [(item.name, Any, _alike(item)) for item in fields(kind)], namespace=after)
    kind.__init__ = vars(plain)["__init__"]
    for name in _GUARDS:
        delattr(kind, name)
    try:
        yield
    finally:
        for name, value in kept.items():
            setattr(kind, name, value)


def _alike(item: Field[Any]) -> Any:
    facts: dict[str, Any] = {"default": item.default, "default_factory": item.default_factory}
    return field(init=item.init, kw_only=item.kw_only, **facts)
