"""Limits of one request: in whose name it sets aside how much, of which period, and how it is refused."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from setpoint.canonical.usage import Usage
from setpoint.coordination.leases import IDLE_S
from setpoint.errors import GatewayError
from setpoint.gateway.limits import Limited, LimitReachedError, Limits, Reserved, Terms
from setpoint.gateway.reservation import quote
from setpoint.records import INTERVALS, Budget, Reservation, Workspace
from setpoint.wire.body import split
from support.leases import Process, leased
from support.limits import UNLIMITED
from support.records import attempt, endpoint, generation, key

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from setpoint.records import Endpoint, Key
    from setpoint.storage.database import Database

NOW = datetime(2026, 11, 30, 23, 59, 58, tzinfo=UTC)
ENDPOINT = endpoint(dollars=1_000_000)
"""Where a token costs a dollar, so that a request of `asking` costs as much as its size says."""


@pytest.fixture
def process(database: Database) -> Process:
    """The only process there is."""
    return Process(database, "p")


def asking(tokens: int) -> bytes:
    """A body that may cost so many tokens of input and output together."""
    least = b'{"max_tokens":1,"user":""}'
    return least.replace(b'""', b'"' + b"x" * (tokens - 1 - len(least)) + b'"')


def workspace(**budgets: int) -> Workspace:
    """With these budgets, by their intervals; as anywhere, the broadest is first."""
    at: dict[str, Any] = {"created_at": NOW, "updated_at": NOW}
    made = (
        Budget(id=name, workspace_id="w1", interval=name, limit=Decimal(budgets[name]), **at)
        for name in INTERVALS
        if name in budgets
    )
    more: dict[str, Any] = {"slug": "w", "name": "W", "is_default": False, "owner_id": "u1", "revision": 1}
    return Workspace(id="w1", budgets=tuple(made), **at, **more)


def limited(process: Process, of: Key, home: Workspace | None = None, **terms: Any) -> Limited:
    found = Limits(process.leases, Terms(**terms)).of(of, home)
    assert found is not None
    return found


async def set_aside(
    one: Limited, tokens: int, now: datetime = NOW, at: Endpoint = ENDPOINT, data: bytes | None = None
) -> Reserved:
    body = asking(tokens) if data is None else data
    return await one.set_aside(quote(split(body), body, at, "chat"), now)


async def refused(one: Limited, tokens: int, now: datetime = NOW) -> LimitReachedError:
    with pytest.raises(LimitReachedError) as caught:
        await set_aside(one, tokens, now)
    return caught.value


def never() -> int:
    raise AssertionError("it was counted, or cost nothing")


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await work()

    asyncio.run(bounded())


# --- who is limited ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "of_money", "of_tokens"),
    [
        ({"limit": Decimal(1)}, True, False),
        ({"limit": Decimal(0)}, True, False),
        ({"requests_per_minute": 1}, False, False),
        ({"tokens_per_minute": 1}, False, True),
    ],
)
def test_a_limit_of_any_kind_is_one(process: Process, of: dict[str, Any], *, of_money: bool, of_tokens: bool) -> None:
    one = limited(process, key(**of), default_output_tokens=77)
    assert (one.of_money, one.needs_price) == (of_money, of_money)
    assert one.default_output_tokens == (77 if of_money or of_tokens else None)
    assert not limited(process, key(**of), allow_unpriced=True).needs_price


def test_a_budget_limits_every_key_of_its_workspace(process: Process) -> None:
    assert limited(process, key(), workspace(daily=1)).of_money


def test_whoever_has_no_limit_does_not_meet_any() -> None:
    assert UNLIMITED.of(key(), None) is None
    assert UNLIMITED.of(key(), workspace()) is None


# --- money ---------------------------------------------------------------------------------------------------


def test_what_a_try_may_cost_is_taken_out_of_the_keys_limit_and_of_every_budget(
    process: Process, database: Database
) -> None:
    async def work() -> None:
        one = limited(process, key(limit=Decimal(90), limit_reset="monthly"), workspace(lifetime=400, daily=200))
        reserved = await set_aside(one, 50)
        names = ("key:" + "d" * 64 + "|2026-11", "workspace:w1|ever", "workspace:w1|2026-11-30")
        assert reserved.record == Reservation(amount=Decimal(50), out_of=names)
        await process.leases.close()
        assert leased(database) == 3 * 50

    run(work)


def test_a_used_up_limit_of_a_key_is_402_and_says_what_is_left(process: Process) -> None:
    async def work() -> None:
        one = limited(process, key(limit=Decimal(100), limit_reset="daily"))
        await set_aside(one, 60)
        error = await refused(one, 50)
        assert (error.type, error.status) == ("payment_required", 402)
        assert "$40.00 of its daily limit of $100.00." in str(error)
        await set_aside(one, 40)

    run(work)


@pytest.mark.parametrize(
    ("budgets", "said"),
    [
        ({"daily": 100}, "Workspace daily budget of $100.00 exceeded. Contact your org admin."),
        ({"daily": 100, "weekly": 1_000}, "Workspace daily budget of $100.00 exceeded. Contact your org admin."),
        ({"daily": 100, "weekly": 101}, "Workspace weekly budget of $101.00 exceeded. Contact your org admin."),
        (
            {"weekly": 101, "monthly": 102, "lifetime": 105},
            "Workspace lifetime budget of $105.00 exceeded. Contact your org admin.",
        ),
    ],
)
def test_a_used_up_budget_is_403_and_names_the_broadest(process: Process, budgets: dict[str, int], said: str) -> None:
    async def work() -> None:
        one = limited(process, key(), workspace(**budgets))
        await set_aside(one, 90)
        error = await refused(one, 50)
        assert (error.type, error.status, str(error)) == ("permission_denied", 403, said)

    run(work)


def test_the_keys_own_limit_comes_first_and_rates_last(process: Process, database: Database) -> None:
    async def work() -> None:
        all_ = {"limit": Decimal(100), "requests_per_minute": 1, "tokens_per_minute": 100}
        await set_aside(limited(process, key(**all_), workspace(daily=100)), 90)
        types = [
            (await refused(limited(process, key(**all_), workspace(daily=100)), 90)).type,
            (await refused(limited(process, key(**all_ | {"limit": None}), workspace(daily=100)), 90)).type,
            (await refused(limited(process, key(**all_ | {"limit": None})), 90)).type,
        ]
        assert types == ["payment_required", "permission_denied", "rate_limit_exceeded"]
        await process.leases.close()
        assert leased(database) == 2 * 90, "who is refused takes nothing"

    run(work)


def test_what_is_free_needs_nothing_of_a_used_up_limit(process: Process) -> None:
    async def work() -> None:
        reserved = await set_aside(limited(process, key(limit=Decimal(0))), 50, at=endpoint(dollars=0))
        assert reserved.record is None
        reserved.settle(attempt(charged=Decimal(0)), never)

    run(work)


def test_what_has_no_price_goes_on_as_long_as_anything_is_left(process: Process) -> None:
    async def work() -> None:
        one = limited(process, key(limit=Decimal(100)), allow_unpriced=True)
        reserved = await set_aside(one, 50, at=endpoint())
        assert reserved.record is not None
        assert 0 < reserved.record.amount < Decimal("0.001")
        reserved.settle(attempt(charged=Decimal(100)), never)
        assert (await refused(one, 1_000)).type == "payment_required"
        with pytest.raises(LimitReachedError):
            await set_aside(one, 50, at=endpoint())

    run(work)


@pytest.mark.parametrize("data", [b'{"max_tokens":9223372036854775807,"n":1000000}', b'{"max_tokens":1,"n":1e999}'])
def test_a_request_that_may_cost_more_than_there_is_anywhere_is_refused_like_any_other(
    process: Process, data: bytes
) -> None:
    async def work() -> None:
        of = key(limit=Decimal(10**9), tokens_per_minute=10**9)
        with pytest.raises(LimitReachedError) as caught:
            await set_aside(limited(process, of), 0, data=data)
        assert caught.value.type == "payment_required"
        with pytest.raises(LimitReachedError) as caught:
            await set_aside(limited(process, key(tokens_per_minute=10**9)), 0, data=data)
        assert caught.value.type == "rate_limit_exceeded"

    run(work)


def test_what_was_not_used_is_there_for_the_next_and_what_went_beyond_blocks_it(process: Process) -> None:
    async def work() -> None:
        of = key(limit=Decimal(100))
        first = await set_aside(limited(process, of), 90)
        first.settle(attempt(charged=Decimal(20)), never)
        first.settle(attempt(charged=Decimal(80)), never)  # too late
        first.give_back()
        second = await set_aside(limited(process, of), 80)
        second.give_back()
        third = await set_aside(limited(process, of), 70)
        third.settle(attempt(charged=Decimal("79.5")), never)
        await refused(limited(process, of), 30)

    run(work)


def test_a_try_of_which_nobody_knows_the_cost_is_counted_as_none(process: Process) -> None:
    async def work() -> None:
        of = key(limit=Decimal(100))
        (await set_aside(limited(process, of), 100)).settle(attempt(uncounted=True), lambda: 50)
        await set_aside(limited(process, of), 100)

    run(work)


def test_a_storage_that_is_away_is_told_as_such(process: Process) -> None:
    async def work() -> None:
        process.away = True
        with pytest.raises(GatewayError) as caught:
            await set_aside(limited(process, key(limit=Decimal(100))), 50)
        assert caught.value.type == "unavailable"

    run(work)


# --- rates ---------------------------------------------------------------------------------------------------


def test_a_request_counts_once_however_often_it_is_tried(process: Process) -> None:
    async def work() -> None:
        of = key(requests_per_minute=2)
        one = limited(process, of)
        for _ in range(3):
            (await set_aside(one, 50)).settle(attempt(), never)
        await set_aside(limited(process, of), 50)
        error = await refused(limited(process, of), 50)
        assert (error.type, error.status) == ("rate_limit_exceeded", 429)
        assert str(error) == "Rate limit exceeded: 2 requests per minute"
        assert error.retry_after_s == 2
        assert error.headers == {
            "X-RateLimit-Limit": "2",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": str(int(datetime(2026, 12, 1, tzinfo=UTC).timestamp() * 1_000)),
        }
        await set_aside(limited(process, of), 50, NOW + timedelta(seconds=2))

    run(work)


def test_tokens_count_as_set_aside_and_are_put_right_by_what_was_used(process: Process) -> None:
    async def work() -> None:
        of = key(tokens_per_minute=100)
        reserved = await set_aside(limited(process, of), 90)
        assert reserved.record is None, "it is no money"
        error = await refused(limited(process, of), 50)
        assert error.headers["X-RateLimit-Remaining"] == "10"
        reserved.settle(attempt(usage=Usage(input_tokens=10, output_tokens=5)), never)
        assert (await refused(limited(process, of), 86)).headers["X-RateLimit-Remaining"] == "85"
        (await set_aside(limited(process, of), 85)).settle(
            attempt(usage=Usage(input_tokens=100, output_tokens=5)), never
        )
        error = await refused(limited(process, of), 30)
        assert (error.headers["X-RateLimit-Remaining"], error.retry_after_s) == ("0", 2)

    run(work)


def test_tokens_of_a_try_that_nobody_has_counted_are_those_of_its_input_by_our_own_count(process: Process) -> None:
    async def work() -> None:
        of = key(tokens_per_minute=100)
        (await set_aside(limited(process, of), 90)).settle(attempt(uncounted=True), lambda: 60)
        assert (await refused(limited(process, of), 50)).headers["X-RateLimit-Remaining"] == "40"
        (await set_aside(limited(process, of), 40)).settle(attempt(status=500, error="provider_unavailable"), never)
        await set_aside(limited(process, of), 40)

    run(work)


def test_a_request_that_is_tried_again_since_nothing_was_sent_counts_all_the_same(process: Process) -> None:
    async def work() -> None:
        of = key(requests_per_minute=1, tokens_per_minute=100)
        one = limited(process, of)
        (await set_aside(one, 90)).give_back()
        (await set_aside(one, 90)).settle(attempt(usage=Usage(input_tokens=10, output_tokens=5)), never)
        error = await refused(limited(process, of), 50)
        assert error.headers["X-RateLimit-Limit"] == "1", "its tokens were given back, and the request was not"

    run(work)


def test_what_a_try_is_charged_whose_process_is_killed_is_about_its_input(process: Process) -> None:
    async def work() -> None:
        of = key(limit=Decimal(10**6))
        reserved = await set_aside(limited(process, of), 4_000)
        assert reserved.unseen == 1_000
        unpriced = await set_aside(limited(process, of, allow_unpriced=True), 4_000, at=endpoint())
        assert unpriced.unseen is None

    run(work)


def test_a_request_without_an_output_limit_counts_with_the_usual_one(process: Process) -> None:
    async def work() -> None:
        one = limited(process, key(tokens_per_minute=100), default_output_tokens=101)
        with pytest.raises(LimitReachedError):
            await set_aside(one, 0, data=b"{}")
        await set_aside(limited(process, key(tokens_per_minute=100), default_output_tokens=98), 0, data=b"{}")

    run(work)


# --- clocks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reset", "last", "first"),
    [
        ("daily", "2026-11-21T23:59:59", "2026-11-22T00:00"),
        ("weekly", "2026-11-22T23:59:59", "2026-11-23T00:00"),
        ("weekly", "2027-01-03T23:59:59", "2027-01-04T00:00"),  # the 53rd week of 2026 is over
        ("monthly", "2026-11-30T23:59:59", "2026-12-01T00:00"),
        ("monthly", "2026-12-31T23:59:59", "2027-01-01T00:00"),
        ("monthly", "2028-02-29T23:59:59", "2028-03-01T00:00"),
        ("daily", "2028-02-28T23:59:59", "2028-02-29T00:00"),
        ("daily", "2028-02-29T23:59:59", "2028-03-01T00:00"),
        ("daily", "2026-03-29T23:59:59", "2026-03-30T00:00"),  # a day of 23 hours in Europe
    ],
)
def test_a_limit_is_whole_again_with_the_first_moment_of_its_next_period_and_not_before(
    process: Process, reset: str, last: str, first: str
) -> None:
    async def work() -> None:
        of = key(limit=Decimal(100), limit_reset=reset)
        for moment in (last, first):
            now = datetime.fromisoformat(f"{moment}+00:00")
            await set_aside(limited(process, of), 100, now)
            await refused(limited(process, of), 50, now)

    run(work)


def test_a_limit_without_a_reset_is_never_whole_again(process: Process) -> None:
    async def work() -> None:
        of = key(limit=Decimal(100))
        await set_aside(limited(process, of), 100)
        for days in (1, 31, 366, 9_999):
            await refused(limited(process, of), 50, NOW + timedelta(days=days))

    run(work)


def test_a_clock_that_steps_back_finds_the_period_as_it_left_it(process: Process, database: Database) -> None:
    async def work() -> None:
        of = key(limit=Decimal(100), limit_reset="daily")
        before, after = datetime(2026, 11, 30, 23, 30, tzinfo=UTC), datetime(2026, 12, 1, 0, 30, tzinfo=UTC)
        first = await set_aside(limited(process, of), 90, before)
        await set_aside(limited(process, of), 60, after)
        await refused(limited(process, of), 50, before)
        first.give_back()
        await set_aside(limited(process, of), 100, before)
        await refused(limited(process, of), 50, after)
        await set_aside(limited(process, of), 40, after)
        await process.leases.close()
        assert leased(database) == 100 + 100

    run(work)


def test_a_clock_that_steps_forward_a_day_opens_the_next_period_and_no_other(process: Process) -> None:
    async def work() -> None:
        of = key(limit=Decimal(100), limit_reset="monthly")
        month = datetime(2026, 11, 10, tzinfo=UTC)
        await set_aside(limited(process, of), 90, month)
        await refused(limited(process, of), 50, month + timedelta(days=1))

    run(work)


def test_a_request_over_midnight_is_of_the_day_on_which_it_was_set_aside(process: Process, database: Database) -> None:
    async def work() -> None:
        of = key(limit=Decimal(100), limit_reset="daily")
        reserved = await set_aside(limited(process, of), 80)
        tried = attempt(reserved=reserved.record, at=reserved.at, cost=Decimal(70), charged=Decimal(70))
        reserved.settle(tried, never)
        ended = generation(id="gen-1", created_at=NOW - timedelta(hours=2), attempts=(tried,))
        process.book(ended)
        process.now += IDLE_S
        await process.leases.give_back_idle()
        assert leased(database) == 0
        with database.read() as connection:
            rows = connection.exec_driver_sql("SELECT period, charged FROM spend WHERE scope LIKE 'key:%'").all()
        assert {row.period for row in rows} == {"2026-11-30", "2026-W49", "2026-11", "ever"}
        await set_aside(limited(process, of), 30)
        await set_aside(limited(process, of), 100, NOW + timedelta(seconds=2))

    run(work)
