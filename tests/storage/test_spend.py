"""What a key has spent, and when the periods begin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from setpoint.coordination.allowances import EVER, Allowance, key_scope, periods
from setpoint.storage.generations import save_many
from setpoint.storage.spend import Spend, charged, spend, spends

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.records import Generation
    from setpoint.storage.database import Database

DIGEST = "d" * 64


def one_try(make_generation: Callable[..., Generation], cost: str | None, **given: object) -> Generation:
    """A generation with one try, which cost so much."""
    record = make_generation(**given)
    known = None if cost is None else Decimal(cost)
    return structs.replace(record, attempts=(structs.replace(record.attempts[1], cost=known),))


def spent(database: Database, *records: Generation, now: datetime) -> Spend:
    with database.write() as connection:
        save_many(connection, records)
    with database.read() as connection:
        return spend(connection, DIGEST, now)


def test_a_key_that_was_never_used_has_spent_nothing(database: Database, now: datetime) -> None:
    assert spent(database, now=now) == Spend()


def test_costs_are_summed_and_the_last_use_is_known(
    database: Database, now: datetime, make_generation: Callable[..., Generation]
) -> None:
    records = [one_try(make_generation, cost, created_at=now) for cost in ("0.1", "0.2", "1E-7", "0")]
    latest = one_try(make_generation, "1", created_at=now + timedelta(seconds=5))
    found = spent(database, latest, *records, now=now + timedelta(minutes=1))
    assert found.total == found.daily == Decimal("1.3000001")
    assert found.last_used_at == latest.created_at


def test_every_try_counts_and_what_is_unknown_adds_nothing(
    database: Database, now: datetime, make_generation: Callable[..., Generation]
) -> None:
    both = make_generation(created_at=now)
    assert [attempt.cost for attempt in both.attempts] == [Decimal("0.0000012")] * 2
    found = spent(
        database,
        both,
        one_try(make_generation, None, created_at=now),
        one_try(make_generation, "10", created_at=now, key_digest="e" * 64),
        now=now,
    )
    assert found.total == Decimal("0.0000024")


def test_a_record_that_comes_again_is_counted_once(
    database: Database, now: datetime, make_generation: Callable[..., Generation]
) -> None:
    record = one_try(make_generation, "0.5", created_at=now)
    assert spent(database, record, record, now=now).total == Decimal("0.5")
    assert spent(database, record, now=now).total == Decimal("0.5")


@pytest.mark.parametrize(
    ("at", "periods"),
    [
        # It is Wednesday, 15 April 2026, ten in the morning.
        ("2026-04-15T10:00:00", (1, 1, 1)),
        ("2026-04-15T00:00:00", (1, 1, 1)),
        ("2026-04-14T23:59:59.999999", (0, 1, 1)),
        ("2026-04-13T00:00:00", (0, 1, 1)),
        ("2026-04-12T23:59:59.999999", (0, 0, 1)),
        ("2026-04-01T00:00:00", (0, 0, 1)),
        ("2026-03-31T23:59:59.999999", (0, 0, 0)),
        ("2025-04-15T10:00:00", (0, 0, 0)),
    ],
)
def test_days_begin_at_midnight_weeks_on_monday_months_on_the_first(
    at: str, periods: tuple[int, int, int], database: Database, make_generation: Callable[..., Generation]
) -> None:
    record = one_try(make_generation, "1", created_at=datetime.fromisoformat(f"{at}+00:00"))
    found = spent(database, record, now=datetime(2026, 4, 15, 10, tzinfo=UTC))
    assert (found.daily, found.weekly, found.monthly) == periods
    assert found.total == 1


@pytest.mark.parametrize(
    ("moment", "week"),
    [
        ("2026-03-01T00:00:00", "2026-02-23"),  # a Sunday, and the first of a month
        ("2024-02-29T12:00:00", "2024-02-26"),
        ("2026-01-01T00:00:00", "2025-12-29"),
        ("2026-04-20T00:00:00", "2026-04-20"),  # a Monday
    ],
)
def test_a_week_may_begin_in_the_month_or_year_before(
    moment: str, week: str, database: Database, make_generation: Callable[..., Generation]
) -> None:
    monday = datetime.fromisoformat(f"{week}T00:00:00+00:00")
    first = one_try(make_generation, "1", created_at=monday)
    before = one_try(make_generation, "10", created_at=monday - timedelta(microseconds=1))
    assert spent(database, first, before, now=datetime.fromisoformat(f"{moment}+00:00")).weekly == 1


def test_keys_are_looked_up_together(
    database: Database, now: datetime, make_generation: Callable[..., Generation]
) -> None:
    with database.write() as connection:
        save_many(
            connection,
            [
                one_try(make_generation, "1", created_at=now),
                one_try(make_generation, "2", created_at=now, key_digest="e" * 64),
            ],
        )
    with database.read() as connection:
        found = spends(connection, [DIGEST, "e" * 64, "f" * 64], now)
        assert spends(connection, [], now) == {}
    assert {digest: one.total for digest, one in found.items()} == {DIGEST: 1, "e" * 64: 2, "f" * 64: 0}


def test_a_limit_counts_in_its_own_period(
    database: Database, now: datetime, make_generation: Callable[..., Generation]
) -> None:
    spent(database, one_try(make_generation, "0.25", created_at=now), now=now)
    today, other = periods(now), periods(now - timedelta(days=1))
    scope = key_scope(DIGEST)
    asked = [
        Allowance(scope, today.day, Decimal(1)),
        Allowance(scope, EVER, Decimal(2)),
        Allowance(scope, other.day, Decimal(1)),
    ]
    with database.read() as connection:
        assert charged(connection, asked) == dict(zip(asked, (Decimal("0.25"), Decimal("0.25"), 0), strict=True))
        assert charged(connection, []) == {}


def test_many_small_costs_add_up(database: Database, now: datetime, make_generation: Callable[..., Generation]) -> None:
    records = [one_try(make_generation, "0.0000001", created_at=now) for _ in range(1000)]
    assert spent(database, *records, now=now).total == Decimal("0.0001")
