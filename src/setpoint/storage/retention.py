"""Retention: records and contents go when they have been kept as long as they are to be, a few at a time.

What they cost stays in the ledger and its sums. A step holds the database for a moment, and then leaves it to others
for several times as long, so that no writer feels how much there is to delete.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from msgspec import Struct
from sqlalchemy import delete, func, select

from setpoint.errors import GatewayError
from setpoint.storage.facets import drop_empty
from setpoint.storage.lanes import Lane
from setpoint.storage.tables import contents, facets, generations

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Connection

    from setpoint.storage.database import Database

STEP_ROWS = 500
"""How many rows a step deletes at most."""

STEP_S = 0.005
"""After how long a step deletes no more, in seconds."""

EVERY_S = 60.0
"""How long until it is looked again whether there is anything to delete, in seconds, at most."""

_DAY_S = 86_400
_AT_A_TIME = 10
_LEAST_PAUSE_S = 0.02
_PAUSES = 4  # how much longer than a step the pause behind it is

_log = logging.getLogger(__name__)


class Kept(Struct, frozen=True, kw_only=True):
    """How long records and contents are kept, in days. None: for ever."""

    records_days: float | None
    contents_days: float | None

    @property
    def look_every_s(self) -> float:
        """How long until it is looked again whether there is anything to delete, in seconds."""
        days = [days for days in (self.records_days, self.contents_days) if days is not None]
        return min((EVERY_S, *(_DAY_S * one / 10 for one in days)))


class Retention:
    """Deletes what is no longer to be kept, where it `works`: one process is enough. `kept` may be set at any time."""

    def __init__(self, database: Database, kept: Kept, *, clock: Callable[[], datetime], works: bool = True) -> None:
        self.kept = kept
        self.steps = 0
        self.deleted = 0
        self._database = database
        self._clock = clock
        self._works = works
        self._lane = Lane("setpoint-retention", threads=1, queued=0)

    async def run(self) -> None:
        """Delete step by step whatever comes to its end, until cancelled."""
        while self._works:
            held_s = 0.0
            try:
                held_s = await asyncio.wrap_future(self._lane.submit(self.step))
            except GatewayError:  # the storage is away: what is old waits for it
                pass
            except Exception as error:  # a fault of ours must not end what comes later
                _log.error("old records cannot be deleted: %s", type(error).__name__)
            await asyncio.sleep(max(_LEAST_PAUSE_S, _PAUSES * held_s) if held_s else self.kept.look_every_s)

    def step(self) -> float:
        """Delete some of what is too old; how long that held the database, in seconds: 0 when there was nothing.

        Raises: `GatewayError`.
        """
        now, kept = self._clock(), self.kept
        with self._database.write(durable=False) as connection:
            began = monotonic()
            deleted = _delete_some(connection, _end(now, kept.contents_days), _end(now, kept.records_days), began)
        if not deleted:
            return 0.0
        self.steps += 1
        self.deleted += deleted
        return monotonic() - began

    def close(self) -> None:
        """Let the step that runs come to its end."""
        self._lane.close()


def _end(now: datetime, days: float | None) -> datetime | None:
    """The moment before which everything is too old."""
    return None if days is None else now - timedelta(days=days)


def _delete_some(
    connection: Connection, contents_end: datetime | None, records_end: datetime | None, began: float
) -> int:
    deleted = 0
    while deleted < STEP_ROWS and monotonic() - began < STEP_S:
        most = min(_AT_A_TIME, STEP_ROWS - deleted)
        found = _delete_contents(connection, contents_end, most) or _delete_records(connection, records_end, most)
        if not found:
            break
        deleted += found
    return deleted


def _delete_contents(connection: Connection, end: datetime | None, most: int) -> int:
    if end is None:
        return 0
    query = select(contents.c.generation_id).where(contents.c.created_at < end).order_by(contents.c.created_at)
    if ids := connection.scalars(query.limit(most)).all():
        connection.execute(delete(contents).where(contents.c.generation_id.in_(ids)))
    return len(ids)


def _delete_records(connection: Connection, end: datetime | None, most: int) -> int:
    found = _old_records(connection, end, most) if end is not None else {}
    if found:
        connection.execute(delete(contents).where(contents.c.generation_id.in_(list(found))))
        connection.execute(delete(generations).where(generations.c.id.in_(list(found))))
        drop_empty(connection, set(found.values()))
    return len(found)


def _old_records(connection: Connection, end: datetime, most: int) -> dict[str, int]:
    """Ids of records from before this moment, the oldest of a workspace first, each with its facet."""
    workspace_id: str | None = ""  # which is before all
    while (workspace_id := _workspace_behind(connection, workspace_id)) is not None:
        query = (
            select(generations.c.id, generations.c.facet)
            .where(generations.c.workspace_id == workspace_id, generations.c.created_at < end)
            .order_by(generations.c.created_at, generations.c.id)
            .limit(most)
        )
        if found := dict(map(tuple, connection.execute(query))):
            return found
    return {}


def _workspace_behind(connection: Connection, workspace_id: str) -> str | None:
    """The next workspace that has records, in the order of their ids."""
    return connection.scalar(select(func.min(facets.c.workspace_id)).where(facets.c.workspace_id > workspace_id))
