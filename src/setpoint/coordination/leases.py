"""What this process may use of allowances that it shares with others: taken ahead of need, given back unused.

An allowance is so much, of money or of a rate, for a scope and a period: a key's dollars in a month, a key's requests
in a minute. The storage keeps the count of what is spent and of what processes have taken. A process that has taken a
part, its lease, lets requests use it without asking. Only where that does not do is the storage asked, once for all
that wait, and only the storage says that there is nothing left. So an allowance holds over any number of processes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.coordination.allowances import Allowance
from setpoint.errors import GatewayError

if TYPE_CHECKING:
    from asyncio import Future, Task

IDLE_S = 5.0
"""How long a rest is kept that nobody uses, in seconds."""

LOOK_S = 1.0
"""How often it is looked for that, in seconds."""


class Need(Struct, frozen=True):
    """What a request wants of an allowance."""

    allowance: Allowance
    amount: Decimal


class Ask(Struct, frozen=True):
    """What the storage is asked for: as much of an allowance as is good, and no less than `least`.

    The asker gives back its `rest` with that. One below nothing is what was used beyond what was set aside.
    """

    allowance: Allowance
    rest: Decimal
    least: Decimal


class Grant(Struct, frozen=True):
    """What the storage gave in place of a rest: nothing when less than was asked for is there; and what is left."""

    amount: Decimal
    left: Decimal


class UsedUpError(Exception):
    """There is less left of this allowance than a request needs."""

    def __init__(self, allowance: Allowance, left: Decimal) -> None:
        super().__init__(f"{allowance.scope} in {allowance.period}")
        self.allowance = allowance
        self.left = left


Name = tuple[str, str]
"""An allowance's scope and period: its limit may change, it stays the same."""


@dataclass(eq=False, slots=True)
class _Lease:
    """What is here of one allowance, by its limit when that was asked for.

    `rest` may be used: below nothing, so much was used beyond what was set aside. `held` are the requests that use
    some, `awaited` those that wait for more.
    """

    rest: Decimal = Decimal(0)
    limit: Decimal | None = None
    held: int = 0
    awaited: int = 0
    used_at: float = 0.0

    def has(self, need: Need) -> bool:
        """Whether this will do. Under another limit than is known here it may be too much."""
        return self.rest >= need.amount and self.limit == need.allowance.limit


@dataclass(eq=False)
class _Waiter:
    needs: Sequence[Need]
    done: Future[Hold] = field(repr=False)


