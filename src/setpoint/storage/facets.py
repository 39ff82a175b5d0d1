"""What records are listed by: each combination that there is of whose they are and of what, once.

A record names its facet, whose records are in the order of time. So one index serves every filter and all of them
together, and what is rare is found as quickly as what is not.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import bindparam, delete, select

from setpoint.storage.columns import FreeText
from setpoint.storage.rows import Rows
from setpoint.storage.tables import facets, generations

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import Connection, Dialect

    from setpoint.records import Generation


class Facet(NamedTuple):
    """A row of `facets` but for its number, as it is stored. Without a preset or a provider: "" and 0."""

    workspace_id: str
    key_digest: str
    preset_slug: str
    preset_version: int
    model: str
    provider: str
    status: str


def facet_of(record: Generation) -> Facet:
    """What this record is listed by."""
    return Facet(
        workspace_id=record.workspace_id,
        key_digest=record.key_digest,
        preset_slug=_AS_STORED(record.preset_slug or ""),
        preset_version=record.preset_version or 0,
        model=_AS_STORED(record.model),
        provider=_AS_STORED(record.provider or ""),
        status=record.status,
    )


def numbers(connection: Connection, wanted: Collection[Facet]) -> dict[Facet, int]:
    """The numbers of these facets; those that were not there yet are now."""
    found = _found(connection, wanted)
    if new := [facet for facet in wanted if facet not in found]:
        _ROWS.insert(connection, ((None, *facet) for facet in new))
        found |= _found(connection, new)
    return found


def drop_empty(connection: Connection, candidates: Collection[int]) -> None:
    """Forget those of these facets that no record is left of."""
    used = select(generations.c.id).where(generations.c.facet == facets.c.id)
    connection.execute(delete(facets).where(facets.c.id.in_(list(candidates)), ~used.exists()))


def _found(connection: Connection, wanted: Iterable[Facet]) -> dict[Facet, int]:
    # One by one, in the engine's own words: there are few in a batch, and to write a statement for all costs more.
    statement = _look_up(connection.dialect)
    rows = ((facet, connection.exec_driver_sql(statement, facet).scalar()) for facet in wanted)
    return {facet: number for facet, number in rows if number is not None}


@cache
def _look_up(dialect: Dialect) -> str:
    of = (facets.c[name] == bindparam(name) for name in Facet._fields)
    return str(select(facets.c.id).where(*of).compile(dialect=dialect))


_ROWS = Rows(facets)
_AS_STORED = FreeText().write
