"""Statements that both databases know, each by its own class in SQLAlchemy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Table, any_, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite

Insert = postgresql.Insert | sqlite.Insert


def insert_into(connection: Connection, table: Table) -> Insert:
    """An insert that can be given ``on_conflict_do_update``."""
    return postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)


def insert_new(connection: Connection, table: Table) -> Insert:
    """An insert that leaves a row alone that is there already."""
    return insert_into(connection, table).on_conflict_do_nothing()


def among(connection: Connection, column: ColumnElement[Any], keys: Sequence[Any]) -> ColumnElement[bool]:
    """``column`` is one of ``keys``, sent as one parameter: any number of keys, and quicker than one for each."""
    if connection.dialect.name == "postgresql":
        return column == any_(literal(list(keys), postgresql.ARRAY(column.type)))
    listed = func.json_each(orjson.dumps(list(keys)).decode()).table_valued("value")
    return column.in_(select(listed.c.value))
