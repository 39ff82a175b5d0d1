"""Leases: what processes have taken of what keys and workspaces may spend. Functions of a connection.

An allowance is used up when what is spent and what is leased come to its limit. What is booked of a lease moves from
there to what is spent, in the transaction that books it; where that is more than was set aside, the rest of the lease
is less by that. So a lease is, whatever comes first, what its process may use still, and what requests there hold or
have used that are not booked; and below nothing, for moments, where that was too much. Rates are simpler: what is taken
of a minute is gone with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_DOWN, Decimal, localcontext
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, select

from setpoint.coordination.allowances import LEAST, RATES, rounded
from setpoint.coordination.leases import Ask, Grant
from setpoint.records import EXACT
from setpoint.storage.rows import Rows, replacing
from setpoint.storage.tables import leases, rates, spend

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from setpoint.coordination.leases import Name
    from setpoint.records import Generation

_NOTHING = Decimal(0)
_KEPT_MINUTES = 10
_LEASES = Rows(leases, replacing(leases))
_RATES = Rows(rates, replacing(rates))


def take(connection: Connection, holder: str, asks: Iterable[Ask], workers: int) -> list[Grant]:
    """What this holder gets of each allowance for its rest: a part of what is left, what it needs at least, or nothing.

    The part is half of an equal one for each of the `workers`, so that the others find something too.
    """
    with localcontext(EXACT):
        return [_take(connection, holder, ask, workers) for ask in asks]


def give_back(connection: Connection, holder: str, rests: Iterable[tuple[Name, Decimal]]) -> None:
    """Take back what this holder does not need.

    A rest below nothing was used beyond what was set aside.
    """
    with localcontext(EXACT):
        for (scope, period), rest in rests:
            if scope.startswith(RATES):
                _add_rate(connection, scope, int(period), -int(rest))
            else:
                _add_lease(connection, holder, scope, period, -rest)


def book(connection: Connection, holder: str, records: Iterable[Generation]) -> None:
    """These records of the holder's are booked just now: what they have used of its leases is spent.

    What of it was not used stays with the holder.
    """
    spent: dict[Name, Decimal] = {}
    with localcontext(EXACT):
        for record in records:
            for attempt in record.attempts:
                if attempt.reserved is None:
                    continue
                used = rounded(attempt.charged or _NOTHING)
                for name in attempt.reserved.out_of:
                    scope, _, period = name.partition("|")
                    spent[scope, period] = spent.get((scope, period), _NOTHING) + used
        for (scope, period), amount in spent.items():
            _add_lease(connection, holder, scope, period, -amount)


def release(connection: Connection, holder: str) -> None:
    """This holder is no more, and all of its records are booked."""
    connection.execute(delete(leases).where(leases.c.holder == holder))


def holders(connection: Connection) -> Sequence[str]:
    """All that hold something."""
    return connection.scalars(select(leases.c.holder).distinct()).all()


def _take(connection: Connection, holder: str, ask: Ask, workers: int) -> Grant:
    if ask.allowance.scope.startswith(RATES):
        return _take_rate(connection, ask, workers)
    scope, period = ask.allowance.scope, ask.allowance.period
    there = select(leases.c.holder, leases.c.amount).where(leases.c.scope == scope, leases.c.period == period)
    held: dict[str, Decimal] = {row.holder: row.amount for row in connection.execute(there)}
    held[holder] = max(held.get(holder, _NOTHING) - ask.rest, _NOTHING)  # its requests' own
    row = select(spend.c.charged).where(spend.c.scope == scope, spend.c.period == period)
    leased = sum(max(amount, _NOTHING) for amount in held.values())
    left = ask.allowance.limit - (connection.scalar(row) or _NOTHING) - leased
    amount = _part(left, ask.least, (left / (2 * workers)).quantize(LEAST, ROUND_DOWN))
    _set_lease(connection, holder, scope, period, held[holder] + amount)
    return Grant(amount, left - amount)


def _take_rate(connection: Connection, ask: Ask, workers: int) -> Grant:
    scope, minute = ask.allowance.scope, int(ask.allowance.period)
    row = select(rates.c.taken).where(rates.c.scope == scope, rates.c.minute == minute)
    left = ask.allowance.limit - (connection.scalar(row) or 0) + ask.rest
    amount = _part(left, ask.least, Decimal(int(left / (2 * workers))))
    _add_rate(connection, scope, minute, int(amount - ask.rest))
    connection.execute(delete(rates).where(rates.c.minute < minute - _KEPT_MINUTES))
    return Grant(amount, left - amount)


def _part(left: Decimal, least: Decimal, part: Decimal) -> Decimal:
    return max(least, part) if least <= left else _NOTHING


def _add_lease(connection: Connection, holder: str, scope: str, period: str, amount: Decimal) -> None:
    held = connection.scalar(select(leases.c.amount).where(_of(holder, scope, period))) or _NOTHING
    _set_lease(connection, holder, scope, period, held + amount)


def _set_lease(connection: Connection, holder: str, scope: str, period: str, amount: Decimal) -> None:
    if amount:
        _LEASES.insert(connection, [(holder, scope, period, amount)])
    else:
        connection.execute(delete(leases).where(_of(holder, scope, period)))


def _of(holder: str, scope: str, period: str) -> ColumnElement[bool]:
    return and_(leases.c.holder == holder, leases.c.scope == scope, leases.c.period == period)


def _add_rate(connection: Connection, scope: str, minute: int, amount: int) -> None:
    if not amount:
        return
    row = select(rates.c.taken).where(rates.c.scope == scope, rates.c.minute == minute)
    _RATES.insert(connection, [(scope, minute, (connection.scalar(row) or 0) + amount)])
