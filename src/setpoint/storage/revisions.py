"""The revision: the number of the last write that snapshots have to hear of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select, update

from setpoint.storage.tables import revision

if TYPE_CHECKING:
    from sqlalchemy import Connection


def read_revision(connection: Connection) -> int:
    """The number of the last write."""
    return connection.execute(select(revision.c.number)).scalar_one()


def next_revision(connection: Connection) -> int:
    """The number of this write, to be stamped on every row it touches. The first thing that a write does."""
    connection.execute(update(revision).values(number=revision.c.number + 1))
    return read_revision(connection)
