"""The way of leases to the database: what is not done in time is not done, whatever comes of it later."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from decimal import Decimal
from threading import Event
from typing import TYPE_CHECKING

import pytest

from setpoint.coordination.allowances import Allowance
from setpoint.coordination.leases import Ask
from setpoint.errors import GatewayError
from setpoint.routing.catalog import Catalog
from setpoint.snapshot import SnapshotHolder
from setpoint.storage.database import Database
from setpoint.storage.leasing import leasing
from setpoint.storage.store import Store
from support.leases import leased
from support.sealed import SEALER
from support.seats import lone_seat

if TYPE_CHECKING:
    from collections.abc import Generator

    from sqlalchemy import Connection

    from setpoint.storage.spool import Spool

MONEY = Allowance("key:a", "ever", Decimal(10))


class Slow(Database):
    """A database whose commits wait, as long as it is told so."""

    go_on: Event | None = None

    @contextmanager
    def write(self, *, durable: bool = True, wait_s: float | None = None) -> Generator[Connection]:
        """As ever, but for the wait."""
        with super().write(durable=durable, wait_s=wait_s) as connection:
            yield connection
            assert self.go_on is None or self.go_on.wait(20)


@pytest.mark.parametrize("done", ["asked", "given back"])
def test_what_a_process_was_not_told_in_time_is_as_if_it_had_not_been(
    database: Database, spool: Spool, done: str
) -> None:
    async def work() -> None:
        slow = Slow.open(database.path)
        snapshots = SnapshotHolder(Catalog(models={}, providers={}, aliases={}, offers={}))
        patient = Store(slow, snapshots, lone_seat(), SEALER)
        [grant] = await leasing(patient, spool, 1)[0]([Ask(MONEY, Decimal(0), Decimal(1))])
        patient.close()
        store = Store(slow, snapshots, lone_seat(), SEALER, write_s=0.1)
        ask, give_back = leasing(store, spool, 1)
        assert leased(database) == grant.amount == 5
        slow.go_on = Event()
        with pytest.raises(GatewayError):
            if done == "asked":
                await ask([Ask(MONEY, Decimal(2), Decimal(7))])
            else:
                await give_back([(("key:a", "ever"), Decimal(2))])
        slow.go_on.set()
        store.close()
        assert leased(database) == 5
        slow.close()

    asyncio.run(work())
