"""Fingerprints of a link, packed.

Links of one mapping have their attribute names in common. The names are stored once, as a shape; a link holds the
shape's number and the bare fingerprints: 8 bytes for each of 16 hex digits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection, select

from cshub.core.records import Link
from cshub.ledger.columns import encode_json
from cshub.ledger.database import Database
from cshub.ledger.statements import insert_new
from cshub.ledger.tables import shape as table

_HEX, _TEXT = b"\x00", b"\x01"
_SAME_AS_SOURCE = b""
_MARK = 2
"""Hex digits of the byte that tells how the rest is packed."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Mapping version, and the sorted names of a link's bases and extra values."""

    mapping_version: str
    source: tuple[str, ...]
    target: tuple[str, ...]
    extra: tuple[str, ...]

    @classmethod
    def of(cls, link: Link) -> Shape:
        source, target = tuple(sorted(link.source_base)), tuple(sorted(link.target_base or ()))
        return cls(link.mapping_version, source, target, tuple(sorted(link.target_extra)))

    def digest(self) -> str:
        return hashlib.blake2b(encode_json(self.content()).encode(), digest_size=16).hexdigest()

    def content(self) -> list[object]:
        return [self.mapping_version, self.source, self.target, self.extra]


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

    def _learn(self, unknown: Mapping[Shape, str]) -> None:
        with self._database.writing() as connection:
            for shape, digest in sorted(unknown.items(), key=lambda item: item[1]):
                connection.execute(insert_new(connection, table).values(digest=digest, content=shape.content()))
            found = connection.execute(
                select(table.c.id, table.c.content).where(table.c.digest.in_(list(unknown.values())))
            ).all()
        for row in found:
            self._keep(row.id, row.content)

    def _keep(self, number: int, content: list[str | list[str]]) -> None:
        version, source, target, extra = content
        shape = Shape(str(version), tuple(source), tuple(target), tuple(extra))
        self._shapes[number] = shape
        self._numbers[shape] = number


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


def pack_target(link: Link, shape: Shape) -> bytes | None:
    """The target's base; empty bytes when it equals the source's, None when it was never read back."""
    if link.target_base is None:
        return None
    same = shape.source == shape.target and link.target_base == link.source_base
    return _SAME_AS_SOURCE if same else pack(link.target_base, shape.target)


def unpack_target(packed: bytes | None, shape: Shape, source_base: Mapping[str, str]) -> Mapping[str, str] | None:
    """What :func:`pack_target` was given."""
    if packed is None:
        return None
    return source_base if packed == _SAME_AS_SOURCE and shape.source == shape.target else unpack(packed, shape.target)
