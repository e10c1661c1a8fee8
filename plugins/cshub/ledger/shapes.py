"""Fingerprints of a link, packed.

Links of one mapping have their attribute names in common. The names are stored once, as a shape; a link holds the
shape's number and the bare fingerprints: 8 bytes for each of 16 hex digits. What one side is mapped to is mostly what
is then read from the other: such marks take no room.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, select

from cshub.core.records import LinkSide
from cshub.ledger.columns import encode_json
from cshub.ledger.database import Database
from cshub.ledger.statements import insert_new
from cshub.ledger.tables import shape as table

_HEX, _TEXT = b"\x00", b"\x01"
_AS_MAPPED = b""
_MARK = 2
"""Hex digits of the byte that tells how the rest is packed."""


@dataclass(frozen=True, slots=True)
class SideShape:
    """Mapping version of one side, and the sorted names of its fingerprints and extra values."""

    mapping_version: str = ""
    mapped: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @classmethod
    def of(cls, side: LinkSide) -> SideShape:
        mapped, marks, extra = (tuple(sorted(names)) for names in (side.mapped, side.marks or (), side.extra))
        return cls(side.mapping_version, mapped, marks, extra)

    def content(self) -> list[object]:
        return [self.mapping_version, self.mapped, self.marks, self.extra]


@dataclass(frozen=True, slots=True)
class Shape:
    """Both sides of a link; ``one_account``: the right side's account id is the left's."""

    left: SideShape
    right: SideShape
    one_account: bool

    @classmethod
    def of(cls, left: LinkSide, right: LinkSide) -> Shape:
        return cls(SideShape.of(left), SideShape.of(right), left.account_id == right.account_id)

    def digest(self) -> str:
        return hashlib.blake2b(encode_json(self.content()).encode(), digest_size=16).hexdigest()

    def content(self) -> list[object]:
        return [self.left.content(), self.right.content(), self.one_account]


class ShapeBook:
    """Shapes by number and numbers by shape, remembered for the life of the ledger: a shape never changes.

    An unknown shape is committed on its own before the links that need it, so that a number once handed out holds.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._numbers: dict[Shape, int] = {}
        self._shapes: dict[int, Shape] = {}

    def numbers(self, shapes: Iterable[Shape]) -> Mapping[Shape, int]:
        """The number of each shape, given now if it has none."""
        unknown = {shape: shape.digest() for shape in set(shapes) if shape not in self._numbers}
        if unknown:
            self._learn(unknown)
        return self._numbers

    def shapes(self, connection: Connection, numbers: Collection[int]) -> Mapping[int, Shape]:
        """The shape of each of these numbers, read on a connection that has not written."""
        unknown = [number for number in numbers if number not in self._shapes]
        if unknown:
            for row in connection.execute(select(table.c.id, table.c.content).where(table.c.id.in_(unknown))):
                self._keep(row.id, row.content)
        return self._shapes

    def number_within(self, connection: Connection, shape: Shape) -> int:
        """The shape's number, given inside the caller's transaction and not remembered: it may be rolled back."""
        digest = shape.digest()
        connection.execute(insert_new(connection, table).values(digest=digest, content=shape.content()))
        number: int = connection.execute(select(table.c.id).where(table.c.digest == digest)).scalar_one()
        return number

    def _learn(self, unknown: Mapping[Shape, str]) -> None:
        with self._database.writing() as connection:
            for shape, digest in sorted(unknown.items(), key=lambda item: item[1]):
                connection.execute(insert_new(connection, table).values(digest=digest, content=shape.content()))
            found = connection.execute(
                select(table.c.id, table.c.content).where(table.c.digest.in_(list(unknown.values())))
            ).all()
        for row in found:
            self._keep(row.id, row.content)

    def _keep(self, number: int, content: list[Any]) -> None:
        left, right, one_account = content
        shape = Shape(_side_shape(*left), _side_shape(*right), one_account)
        self._shapes[number] = shape
        self._numbers[shape] = number


def _side_shape(mapping_version: str, *names: list[str]) -> SideShape:
    mapped, marks, extra = (tuple(items) for items in names)
    return SideShape(mapping_version, mapped, marks, extra)


def pack(values: Mapping[str, str], names: tuple[str, ...]) -> bytes:
    """The values of sorted ``names``; lossless for any text, short for hex digits of one length."""
    if not names:
        return b""
    texts = [values[name] for name in names]
    joined = "".join(texts)
    if joined and len({len(text) for text in texts}) == 1:
        try:
            packed = bytes.fromhex(joined)
        except ValueError:
            packed = b""
        if packed.hex() == joined:
            return _HEX + packed
    return _TEXT + orjson.dumps(texts)


def unpack(packed: bytes | None, names: tuple[str, ...]) -> dict[str, str]:
    """What :func:`pack` was given."""
    if not packed:
        return {}
    if packed[:1] == _TEXT:
        return dict(zip(names, orjson.loads(packed[1:]), strict=True))
    digits = packed.hex()
    width = (len(digits) - _MARK) // len(names)
    return {
        name: digits[start : start + width] for name, start in zip(names, range(_MARK, len(digits), width), strict=True)
    }


def pack_marks(
    marks: Mapping[str, str] | None, names: tuple[str, ...], mapped: Mapping[str, str], mapped_names: tuple[str, ...]
) -> bytes | None:
    """A side's marks; empty bytes when they equal what the other side is ``mapped`` to, None when never read."""
    if marks is None:
        return None
    return _AS_MAPPED if names == mapped_names and marks == mapped else pack(marks, names)


def unpack_marks(
    packed: bytes | None, names: tuple[str, ...], mapped: Mapping[str, str], mapped_names: tuple[str, ...]
) -> Mapping[str, str] | None:
    """What :func:`pack_marks` was given."""
    if packed is None:
        return None
    return mapped if packed == _AS_MAPPED and names == mapped_names else unpack(packed, names)
