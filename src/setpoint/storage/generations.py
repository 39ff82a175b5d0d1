"""Generations, the records of answers: functions of a connection, whose transaction is the caller's."""

from __future__ import annotations

from functools import cache
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from msgspec.structs import astuple
from sqlalchemy import insert, select

from setpoint.canonical.usage import Usage
from setpoint.records import Cost, Generation
from setpoint.storage.columns import Stored
from setpoint.storage.tables import generations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy import Connection, Dialect

_USAGE = Usage.__struct_fields__
_COST = Cost.__struct_fields__
_PLAIN = tuple(field for field in Generation.__struct_fields__ if field not in {"usage", "cost"})
_COLUMNS = (*_PLAIN, *(f"usage_{field}" for field in _USAGE), *(f"cost_{field}" for field in _COST))
"""A record laid flat. The columns of its usage are all null when it has none; so are those of its cost."""

_NO_USAGE = (None,) * len(_USAGE)
_NO_COST = (None,) * len(_COST)

_plain: Callable[[Generation], tuple[Any, ...]] = attrgetter(*_PLAIN)
_in_table_order: Callable[[tuple[Any, ...]], tuple[Any, ...]] = itemgetter(
    *(_COLUMNS.index(column.name) for column in generations.c)
)
_conversions = tuple(
    (position, column.type.write) for position, column in enumerate(generations.c) if isinstance(column.type, Stored)
)


def save_many(connection: Connection, records: Iterable[Generation]) -> None:
    """Keep these records. One whose id is kept already changes nothing, so a batch may be written again."""
    rows = [_write(record) for record in records]
    if rows:
        connection.exec_driver_sql(_insert(connection.dialect), rows)


def get(connection: Connection, id_: str, workspace_id: str) -> Generation | None:
    """The workspace's record with this id, None when there is none."""
    columns = [generations.c[name] for name in _COLUMNS]
    query = select(*columns).where(generations.c.id == id_, generations.c.workspace_id == workspace_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else _read(tuple(row))


@cache
def _insert(dialect: Dialect) -> str:
    """The statement that takes rows of `_write`, in the words of this dialect."""
    return f"{insert(generations).compile(dialect=dialect)} ON CONFLICT DO NOTHING"


def _write(record: Generation) -> tuple[Any, ...]:
    """The row of a record, as the driver takes it.

    What SQLAlchemy does to the values of a row costs four times what the database then does with them, and this is
    paid for every answer; so the columns' own conversions are called here.
    """
    flat = (
        *_plain(record),
        *(_NO_USAGE if record.usage is None else astuple(record.usage)),
        *(_NO_COST if record.cost is None else astuple(record.cost)),
    )
    row = list(_in_table_order(flat))
    for position, write in _conversions:
        value = row[position]
        if value is not None:
            row[position] = write(value)
    return tuple(row)


def _read(flat: tuple[Any, ...]) -> Generation:
    plain = flat[: len(_PLAIN)]
    usage = flat[len(_PLAIN) : len(_PLAIN) + len(_USAGE)]
    cost = flat[len(_PLAIN) + len(_USAGE) :]
    return Generation(
        **dict(zip(_PLAIN, plain, strict=True)),
        usage=None if usage == _NO_USAGE else Usage(**dict(zip(_USAGE, usage, strict=True))),
        cost=None if cost == _NO_COST else Cost(**dict(zip(_COST, cost, strict=True))),
    )