class Leases:
    """The leases of one process. `ask` and `give_back` reach the storage; `clock` gives monotonic seconds.

    What is given back may be less than nothing: so much was used beyond what was set aside.
    """

    def __init__(
        self,
        ask: Callable[[Sequence[Ask]], Awaitable[Sequence[Grant]]],
        give_back: Callable[[Sequence[tuple[Name, Decimal]]], Awaitable[None]],
        clock: Callable[[], float],
        *,
        look_s: float = LOOK_S,
    ) -> None:
        self._ask = ask
        self._give_back = give_back
        self._clock = clock
        self._look_s = look_s
        self._leases: dict[Name, _Lease] = {}
        self._waiting: list[_Waiter] = []
        self._asking: Task[None] | None = None
        self._overdrawn = asyncio.Event()

    async def take(self, needs: Sequence[Need]) -> Hold:
        """Set all of this aside, or nothing of it.

        Raises: `UsedUpError` when the storage says so, and whatever it raises when it cannot be asked.
        """
        leases = self._here(needs)
        if leases is not None:
            return self._set_aside(needs, leases)
        waiter = _Waiter(needs, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        for need in needs:
            self._lease(need).awaited += 1
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask_for_all())
        try:
            return await waiter.done
        except asyncio.CancelledError:
            if waiter.done.done() and not waiter.done.cancelled() and waiter.done.exception() is None:
                waiter.done.result().give_back()
            raise
        finally:
            for need in needs:
                self._lease(need).awaited -= 1

    async def run(self) -> None:
        """Give back what nobody uses, and say at once what was used beyond what was set aside; until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_s):
                    await self._overdrawn.wait()
            self._overdrawn.clear()
            with suppress(GatewayError):  # the storage is away: the next look tries again
                await self.give_back_idle()

    async def give_back_idle(self) -> None:
        """Give back what nobody has used for a while, and what is less than nothing."""
        now = self._clock()
        await self._return([name for name, one in self._leases.items() if one.rest < 0 or now - one.used_at >= IDLE_S])

    async def close(self) -> None:
        """Give everything back that no request holds."""
        await self._return(list(self._leases))

    # --- what holds say ------------------------------------------------------------------------------------------

    def settle(self, lease: _Lease, reserved: Decimal, used: Decimal) -> None:
        """A request is done with what was set aside for it, and has used so much."""
        lease.held -= 1
        lease.used_at = self._clock()
        lease.rest += reserved - used
        if lease.rest < 0:
            self._overdrawn.set()

    # --- inside --------------------------------------------------------------------------------------------------

    def _lease(self, need: Need) -> _Lease:
        return self._leases.setdefault(_name(need.allowance), _Lease())

    def _here(self, needs: Iterable[Need]) -> list[_Lease] | None:
        """The leases of all of this where it can be had at once, and nobody has waited for any of it; else None."""
        found: list[_Lease] = []
        for need in needs:
            lease = self._leases.get((need.allowance.scope, need.allowance.period))
            if lease is None or lease.awaited or not lease.has(need):
                return None
            found.append(lease)
        return found

    def _set_aside(self, needs: Sequence[Need], leases: Sequence[_Lease]) -> Hold:
        now = self._clock()
        for need, lease in zip(needs, leases, strict=True):
            lease.rest -= need.amount
            lease.held += 1
            lease.used_at = now
        return Hold(self, needs, leases)

    async def _ask_for_all(self) -> None:
        """Ask until nobody waits. Each round the first that lacks something of an allowance gets it, or hears no."""
        while self._waiting:
            asks = self._asks()
            try:
                grants = await self._ask(list(asks.values())) if asks else ()
            except Exception as error:
                for name, ask in asks.items():
                    self._leases.setdefault(name, _Lease()).rest += ask.rest
                self._refuse(error)
                continue
            left: dict[Name, Decimal] = {}
            for (name, ask), grant in zip(asks.items(), grants, strict=True):
                lease = self._leases.setdefault(name, _Lease())
                lease.rest += grant.amount
                lease.limit = ask.allowance.limit
                left[name] = grant.left
            self._serve(left)

    def _asks(self) -> dict[Name, Ask]:
        """What those who wait do not find here. The rest of it goes along, so that nobody uses it meanwhile."""
        asks: dict[Name, Ask] = {}
        for waiter in self._waiting:
            for need in waiter.needs:
                name, lease = _name(need.allowance), self._lease(need)
                if name not in asks and not lease.has(need):
                    asks[name] = Ask(need.allowance, lease.rest, need.amount)
                    lease.rest = Decimal(0)
        return asks

    def _serve(self, left: dict[Name, Decimal]) -> None:
        """Let those go on, in the order of their coming, for whom there is enough; and those for whom never will be."""
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if waiter.done.done():  # its client has gone
                continue
            leases = [self._lease(need) for need in waiter.needs]
            lacking = [need for need, lease in zip(waiter.needs, leases, strict=True) if lease.rest < need.amount]
            if not lacking:
                waiter.done.set_result(self._set_aside(waiter.needs, leases))
                continue
            hopeless = (need for need in lacking if self._is_hopeless(need, left))
            if (need := next(hopeless, None)) is not None:
                rest = left[_name(need.allowance)] + self._lease(need).rest
                waiter.done.set_exception(UsedUpError(need.allowance, rest))
            else:
                self._waiting.append(waiter)

    def _is_hopeless(self, need: Need, left: dict[Name, Decimal]) -> bool:
        known = left.get(_name(need.allowance))
        return known is not None and need.amount - self._lease(need).rest > known

    def _refuse(self, error: Exception) -> None:
        """The storage cannot be asked: so nobody who needs more than is here can go on."""
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if waiter.done.done():
                continue
            leases = [self._lease(need) for need in waiter.needs]
            if all(lease.has(need) for need, lease in zip(waiter.needs, leases, strict=True)):
                waiter.done.set_result(self._set_aside(waiter.needs, leases))
            else:
                waiter.done.set_exception(error)

    async def _return(self, names: Iterable[Name]) -> None:
        idle = {name: self._leases[name].rest for name in names if not self._leases[name].awaited}
        rests = {name: rest for name, rest in idle.items() if rest}
        for name in rests:
            self._leases[name].rest = Decimal(0)
        try:
            if rests:
                await self._give_back(list(rests.items()))
        except Exception:  # whoever is cancelled meanwhile has it done all the same
            for name, rest in rests.items():
                self._leases.setdefault(name, _Lease()).rest += rest
            raise
        gone = [name for name, one in self._leases.items() if not (one.held or one.awaited or one.rest)]
        for name in gone:
            del self._leases[name]


def _name(allowance: Allowance) -> Name:
    return allowance.scope, allowance.period


class Hold:
    """What is set aside for one request, until it is settled or given back, once."""

    __slots__ = ("_all", "_leases", "_needs")

    def __init__(self, all_: Leases, needs: Sequence[Need], leases: Sequence[_Lease]) -> None:
        self._all: Leases | None = all_
        self._needs = needs
        self._leases = leases

    def settle(self, used: Callable[[Need], Decimal]) -> None:
        """Say what was used of each need."""
        all_, self._all = self._all, None
        if all_ is not None:
            for need, lease in zip(self._needs, self._leases, strict=True):
                all_.settle(lease, need.amount, used(need))

    def give_back(self) -> None:
        """Nothing was used."""
        self.settle(lambda _: Decimal(0))
