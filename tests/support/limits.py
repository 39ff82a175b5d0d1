"""Limits without a storage: of keys that have none, where nobody is ever asked; and a purse that pays for tries."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Never

from setpoint.coordination.allowances import Allowance
from setpoint.coordination.leases import Ask, Grant, Leases, Name, Need
from setpoint.gateway.limits import Limits, Reserved, Terms
from setpoint.records import Reservation

if TYPE_CHECKING:
    from datetime import datetime


async def _nobody(_: object) -> Never:
    raise AssertionError("the storage was asked")


UNLIMITED = Limits(Leases(_nobody, _nobody, lambda: 0.0), Terms())


UNSEEN = Decimal(2)
"""What a try costs of a purse whose process does not see its end."""


class Purse:
    """Money for tries: `left` tells what of it is neither set aside nor used, once all rests are brought back."""

    def __init__(self, left: int) -> None:
        self.left = Decimal(left)
        self._leases = Leases(self._ask, self._give_back, lambda: 0.0)

    async def set_aside(self, amount: int, at: datetime) -> Reserved:
        """So much for a try. Raises: `UsedUpError`."""
        hold = await self._leases.take([Need(Allowance("key:a", "ever", self.left), Decimal(amount))])
        return Reserved(hold, at, Reservation(amount=Decimal(amount), out_of=("key:a|ever",)), UNSEEN)

    async def bring_back(self) -> Decimal:
        """What is left."""
        await self._leases.close()
        return self.left

    async def _ask(self, asks: Sequence[Ask]) -> Sequence[Grant]:
        grants: list[Grant] = []
        for ask in asks:
            self.left += ask.rest
            granted = ask.least if ask.least <= self.left else Decimal(0)
            self.left -= granted
            grants.append(Grant(granted, self.left))
        return grants

    async def _give_back(self, rests: Sequence[tuple[Name, Decimal]]) -> None:
        self.left += sum(rest for _, rest in rests)
