"""Processes that lease from one database: each with its leases and its clock, without anything else of a gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from setpoint.coordination.leases import LOOK_S, Ask, Grant, Leases, Name
from setpoint.errors import GatewayError
from setpoint.storage import leases as stored
from setpoint.storage.generations import save_many

if TYPE_CHECKING:
    from setpoint.records import Generation
    from setpoint.storage.database import Database


class Process:
    """One of several processes: its leases, its clock, and how often it has asked.

    What it gives back waits for `slow`.
    """

    def __init__(self, database: Database, name: str, workers: int = 1, *, look_s: float = LOOK_S) -> None:
        self.now = 100.0
        self.asked = 0
        self.away = False
        self.slow: asyncio.Event | None = None
        self.gave_back = asyncio.Event()
        self._database = database
        self.name = name
        self._workers = workers
        self.leases = Leases(self._ask, self._give_back, lambda: self.now, look_s=look_s)

    async def _ask(self, asks: Sequence[Ask]) -> Sequence[Grant]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise GatewayError("unavailable", "away")
        with self._database.write(durable=False) as connection:
            return stored.take(connection, self.name, asks, self._workers)

    def book(self, *records: Generation) -> None:
        """What the recorder does with records of this process, and the ledger with it."""
        with self._database.write(durable=False) as connection:
            stored.book(connection, self.name, save_many(connection, records))

    async def _give_back(self, rests: Sequence[tuple[Name, Decimal]]) -> None:
        if self.away:
            raise GatewayError("unavailable", "away")
        await asyncio.shield(asyncio.ensure_future(self._given_back(rests)))

    async def _given_back(self, rests: Sequence[tuple[Name, Decimal]]) -> None:
        if self.slow is not None:
            await self.slow.wait()
        with self._database.write(durable=False) as connection:
            stored.give_back(connection, self.name, rests)
        self.gave_back.set()


def leased(database: Database) -> Decimal:
    """What all processes hold together."""
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT amount FROM leases").all()
    return sum((Decimal(row.amount) for row in rows), Decimal(0))
