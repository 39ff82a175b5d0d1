"""What keys have spent: sums of known costs over the running day, week and month, and over all time; and when.

What limits count is another sum: it has estimates in it where the cost is not known.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from sqlalchemy import select, tuple_

from setpoint.coordination.allowances import EVER, key_scope, periods
from setpoint.storage.tables import spend as sums

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from setpoint.coordination.allowances import Allowance

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


def total(connection: Connection, scope: str) -> Decimal:
    """US dollars that an allowance has ever spent, of all tries of which the cost is known."""
    query = select(sums.c.cost).where(sums.c.scope == scope, sums.c.period == EVER)
    return connection.scalar(query) or _NOTHING


def spend(connection: Connection, digest: str, now: datetime) -> Spend:
    """What this key has spent. Days begin at 00:00 UTC, weeks on Monday, months on the first."""
    return spends(connection, (digest,), now)[digest]


def spends(connection: Connection, digests: Iterable[str], now: datetime) -> dict[str, Spend]:
    """What each of these keys has spent."""
    running = periods(now)
    scopes = {key_scope(digest): digest for digest in digests}
    query = select(sums).where(sums.c.scope.in_(scopes), sums.c.period.in_(running.all))
    found = {(row.scope, row.period): row for row in connection.execute(query)}

    def one(scope: str) -> Spend:
        rows: list[Any] = [found.get((scope, period)) for period in running.all]
        daily, weekly, monthly, total = (row.cost if row is not None else _NOTHING for row in rows)
        ever = found.get((scope, EVER))
        last_used_at = ever.last_at if ever is not None else None
        return Spend(total=total, daily=daily, weekly=weekly, monthly=monthly, last_used_at=last_used_at)

    return {digest: one(scope) for scope, digest in scopes.items()}


def charged(connection: Connection, allowances: Iterable[Allowance]) -> dict[Allowance, Decimal]:
    """What limits have counted of each of these allowances, in US dollars."""
    wanted = list(allowances)
    names = tuple_(sums.c.scope, sums.c.period).in_([(one.scope, one.period) for one in wanted])
    query = select(sums.c.scope, sums.c.period, sums.c.charged).where(names)
    found = {(row.scope, row.period): row.charged for row in connection.execute(query)} if wanted else {}
    return {one: found.get((one.scope, one.period), _NOTHING) for one in wanted}
