"""What days came to, by whatever is asked by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from setpoint.canonical.usage import Usage
from setpoint.storage.activity import Came, came_to
from setpoint.storage.generations import save_many

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.records import Generation
    from setpoint.storage.activity import Grouping
    from setpoint.storage.database import Database

    Make = Callable[..., Generation]

TINY = Decimal("0.0000000000000000000000000000000000000001")
USED = Usage(input_tokens=10, output_tokens=4, cached_tokens=3, reasoning_tokens=2)


def spent(make: Make, day: int, amount: Decimal | None, **more: Any) -> Generation:
    record = make(created_at=datetime(2026, 4, day, 12, tzinfo=UTC), **more)
    attempt = structs.replace(record.attempts[0], cost=amount, usage=USED, error=None)
    return structs.replace(record, attempts=(attempt,))


@pytest.fixture
def days(database: Database, make_generation: Make) -> Database:
    """Two days of two workspaces, with and without a preset."""
    other: dict[str, Any] = {"preset_id": None, "preset_slug": None, "preset_version": None}
    with database.write() as connection:
        save_many(
            connection,
            [
                spent(make_generation, 1, Decimal(1)),
                spent(make_generation, 1, TINY, key_digest="e" * 64, user_id="user-2"),
                spent(make_generation, 1, None, preset_version=8),
                spent(make_generation, 1, Decimal(4), workspace_id="w2", **other),
                spent(make_generation, 2, Decimal(8)),
                spent(make_generation, 2, Decimal(16), preset_id="p2", preset_slug="other", preset_version=1),
            ],
        )
    return database


def asked(
    database: Database, first: str = "2026-04-01", last: str = "2026-04-02", *by: Grouping, **only: str | None
) -> list[Came]:
    with database.read() as connection:
        return came_to(connection, first, last, by, **only)


def test_days_come_newest_first_and_each_endpoint_once(days: Database) -> None:
    newest, oldest = asked(days)
    assert oldest == Came(
        date="2026-04-01",
        model="openai/gpt-4o",
        provider="openai",
        endpoint="openai/eu/gpt-4o",
        requests=4,
        attempts=4,
        unknown_cost_requests=1,
        cost=Decimal("5.0000000000000000000000000000000000000001"),
        input_tokens=40,
        output_tokens=16,
        cached_tokens=12,
        reasoning_tokens=8,
    )
    assert (newest.date, newest.cost, newest.requests) == ("2026-04-02", 24, 2)


def test_only_the_days_that_are_asked_for_are_summed(days: Database) -> None:
    assert [one.cost for one in asked(days, "2026-04-02", "2026-04-30")] == [24]
    assert asked(days, "2026-03-01", "2026-03-31") == []


@pytest.mark.parametrize(
    ("only", "costs"),
    [
        ({"workspace_id": "w2"}, [4]),
        ({"key_digest": "e" * 64}, [TINY]),
        ({"user_id": "user-2"}, [TINY]),
        ({"user_id": "user-1", "workspace_id": "w1"}, [24, 1]),
        ({"key_digest": None, "workspace_id": "nobody"}, []),
    ],
)
def test_what_is_asked_for_is_all_that_is_summed(days: Database, only: dict[str, Any], costs: list[Decimal]) -> None:
    assert [one.cost for one in asked(days, **only)] == costs


def test_days_are_split_by_workspace(days: Database) -> None:
    found = asked(days, "2026-04-01", "2026-04-01", "workspace")
    assert [(one.workspace_id, one.requests, one.unknown_cost_requests) for one in found] == [
        ("w1", 3, 1),
        ("w2", 1, 0),
    ]


def test_days_are_split_by_preset_and_by_version(days: Database) -> None:
    found = asked(days, "2026-04-01", "2026-04-02", "preset")
    assert [(one.date[-1], one.preset_id, one.preset_slug, one.preset_version, one.requests) for one in found] == [
        ("2", "p1", "triage", None, 1),
        ("2", "p2", "other", None, 1),
        ("1", None, None, None, 1),
        ("1", "p1", "triage", None, 3),
    ]
    split = asked(days, "2026-04-01", "2026-04-01", "version", "workspace")
    assert [(one.preset_slug, one.preset_version, one.workspace_id, one.requests) for one in split] == [
        (None, None, "w2", 1),
        ("triage", 7, "w1", 2),
        ("triage", 8, "w1", 1),
    ]


def test_whatever_days_are_split_by_comes_to_the_same(days: Database, now: datetime) -> None:
    first, last = "2026-01-01", (now + timedelta(days=9)).date().isoformat()
    ways: list[tuple[Grouping, ...]] = [(), ("workspace",), ("preset",), ("version",), ("workspace", "version")]
    sums = {tuple(sum(getattr(one, name) for one in asked(days, first, last, *by)) for name in _SUMMED) for by in ways}
    assert len(sums) == 1


_SUMMED = ("requests", "attempts", "unknown_cost_requests", "input_tokens", "output_tokens", "cached_tokens")
