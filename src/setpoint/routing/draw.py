"""Who comes first when several can: by lot, each as likely as its share."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from setpoint.records import Endpoint, ProviderKey

_64_BITS = 2**64 - 1


class Chance:
    """The dice of one request: fresh for each, or the same for all of a conversation, in every process.

    A lot waits for a time that is exponentially distributed, at the rate of its share, and the shortest wait wins: so
    each comes first as often as its share of all shares says, and those behind it likewise among themselves. In a
    conversation the wait hangs on nothing but its name and the lot: when another lot comes or goes, the winner stays.
    """

    def __init__(self, dice: Callable[[], float], conversation: str | None) -> None:
        self._dice = dice
        self._seed = None if conversation is None else _number(conversation)

    def wait(self, lot: Endpoint | ProviderKey, share: float) -> float:
        """How long this lot waits; for ever when it has no share."""
        if not share:
            return math.inf
        thrown = self._dice() if self._seed is None else _mixed(self._seed ^ lot.mark) / 2**64
        return -math.log(1 - min(thrown, _MOST)) / share

    def first(self, lots: Sequence[Endpoint], shares: Sequence[float]) -> int:
        """The place of the lot that wins, all of which have a share; where nothing hangs on the names, by one throw."""
        if self._seed is not None:
            waits = list(map(self.wait, lots, shares))
            return waits.index(min(waits))
        left = self._dice() * sum(shares)
        for at, share in enumerate(shares):
            left -= share
            if left < 0:
                return at
        return len(shares) - 1


_MOST = math.nextafter(1, 0)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _mixed(number: int) -> int:
    """The number with each of its bits spread over all (the finalizer of SplitMix64)."""
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9 & _64_BITS
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB & _64_BITS
    return number ^ (number >> 31)
