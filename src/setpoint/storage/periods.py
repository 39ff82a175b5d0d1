"""The periods that a moment belongs to. Days begin at 00:00 UTC, weeks on Monday, months on the first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from datetime import datetime

EVER = "ever"
"""The period that has no end."""


class Periods(Struct, frozen=True):
    """Names of the day (`2026-11-21`), the week (`2026-W47`) and the month (`2026-11`) of a moment."""

    day: str
    week: str
    month: str

    @property
    def all(self) -> tuple[str, str, str, str]:
        """These, and the one that has no end."""
        return self.day, self.week, self.month, EVER


def periods(at: datetime) -> Periods:
    """The periods of this moment, which is in UTC."""
    year, week, _ = at.isocalendar()
    return Periods(f"{at:%Y-%m-%d}", f"{year:04}-W{week:02}", f"{at:%Y-%m}")
