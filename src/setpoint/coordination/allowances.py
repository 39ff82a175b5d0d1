"""What keys and workspaces may use, and of which period: the names under which everybody counts.

Days begin at 00:00 UTC, weeks on Monday, months on the first.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_UP, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from setpoint.records import Budget, Key, Workspace

EVER = "ever"
"""The period that has no end."""

REQUESTS, _TOKENS = "requests:", "tokens:"
RATES = (REQUESTS, _TOKENS)
"""How the scopes of rates begin. Their period is the number of the minute since 1970."""


LEAST = Decimal("1E-12")
"""The smallest amount of money that is told from nothing, in US dollars."""

_MOST = Decimal(10**12)


def rounded(amount: Decimal) -> Decimal:
    """An amount of money as limits count it: never less, but for what nobody has, and of few digits."""
    return min(amount, _MOST).quantize(LEAST, ROUND_UP)


class Allowance(Struct, frozen=True):
    """So much in a period for a scope: US dollars, or a number of requests or tokens."""

    scope: str
    period: str
    limit: Decimal


class Periods(Struct, frozen=True):
    """Names of the day (`2026-11-21`), the week (`2026-W47`) and the month (`2026-11`) of a moment."""

    day: str
    week: str
    month: str

    @property
    def all(self) -> tuple[str, str, str, str]:
        """These, and the one that has no end."""
        return self.day, self.week, self.month, EVER

    def of(self, interval: str | None) -> str:
        """The one that an interval is in now: `daily`, `weekly` or `monthly`; of any other, the one without an end."""
        match interval:
            case "daily":
                return self.day
            case "weekly":
                return self.week
            case "monthly":
                return self.month
            case _:
                return EVER


def periods(at: datetime) -> Periods:
    """The periods of this moment, which is in UTC."""
    return _periods(at.toordinal())


@lru_cache(maxsize=64)  # most moments are of today
def _periods(ordinal: int) -> Periods:
    day = date.fromordinal(ordinal)
    year, week, _ = day.isocalendar()
    return Periods(day.isoformat(), f"{year:04}-W{week:02}", f"{day.year:04}-{day.month:02}")


def ends(interval: str | None, now: datetime) -> datetime | None:
    """When the running period of an interval is over: a midnight in UTC. None for the one without an end."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    match interval:
        case "daily":
            return midnight + timedelta(days=1)
        case "weekly":
            return midnight + timedelta(days=7 - now.weekday())
        case "monthly":
            return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
        case _:
            return None


def minute(at: datetime) -> int:
    """The number of the minute of this moment since 1970."""
    return int(at.timestamp()) // 60


def key_scope(digest: str) -> str:
    """The money of a key."""
    return f"key:{digest}"


def workspace_scope(id_: str) -> str:
    """The money of a workspace."""
    return f"workspace:{id_}"


def of_key(key: Key, now: Periods) -> Allowance | None:
    """What a key may spend, None for as much as it likes."""
    if key.limit is None:
        return None
    return Allowance(key_scope(key.digest), now.of(key.limit_reset), key.limit)


def of_workspace(workspace: Workspace, now: Periods) -> Iterator[tuple[Budget, Allowance]]:
    """What a workspace may spend, by its budgets: the broadest first."""
    for budget in workspace.budgets:
        yield budget, Allowance(workspace_scope(workspace.id), now.of(budget.interval), budget.limit)


def requests_a_minute(key: Key, now: int) -> Allowance | None:
    """The requests that a key may make in this minute, None for any number."""
    most = key.requests_per_minute
    return None if most is None else Allowance(REQUESTS + key.digest, str(now), Decimal(most))


def tokens_a_minute(key: Key, now: int) -> Allowance | None:
    """The tokens that a key may use in this minute, None for any number."""
    most = key.tokens_per_minute
    return None if most is None else Allowance(_TOKENS + key.digest, str(now), Decimal(most))
