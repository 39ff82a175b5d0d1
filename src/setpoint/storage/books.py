"""All books of one workspace, or of all, as they are stored: read row by row, never many at a time.

What is read of the ledger is as the database holds it: nobody has to make values of what is only compared.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text

from setpoint.coordination.allowances import key_scope, workspace_scope
from setpoint.storage.ledger import ROWS
from setpoint.storage.tables import activity, keys, spend

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection, Select, Table

    Row = tuple[Any, ...]
    Keyed = Iterator[tuple[Row, Mapping[str, Any]]]
    """Rows by the names of their columns, each behind its primary key."""

OF_RECORD = (
    *("created_at", "status", "workspace_id", "key_digest", "user_id", "preset_id", "preset_slug", "preset_version"),
    *("attempts", "usage_input_tokens"),
)
"""The columns of a record that booking goes by."""

_LEDGER = ", ".join(f"ledger.{name}" for name in ROWS.names)
_RECORD = ", ".join(f"generations.{name}" for name in OF_RECORD)
_BOOKED = f"""
SELECT {_LEDGER}, {_RECORD} FROM ledger LEFT JOIN generations ON generations.id = ledger.generation_id
WHERE %s ORDER BY ledger.generation_id, ledger.position
"""  # noqa: S608 names of columns only
_UNBOOKED = f"""
SELECT generations.id, {_RECORD} FROM generations
WHERE %s AND NOT EXISTS (SELECT 1 FROM ledger WHERE ledger.generation_id = generations.id)
"""  # noqa: S608 names of columns only
_AT_A_TIME = {"yield_per": 1_000}


class Books:
    """The books as of one moment: the connection's. `workspace_id` None: of all workspaces."""

    def __init__(self, connection: Connection, workspace_id: str | None) -> None:
        self._connection = connection
        self._mine = workspace_id

    def generations(self) -> Iterator[tuple[str, list[Row], Row | None]]:
        """Each generation that is booked: its rows in the ledger, and `OF_RECORD` of its record if that is kept."""
        width = len(ROWS.names)
        for id_, group in groupby(self._raw(_BOOKED, "ledger"), key=_first):
            rows = list(group)
            record = rows[0][width:]
            yield id_, [row[:width] for row in rows], record if record[0] is not None else None

    def unbooked(self) -> Iterator[tuple[str, Row]]:
        """`OF_RECORD` of each record that has no row in the ledger."""
        for id_, *record in self._raw(_UNBOOKED, "generations"):
            yield id_, tuple(record)

    def activity(self) -> Keyed:
        """What each day came to."""
        query = select(activity)
        return self._rows(activity, query if self._mine is None else query.where(activity.c.workspace_id == self._mine))

    def spend(self) -> Keyed:
        """What each allowance has spent in each period."""
        scopes: set[str] | None = None
        if self._mine is not None:
            mine = self._connection.scalars(select(keys.c.digest).where(keys.c.workspace_id == self._mine))
            scopes = {workspace_scope(self._mine), *map(key_scope, mine)}
        for key, row in self._rows(spend, select(spend)):
            if scopes is None or row["scope"] in scopes:
                yield key, row

    def _rows(self, table: Table, query: Select[Any]) -> Keyed:
        names = [column.name for column in table.primary_key]
        for row in self._connection.execute(query, execution_options=_AT_A_TIME).mappings():
            yield tuple(row[name] for name in names), {str(name): value for name, value in row.items()}

    def _raw(self, query: str, table: str) -> Iterator[Row]:
        mine = "1 = 1" if self._mine is None else f"{table}.workspace_id = :mine"
        given = {} if self._mine is None else {"mine": self._mine}
        return map(tuple, self._connection.execute(text(query % mine), given, execution_options=_AT_A_TIME))


def _first(row: Row) -> str:
    return row[0]
