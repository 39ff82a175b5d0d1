"""Allowances over several processes: what is taken, used, given back and refused, with the real storage behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from setpoint.coordination.allowances import Allowance
from setpoint.coordination.leases import IDLE_S, Ask, Grant, Hold, Leases, Name, Need, UsedUpError
from setpoint.errors import GatewayError
from setpoint.storage import leases as stored
from setpoint.storage.database import Database
from setpoint.storage.schema import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MONEY = Allowance("key:a", "2026-11", Decimal(10))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A database with its tables."""
    database = Database.open(tmp_path / "setpoint.db")
    prepare(database)
    yield database
    database.close()


class Process:
    """One of several processes: its leases, its clock, and how often it has asked."""

    def __init__(self, database: Database, name: str, workers: int = 1) -> None:
        self.now = 100.0
        self.asked = 0
        self.away = False
        self._database = database
        self._name = name
        self._workers = workers
        self.leases = Leases(self._ask, self._give_back, lambda: self.now)

    async def _ask(self, asks: Sequence[Ask]) -> Sequence[Grant]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise GatewayError("unavailable", "away")
        with self._database.write() as connection:
            return stored.take(connection, self._name, asks, self._workers)

    async def _give_back(self, rests: Sequence[tuple[Name, Decimal]]) -> None:
        if self.away:
            raise GatewayError("unavailable", "away")
        with self._database.write() as connection:
            stored.give_back(connection, self._name, rests)


def leased(database: Database) -> Decimal:
    """What all processes hold together."""
    with database.read() as connection:
        rows = connection.exec_driver_sql("SELECT amount FROM leases").all()
    return sum((Decimal(row.amount) for row in rows), Decimal(0))


def money(amount: str, allowance: Allowance = MONEY) -> list[Need]:
    return [Need(allowance, Decimal(amount))]


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await work()

    asyncio.run(bounded())


def test_a_part_is_taken_ahead_and_used_without_asking(database: Database) -> None:
    async def work() -> None:
        process = Process(database, "p", workers=2)
        for _ in range(5):
            await process.leases.take(money("0.5"))
        assert process.asked == 1
        assert leased(database) == Decimal("2.5")  # half of an equal part for each of two

    run(work)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_of_many_at_once_as_many_go_on_as_there_is_money_for(database: Database, workers: int) -> None:
    async def work() -> None:
        processes = [Process(database, f"p{at}", workers) for at in range(workers)]
        tries = [processes[at % workers].leases.take(money("1")) for at in range(300)]
        done = await asyncio.gather(*tries, return_exceptions=True)
        held = [one for one in done if isinstance(one, Hold)]
        refused = [one for one in done if isinstance(one, UsedUpError)]
        assert len(held) + len(refused) == 300
        assert leased(database) <= 10
        # What is left over is less than one needs, in each process and in the storage.
        assert 10 - len(held) < workers + 1
        assert sum(process.asked for process in processes) < 60

    run(work)


def test_what_is_refused_says_of_which_allowance_and_how_much_is_left(database: Database) -> None:
    async def work() -> None:
        process = Process(database, "p")
        broad = Allowance("workspace:w", "ever", Decimal(100))
        await process.leases.take([*money("9"), *money("9", broad)])
        with pytest.raises(UsedUpError) as caught:
            await process.leases.take([*money("2"), *money("2", broad)])
        assert (caught.value.allowance, caught.value.left) == (MONEY, Decimal(1))
        await process.leases.take([*money("1"), *money("91", broad)])
        with pytest.raises(UsedUpError) as caught:
            await process.leases.take(money("0.000001", broad))
        assert caught.value.allowance == broad

    run(work)


def test_what_is_not_used_is_there_for_the_next(database: Database) -> None:
    async def work() -> None:
        process = Process(database, "p")
        hold = await process.leases.take(money("10"))
        with pytest.raises(UsedUpError):
            await process.leases.take(money("1"))
        hold.settle(lambda _: Decimal("9.5"))
        hold.give_back()  # too late: it is settled
        await process.leases.take(money("0.5"))
        with pytest.raises(UsedUpError):
            await process.leases.take(money("0.000001"))

    run(work)


def test_what_was_used_beyond_what_was_set_aside_blocks_the_next(database: Database) -> None:
    async def work() -> None:
        process = Process(database, "p")
        hold = await process.leases.take(money("1"))
        hold.settle(lambda _: Decimal(30))
        with pytest.raises(UsedUpError):
            await process.leases.take(money("0.01"))

    run(work)


def test_an_idle_rest_goes_back_and_a_used_one_stays(database: Database) -> None:
    async def work() -> None:
        process = Process(database, "p")
        hold = await process.leases.take(money("1"))
        assert leased(database) == 5
        await process.leases.give_back_idle()
        assert leased(database) == 5
        process.now += IDLE_S
        await process.leases.give_back_idle()
        assert leased(database) == 1  # which the request holds
        hold.settle(lambda _: Decimal("0.25"))
        await process.leases.close()
        assert leased(database) == Decimal("0.25")  # until its record is booked

    run(work)


def test_a_rest_that_cannot_go_back_stays(database: Database) -> None:
    async def work() -> None:
        process = Process(database, "p")
        (await process.leases.take(money("1"))).give_back()
        process.away = True
        with pytest.raises(GatewayError):
            await process.leases.close()
        await process.leases.take(money("5"))  # from what is here
        with pytest.raises(GatewayError, match="away"):
            await process.leases.take(money("1"))
        process.away = False
        await process.leases.take(money("1"))

    run(work)


def test_who_goes_away_while_it_waits_takes_nothing(database: Database) -> None:
    async def work() -> None:
        process = Process(database, "p")
        goes = asyncio.ensure_future(process.leases.take(money("6")))
        stays = asyncio.ensure_future(process.leases.take(money("6")))
        await asyncio.sleep(0)
        goes.cancel()
        await stays
        with pytest.raises(UsedUpError):
            await process.leases.take(money("6"))

    run(work)


def test_a_raised_limit_counts_from_the_next_question_on(database: Database) -> None:
    async def work() -> None:
        process = Process(database, "p")
        await process.leases.take(money("10"))
        with pytest.raises(UsedUpError):
            await process.leases.take(money("1"))
        await process.leases.take(money("1", Allowance("key:a", "2026-11", Decimal(11))))

    run(work)


def test_a_rate_is_of_its_minute_alone_and_what_went_beyond_is_told(database: Database) -> None:
    def rate(minute: int, amount: int = 1) -> list[Need]:
        return [Need(Allowance("tokens:a", str(minute), Decimal(10)), Decimal(amount))]

    async def work() -> None:
        process = Process(database, "p", workers=2)
        holds = [await process.leases.take(rate(7)) for _ in range(10)]
        with pytest.raises(UsedUpError):
            await process.leases.take(rate(7))
        await process.leases.take(rate(8, 9))
        holds[0].settle(lambda _: Decimal(4))
        await process.leases.close()
        with database.read() as connection:
            taken = connection.exec_driver_sql("SELECT minute, taken FROM rates ORDER BY minute").all()
        assert [tuple(row) for row in taken] == [(7, 13), (8, 9)]
        assert leased(database) == 0

    run(work)
