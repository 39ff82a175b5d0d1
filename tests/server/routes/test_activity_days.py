"""Which days an activity is of, by the clock: 30 that are over, or one of them, or today."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from setpoint.errors import FieldError
from setpoint.server.routes.activity import days_asked


@pytest.mark.parametrize(
    ("today", "first", "last"),
    [
        ("2026-11-22", "2026-10-23", "2026-11-21"),
        ("2026-03-01", "2026-01-30", "2026-02-28"),
        ("2028-03-01", "2028-01-31", "2028-02-29"),  # behind a leap day
        ("2027-01-01", "2026-12-02", "2026-12-31"),
    ],
)
def test_the_last_thirty_days_that_are_over_are_shown(today: str, first: str, last: str) -> None:
    found = days_asked(None, date.fromisoformat(today))
    assert found == (date.fromisoformat(first), date.fromisoformat(last))
    assert (found[1] - found[0]).days == 29


@pytest.mark.parametrize("back", [0, 1, 30])
def test_one_of_these_days_may_be_asked_for_and_today(back: int) -> None:
    today = date(2028, 3, 1)
    day = today - timedelta(days=back)
    assert days_asked(day.isoformat(), today) == (day, day)


@pytest.mark.parametrize("said", ["2028-01-30", "2028-03-02", "2028-02-30", "20280301", "2028-W09-3", "", "today"])
def test_any_other_day_is_refused(said: str) -> None:
    with pytest.raises(FieldError, match="date: must be"):
        days_asked(said, date(2028, 3, 1))
