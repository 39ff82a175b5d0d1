"""What a key has spent: sums of known costs over the running day, week and month, and over all time; and when."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct
from sqlalchemy import select

from setpoint.coordination.allowances import EVER, key_scope, periods
from setpoint.storage.tables import spend as sums

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NOTHING = Decimal(0)


class Spend(Struct, frozen=True, kw_only=True):
    """US dollars, exactly, of all tries of which the cost is known.

    `last_used_at` is when the last request that was booked came, None when there is none.
    """

    total: Decimal = _NOTHING
    daily: Decimal = _NOTHING
    weekly: Decimal = _NOTHING
    monthly: Decimal = _NOTHING
    last_used_at: datetime | None = None


def spend(connection: Connection, digest: str, now: datetime) -> Spend:
    """What this key has spent. Days begin at 00:00 UTC, weeks on Monday, months on the first."""
    running = periods(now)
    query = select(sums).where(sums.c.scope == key_scope(digest), sums.c.period.in_(running.all))
    found = {row.period: row for row in connection.execute(query)}
    daily, weekly, monthly, total = (found[period].cost if period in found else _NOTHING for period in running.all)
    last_used_at = found[EVER].last_at if EVER in found else None
    return Spend(total=total, daily=daily, weekly=weekly, monthly=monthly, last_used_at=last_used_at)
