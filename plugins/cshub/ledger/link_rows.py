"""Links as rows: both sides, left and right, whichever direction they are looked at from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, Row, select

from cshub.core.records import Link, LinkSide, Pair
from cshub.ledger.shapes import Shape, SideShape, pack, pack_marks, unpack, unpack_marks
from cshub.ledger.tables import link, run

_SIDE = ("mapped", "marks", "key", "account_id", "extra", "state", "modified_at", "edited_at")
_WANTED = (
    *(link.c[name] for name in ("number", "pair_id", "version", "shape_id")),
    *(link.c[f"left_{name}"] for name in _SIDE),
    *(link.c[f"right_{name}"] for name in _SIDE),
    *(link.c[name] for name in ("dated_at", "first_seen_at", "created_at", "written_at")),
    run.c.run_id,
)
WHOLE_LINKS = select(*_WANTED).select_from(link.outerjoin(run, run.c.number == link.c.run_number))
"""Selects rows for :func:`links_of`."""
_LEFT = slice(4, 4 + len(_SIDE))
_RIGHT = slice(_LEFT.stop, _LEFT.stop + len(_SIDE))


def source_key(pair: Pair) -> Column[Any]:
    """The column that holds the keys of the pair's source."""
    return link.c.right_key if pair.mirrored else link.c.left_key


def target_key(pair: Pair) -> Column[Any]:
    return link.c.left_key if pair.mirrored else link.c.right_key


def source_state(pair: Pair) -> Column[Any]:
    return link.c.right_state if pair.mirrored else link.c.left_state


def sides(item: Link) -> tuple[LinkSide, LinkSide]:
    """Left and right."""
    return (item.target, item.source) if item.pair.mirrored else (item.source, item.target)


def packed(item: Link, shape: Shape, shape_id: int) -> dict[str, Any]:
    """The row of a link, at the version after the one it has, without its run."""
    left, right = sides(item)
    return {
        "number": item.number or None,
        "pair_id": item.pair.number,
        "version": item.version + 1,
        "shape_id": shape_id,
        "dated_at": item.dated_at,
        "first_seen_at": item.first_seen_at,
        "created_at": item.created_at,
        "written_at": item.written_at,
        **_packed_side("left", left, shape.left, right, shape.right),
        **_packed_side("right", right, shape.right, left, shape.left),
        **({"right_account_id": None} if shape.one_account else {}),
    }


def links_of(
    rows: Iterable[Row[*tuple[Any, ...]]], shapes: Mapping[int, Shape], *, mirrored: bool = False
) -> Iterator[Link]:
    """The links of rows of :data:`WHOLE_LINKS`, seen from one direction."""
    for row in rows:
        number, pair_id, version, shape_id = row[:4]
        shape = shapes[shape_id]
        left_mapped, right_mapped = unpack(row[_LEFT][0], shape.left.mapped), unpack(row[_RIGHT][0], shape.right.mapped)
        left = _side(row[_LEFT], shape.left, left_mapped, opposite=right_mapped, opposite_names=shape.right.mapped)
        right = _side(row[_RIGHT], shape.right, right_mapped, opposite=left_mapped, opposite_names=shape.left.mapped)
        if shape.one_account:
            right = replace(right, account_id=left.account_id)
        dated_at, first_seen_at, created_at, written_at, run_id = row[_RIGHT.stop :]
        yield Link(
            pair=Pair(pair_id, mirrored),
            source=right if mirrored else left,
            target=left if mirrored else right,
            number=number,
            version=version,
            dated_at=dated_at,
            first_seen_at=first_seen_at,
            created_at=created_at,
            written_at=written_at,
            run_id=run_id,
        )


def _packed_side(
    name: str, side: LinkSide, shape: SideShape, opposite: LinkSide, opposite_shape: SideShape
) -> dict[str, Any]:
    return {
        f"{name}_key": side.key,
        f"{name}_account_id": side.account_id,
        f"{name}_extra": [side.extra[key] for key in shape.extra] or None,
        f"{name}_mapped": pack(side.mapped, shape.mapped) or None,
        f"{name}_marks": pack_marks(side.marks, shape.marks, opposite.mapped, opposite_shape.mapped),
        f"{name}_state": side.state,
        f"{name}_modified_at": side.modified_at,
        f"{name}_edited_at": side.edited_at,
    }


def _side(
    row: Sequence[Any],
    shape: SideShape,
    mapped: Mapping[str, str],
    *,
    opposite: Mapping[str, str],
    opposite_names: tuple[str, ...],
) -> LinkSide:
    _, marks, key, account_id, extra, state, modified_at, edited_at = row
    return LinkSide(
        key=key,
        account_id=account_id,
        extra=dict(zip(shape.extra, extra, strict=True)) if extra else {},
        marks=unpack_marks(marks, shape.marks, opposite, opposite_names),
        mapped=mapped,
        mapping_version=shape.mapping_version,
        state=state,
        modified_at=modified_at,
        edited_at=edited_at,
    )
