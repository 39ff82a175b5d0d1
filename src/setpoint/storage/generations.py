"""Generations, the records of answers: functions of a connection, whose transaction is the caller's."""

from __future__ import annotations

from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

from msgspec.structs import astuple
from sqlalchemy import select

from setpoint.canonical.usage import Usage
from setpoint.records import Cost, Generation
from setpoint.storage.facets import facet_of, numbers
from setpoint.storage.ledger import book, booked
from setpoint.storage.rows import Rows
from setpoint.storage.tables import generations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Column, Connection

_USAGE = Usage.__struct_fields__
_COST = Cost.__struct_fields__
_PLAIN = tuple(field for field in Generation.__struct_fields__ if field not in {"usage", "cost"})
_COLUMNS = (*_PLAIN, *(f"usage_{field}" for field in _USAGE), *(f"cost_{field}" for field in _COST))
_WRITTEN = (*_COLUMNS, "facet")
"""A record laid flat, and what it is listed by. The columns of its usage are all null when it has none; so are those
of its cost."""

_NO_USAGE = (None,) * len(_USAGE)
_NO_COST = (None,) * len(_COST)

_plain: Callable[[Generation], tuple[Any, ...]] = attrgetter(*_PLAIN)
_in_table_order: Callable[[tuple[Any, ...]], tuple[Any, ...]] = itemgetter(
    *(_WRITTEN.index(column.name) for column in generations.c)
)
_read_columns: list[Column[Any]] = [generations.c[name] for name in _COLUMNS]
_ROWS = Rows(generations)


def save_many(connection: Connection, records: Iterable[Generation]) -> list[Generation]:
    """Keep these records, and book them; those that were not there yet are given back.

    One whose id is kept or booked already changes nothing, so a batch may be written again.
    """
    unique = {record.id: record for record in reversed(list(records))}
    known = set(connection.scalars(select(generations.c.id).where(generations.c.id.in_(list(unique)))))
    known |= booked(connection, [id_ for id_ in unique if id_ not in known])
    new = [record for id_, record in unique.items() if id_ not in known]
    of = [facet_of(record) for record in new]
    number = numbers(connection, set(of))
    _ROWS.insert(connection, (_flat(record, number[facet]) for record, facet in zip(new, of, strict=True)))
    book(connection, new)
    return new


def get(connection: Connection, id_: str, workspace_id: str) -> Generation | None:
    """The workspace's record with this id, None when there is none."""
    query = select(*_read_columns).where(generations.c.id == id_, generations.c.workspace_id == workspace_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else _read(tuple(row))


def get_many(connection: Connection, ids: Sequence[str]) -> list[Generation]:
    """The records with these ids, in this order; those that are not there are left out."""
    if not ids:
        return []
    rows = connection.execute(select(*_read_columns).where(generations.c.id.in_(ids)))
    found = {record.id: record for record in (_read(tuple(row)) for row in rows)}
    return [found[id_] for id_ in ids if id_ in found]


def _flat(record: Generation, facet: int) -> tuple[Any, ...]:
    return _in_table_order(
        (
            *_plain(record),
            *(_NO_USAGE if record.usage is None else astuple(record.usage)),
            *(_NO_COST if record.cost is None else astuple(record.cost)),
            facet,
        )
    )


def _read(flat: tuple[Any, ...]) -> Generation:
    plain = flat[: len(_PLAIN)]
    usage = flat[len(_PLAIN) : len(_PLAIN) + len(_USAGE)]
    cost = flat[len(_PLAIN) + len(_USAGE) :]
    return Generation(
        **dict(zip(_PLAIN, plain, strict=True)),
        usage=None if usage == _NO_USAGE else Usage(**dict(zip(_USAGE, usage, strict=True))),
        cost=None if cost == _NO_COST else Cost(**dict(zip(_COST, cost, strict=True))),
    )
