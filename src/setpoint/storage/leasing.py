"""The way of leases to the database: asked for and given back in the name of this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from setpoint.storage import leases
from setpoint.storage.away import away

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from decimal import Decimal

    from sqlalchemy import Connection

    from setpoint.coordination.leases import Ask, Grant, Name
    from setpoint.storage.spool import Spool
    from setpoint.storage.store import Store

    Asking = Callable[[Sequence[Ask]], Awaitable[Sequence[Grant]]]
    GivingBack = Callable[[Sequence[tuple[Name, Decimal]]], Awaitable[None]]


def leasing(store: Store, spool: Spool, workers: int) -> tuple[Asking, GivingBack]:
    """What asks for leases, and what gives them back. Both raise `GatewayError` (unavailable).

    A process without a spool gets none: nobody would know how to bring home what it took.
    """

    async def ask(asks: Sequence[Ask]) -> Sequence[Grant]:
        holder = spool.holder
        if holder is None:
            raise away()

        def take(connection: Connection) -> Sequence[Grant]:
            return leases.take(connection, holder, asks, workers)

        def undo(connection: Connection, grants: Sequence[Grant]) -> None:
            both = zip(asks, grants, strict=True)
            rests = (((ask.allowance.scope, ask.allowance.period), grant.amount - ask.rest) for ask, grant in both)
            leases.give_back(connection, holder, rests)

        return await store.note(take, undo)

    async def give_back(rests: Sequence[tuple[Name, Decimal]]) -> None:
        holder = spool.holder
        if holder is None:
            raise away()

        def give(connection: Connection) -> None:
            leases.give_back(connection, holder, rests)

        def undo(connection: Connection, _: None) -> None:
            leases.give_back(connection, holder, ((name, -rest) for name, rest in rests))

        await store.note(give, undo)

    return ask, give_back
