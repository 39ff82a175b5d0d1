"""What a key has spent: sums of known costs over the running day, week and month, and over all time; and when."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct
from sqlalchemy import Float, Text, case, cast, func, select

from setpoint.storage.tables import generations

if TYPE_CHECKING:
    from sqlalchemy import Connection

_PLACES = 12


class Spend(Struct, frozen=True, kw_only=True):
    """US dollars, for people to look at: rounded sums. The exact amounts are in the generations.

    `last_used_at` is when the last generation began, None when there is none.
    """

    total: float = 0
    daily: float = 0
    weekly: float = 0
    monthly: float = 0
    last_used_at: datetime | None = None


def spend(connection: Connection, digest: str, now: datetime) -> Spend:
    """What this key's generations cost, as far as that is known.

    Days begin at 00:00 UTC, weeks on Monday, months on the first.
    """
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    amount = cast(cast(func.coalesce(generations.c.cost_total, generations.c.provider_cost), Text), Float)
    since = (day, day - timedelta(days=day.weekday()), day.replace(day=1))
    periods = [func.sum(case((generations.c.created_at >= start, amount), else_=0.0)) for start in since]
    last = func.max(generations.c.created_at)
    query = select(last, func.sum(amount), *periods).where(generations.c.key_digest == digest)
    last_used_at, *sums = connection.execute(query).one()
    total, daily, weekly, monthly = (round(float(value or 0), _PLACES) for value in sums)
    return Spend(total=total, daily=daily, weekly=weekly, monthly=monthly, last_used_at=last_used_at)
