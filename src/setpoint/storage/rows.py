"""Rows on their way into a table, by the thousand: what SQLAlchemy does to each value of each row costs four times what
the database then does with them. So here the columns' own conversions are called, and the driver is given the rest."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from setpoint.storage.columns import Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection, Dialect, Table


class Rows:
    """The rows of a table, each as a tuple of its columns' values in their order."""

    def __init__(self, table: Table, on_conflict: str = "") -> None:
        """`on_conflict` is what becomes of a row whose primary key is there already, in SQL; nothing: an error."""
        self.names = tuple(column.name for column in table.c)
        self._conversions: Sequence[tuple[int, Callable[[Any], object], Callable[[Any], Any]]] = tuple(
            (position, column.type.write, column.type.read)
            for position, column in enumerate(table.c)
            if isinstance(column.type, Stored)
        )
        self._on_conflict = on_conflict
        self._statement = cache(self._compiled)
        self._table = table

    def insert(self, connection: Connection, rows: Iterable[Iterable[Any]]) -> None:
        """Put the rows in."""
        written = [self.written(row) for row in rows]
        if written:
            connection.exec_driver_sql(self._statement(connection.dialect), written)

    def read(self, row: Sequence[Any]) -> Sequence[Any]:
        """The values of a row, from what the database holds."""
        values = list(row)
        for position, _, read in self._conversions:
            value = values[position]
            if value is not None:
                values[position] = read(value)
        return values

    def _compiled(self, dialect: Dialect) -> str:
        return f"{insert(self._table).compile(dialect=dialect)} {self._on_conflict}"

    def written(self, row: Iterable[Any]) -> tuple[Any, ...]:
        """What the database holds for a row of these values."""
        values = list(row)
        for position, write, _ in self._conversions:
            value = values[position]
            if value is not None:
                values[position] = write(value)
        return tuple(values)


def replacing(table: Table) -> str:
    """What makes a row take the place of one with the same primary key."""
    others = (column.name for column in table.c if not column.primary_key)
    key = ", ".join(column.name for column in table.primary_key)
    return f"ON CONFLICT ({key}) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in others)}"
