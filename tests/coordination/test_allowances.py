"""Periods of money, and when they are over: by the UTC date of whatever clock is passed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from setpoint.coordination.allowances import EVER, ends, periods


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "day", "week", "month"),
    [
        ("2026-11-22T00:00:00", "2026-11-23", "2026-11-23", "2026-12-01"),  # a Sunday
        ("2026-11-23T00:00:00", "2026-11-24", "2026-11-30", "2026-12-01"),  # a Monday
        ("2024-02-28T23:59:59.999999", "2024-02-29", "2024-03-04", "2024-03-01"),
        ("2024-02-29T12:00:00", "2024-03-01", "2024-03-04", "2024-03-01"),
        ("2025-12-31T23:59:59.999999", "2026-01-01", "2026-01-05", "2026-01-01"),
        ("2026-01-31T10:00:00", "2026-02-01", "2026-02-02", "2026-02-01"),
    ],
)
def test_a_period_is_over_at_a_midnight_and_the_next_begins_with_it(now: str, day: str, week: str, month: str) -> None:
    moment = at(now)
    for interval, end in (("daily", day), ("weekly", week), ("monthly", month)):
        found = ends(interval, moment)
        assert found is not None
        assert found == at(end)
        assert periods(found).of(interval) != periods(moment).of(interval)
        last = found - timedelta(microseconds=1)
        assert periods(last).of(interval) == periods(moment).of(interval)


@pytest.mark.parametrize("interval", [None, "lifetime"])
def test_what_is_never_whole_again_has_one_period(interval: str | None) -> None:
    assert ends(interval, at("2026-11-22T10:00:00")) is None
    assert periods(at("2026-11-22T10:00:00")).of(interval) == EVER
