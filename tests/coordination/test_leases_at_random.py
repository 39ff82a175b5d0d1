"""Many processes at one allowance, and all that can happen to them, in any order: what must hold at every step."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import count
from random import Random
from typing import TYPE_CHECKING

import pytest

from setpoint.coordination.allowances import Allowance
from setpoint.coordination.leases import IDLE_S, Hold, Need, UsedUpError
from setpoint.records import Reservation
from setpoint.storage import leases as stored
from support.leases import Process, leased
from support.records import attempt, generation

if TYPE_CHECKING:
    from setpoint.records import Generation
    from setpoint.storage.database import Database

LIMIT = Decimal(10)
MONEY = Allowance("key:a", "2026-04", LIMIT)
WORKERS, STEPS = 3, 300


class Lot:
    """Processes, what their requests hold, and what is recorded of those that have ended and not booked yet.

    `excess` is what requests used beyond what was set aside, `spent` all that they used.
    """

    def __init__(self, database: Database, dice: Random) -> None:
        self.spent = self.excess = Decimal(0)
        self._database = database
        self._dice = dice
        self._numbers = count()
        self._held: list[tuple[Process, Decimal, Hold]] = []
        self._unbooked: list[tuple[Process, Generation]] = []
        self._processes: list[Process] = []
        for _ in range(WORKERS):
            self._arrive()

    @property
    def held(self) -> Decimal:
        """What is set aside for requests that have not ended."""
        return sum((amount for _, amount, _ in self._held), Decimal(0))

    async def step(self) -> None:
        """Something happens."""
        steps = (self._take, self._settle, self._book, self._idle, self._tell, self._die)
        await self._dice.choices(steps, (30, 20, 12, 6, 6, 1))[0](self._dice.choice(self._processes))

    async def end(self) -> None:
        """All requests end, all is booked and given back."""
        for _, _, hold in self._held:
            hold.give_back()
        for process, booking in self._unbooked:
            process.book(booking)
        for process in self._processes:
            await process.leases.close()

    def _arrive(self) -> None:
        self._processes.append(Process(self._database, f"p{next(self._numbers)}", WORKERS))

    async def _take(self, process: Process) -> None:
        amount = Decimal(self._dice.randint(1, 60)) / 100
        try:
            hold = await process.leases.take([Need(MONEY, amount)])
        except UsedUpError:
            return
        self._held.append((process, amount, hold))

    async def _settle(self, _: Process) -> None:
        if self._held:
            process, amount, hold = self._held.pop(self._dice.randrange(len(self._held)))
            used = amount * self._dice.choice((0, 0, 1, 1, 2, 5, 30)) / 10
            hold.settle(lambda _: used)
            reservation = Reservation(amount=amount, out_of=(f"{MONEY.scope}|{MONEY.period}",))
            tried = attempt(cost=used, charged=used, reserved=reservation)
            booking = generation(id=f"gen-{next(self._numbers)}", key_digest="a", attempts=(tried,))
            self._unbooked.append((process, booking))
            self.excess += max(used - amount, Decimal(0))
            self.spent += used

    async def _book(self, _: Process) -> None:
        if self._unbooked:
            process, booking = self._unbooked.pop(self._dice.randrange(len(self._unbooked)))
            process.book(booking)
            process.book(booking)  # as the recorder does that has not heard of its success

    async def _idle(self, process: Process) -> None:
        process.now += IDLE_S
        await process.leases.give_back_idle()

    async def _tell(self, process: Process) -> None:
        await process.leases.give_back_idle()

    async def _die(self, process: Process) -> None:
        """What it has recorded is brought home; what its requests hold, nobody has used."""
        process.book(*(booking for other, booking in self._unbooked if other is process))
        with self._database.write(durable=False) as connection:
            stored.release(connection, process.name)
        self._unbooked = [one for one in self._unbooked if one[0] is not process]
        self._held = [one for one in self._held if one[0] is not process]
        self._processes.remove(process)
        self._arrive()


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_used_that_is_not_there_but_what_went_beyond_what_was_set_aside(
    database: Database, seed: int
) -> None:
    lot = Lot(database, Random(seed))

    async def work() -> None:
        for _ in range(STEPS):
            await lot.step()
            assert lot.spent + lot.held <= LIMIT + lot.excess
        await lot.end()

    asyncio.run(work())
    assert leased(database) == 0
    with database.read() as connection:
        booked = connection.exec_driver_sql("SELECT charged FROM spend WHERE scope = 'key:a' AND period = '2026-04'")
        assert Decimal(booked.scalar_one()) == lot.spent
    assert lot.spent > LIMIT / 2, "there was something to see"
