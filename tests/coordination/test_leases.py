"""Allowances over several processes: what is taken, used, given back and refused, with the real storage behind."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

import pytest

from setpoint.coordination.allowances import Allowance
from setpoint.coordination.leases import IDLE_S, Hold, Need, UsedUpError
from setpoint.errors import GatewayError
from setpoint.records import Reservation
from support.leases import Process, leased
from support.records import attempt, generation

if TYPE_CHECKING:
    from setpoint.records import Generation
    from setpoint.storage.database import Database

MONEY = Allowance("key:a", "2026-04", Decimal(10))


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


def record(number: int, reserved: Decimal, charged: Decimal) -> Generation:
    """What is recorded of a request of key `a` that has used so much."""
    reservation = Reservation(amount=reserved, out_of=(f"{MONEY.scope}|{MONEY.period}",))
    tried = attempt(cost=charged, charged=charged, reserved=reservation)
    return generation(id=f"gen-{number}", key_digest="a", attempts=(tried,))


def test_what_was_used_beyond_what_was_set_aside_blocks_the_next(database: Database) -> None:
    async def work() -> None:
        process = Process(database, "p")
        hold = await process.leases.take(money("1"))
        hold.settle(lambda _: Decimal(30))
        for _ in range(3):
            with pytest.raises(UsedUpError):
                await process.leases.take(money("0.01"))
            process.now += IDLE_S

    run(work)


@pytest.mark.parametrize("heard_of_it", ["book", "tell", "book tell", "tell book"])
def test_it_blocks_every_process_as_soon_as_anybody_has_heard_of_it_and_long_after(
    database: Database, heard_of_it: str
) -> None:
    async def work() -> None:
        one, other = Process(database, "p", workers=2), Process(database, "q", workers=2)
        (await one.leases.take(money("1"))).settle(lambda _: Decimal("9.5"))
        for how in heard_of_it.split():
            if how == "book":
                one.book(record(1, Decimal(1), Decimal("9.5")))
            else:
                await one.leases.give_back_idle()
        with pytest.raises(UsedUpError) as caught:
            await other.leases.take(money("0.6"))
        assert caught.value.left == Decimal("0.5")
        one.book(record(1, Decimal(1), Decimal("9.5")))
        for process in (one, other):
            process.now += 10 * IDLE_S
            with pytest.raises(UsedUpError):
                await process.leases.take(money("0.6"))
        await one.leases.give_back_idle()
        assert leased(database) == 0
        await one.leases.take(money("0.5"))

    run(work)


def test_a_process_says_at_once_what_was_used_beyond_what_was_set_aside(database: Database) -> None:
    async def work() -> None:
        one, other = Process(database, "p", workers=2, look_s=3_600), Process(database, "q", workers=2)
        running = asyncio.ensure_future(one.leases.run())
        (await one.leases.take(money("1"))).settle(lambda _: Decimal(9))
        await one.gave_back.wait()
        with pytest.raises(UsedUpError):
            await other.leases.take(money("1.01"))
        running.cancel()

    run(work)


def test_who_always_uses_more_than_is_set_aside_may_use_all_there_is_and_one_request_more(database: Database) -> None:
    async def work() -> None:
        process = Process(database, "p", workers=2)
        spent = Decimal(0)
        with pytest.raises(UsedUpError):
            for number in count():
                hold = await process.leases.take(money("0.01"))
                hold.settle(lambda _: Decimal("0.3"))
                spent += Decimal("0.3")
                process.book(record(number, Decimal("0.01"), Decimal("0.3")))
        assert 10 - Decimal("0.01") < spent < 10 + Decimal("0.3")

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
        raised = Allowance(MONEY.scope, MONEY.period, Decimal(11))
        with pytest.raises(UsedUpError):
            await process.leases.take(money("1.5", raised))
        await process.leases.take(money("1", raised))
        with pytest.raises(UsedUpError):
            await process.leases.take(money("0.5", raised))

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


def test_a_lowered_limit_holds_for_what_was_taken_under_the_old_one_too(database: Database) -> None:
    lowered = Allowance(MONEY.scope, MONEY.period, Decimal("1.5"))

    async def work() -> None:
        process = Process(database, "p")
        await process.leases.take(money("1"))
        assert leased(database) == 5
        with pytest.raises(UsedUpError) as caught:
            await process.leases.take(money("1", lowered))
        assert caught.value.left == Decimal("0.5")
        assert leased(database) == 1
        await process.leases.take(money("0.5", lowered))

    run(work)


def test_a_refused_process_gives_its_rest_back_to_the_others(database: Database) -> None:
    async def work() -> None:
        one, other = Process(database, "p"), Process(database, "q")
        await one.leases.take(money("1"))
        with pytest.raises(UsedUpError):
            await one.leases.take(money("9.5"))
        await other.leases.take(money("9"))

    run(work)


def test_what_is_here_is_used_while_the_storage_is_away_by_whomever_it_is_enough_for(database: Database) -> None:
    async def work() -> None:
        process = Process(database, "p")
        await process.leases.take(money("1"))
        process.away = True
        both = process.leases.take(money("6")), process.leases.take(money("4"))
        large, small = await asyncio.gather(*both, return_exceptions=True)
        assert isinstance(large, GatewayError)
        assert isinstance(small, Hold)

    run(work)


def test_a_lease_that_nobody_waits_for_any_more_does_not_stop_those_who_wait_for_another(database: Database) -> None:
    async def work() -> None:
        process = Process(database, "p")
        goes = asyncio.ensure_future(process.leases.take(money("1")))
        stays = asyncio.ensure_future(process.leases.take(money("1", Allowance("key:b", "ever", Decimal(10)))))
        await asyncio.sleep(0)
        goes.cancel()
        process.now += IDLE_S
        await asyncio.sleep(0)
        await process.leases.give_back_idle()
        await stays

    run(work)


def test_a_rest_that_is_on_its_way_back_when_its_process_ends_goes_back_once(database: Database) -> None:
    async def work() -> None:
        process = Process(database, "p")
        hold = await process.leases.take(money("1"))
        (await process.leases.take(money("2"))).give_back()
        process.slow = asyncio.Event()
        process.now += IDLE_S
        going = asyncio.ensure_future(process.leases.give_back_idle())
        await asyncio.sleep(0)
        going.cancel()
        with suppress(asyncio.CancelledError):
            await going
        process.slow.set()
        await process.gave_back.wait()
        await process.leases.close()
        assert leased(database) == 1
        hold.give_back()

    run(work)
