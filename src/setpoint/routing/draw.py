"""Who comes first when several can: by lot, each as likely as its share."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from functools import cached_property
from itertools import accumulate
from struct import iter_unpack
from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.records import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from setpoint.records import ProviderKey

_64_BITS = 2**64 - 1


class Lots(Struct, frozen=True, dict=True):
    """Endpoints one of which is to be drawn, each as likely as its pull says. All of them have one."""

    endpoints: tuple[Endpoint, ...]

    @cached_property
    def pulls(self) -> tuple[float, ...]:
        """The share of each."""
        return tuple([endpoint.pull for endpoint in self.endpoints])

    @cached_property
    def sums(self) -> tuple[float, ...]:
        """The share of each with those of all before it."""
        return tuple(accumulate(self.pulls))

    @cached_property
    def marks(self) -> int:
        """The mark of each, in a lane of its own."""
        return _in_lanes([endpoint.mark for endpoint in self.endpoints])

    @cached_property
    def ones(self) -> int:
        """As many lanes with a one in each."""
        return _in_lanes([1] * len(self.endpoints))


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
        if self._seed is None:
            return -math.log(1 - min(self._dice(), _MOST)) / share
        return (_MOST_WAIT - math.log(_mixed(self._seed ^ lot.mark) + 1)) / share

    def first(self, lots: Lots) -> int:
        """The place of the lot that wins; where nothing hangs on the names, by one throw."""
        if self._seed is None:
            return bisect_right(lots.sums, self._dice() * lots.sums[-1], hi=len(lots.sums) - 1)
        # As `wait` has it, for all at once: a long number is as soon mixed as a few short ones.
        mixed = _mixed(lots.marks ^ lots.ones * self._seed, lots.ones)
        numbers = iter_unpack(_LANE, mixed.to_bytes(_LANE_BYTES * len(lots.pulls), "little"))
        waits = [
            (_MOST_WAIT - math.log(number + 1)) / pull for (number,), pull in zip(numbers, lots.pulls, strict=True)
        ]
        return waits.index(min(waits))


_MOST = math.nextafter(1, 0)
_MOST_WAIT = 64 * math.log(2)
"""How long a lot waits whose number is 0, at a share of 1."""

_LANE, _LANE_BYTES = "<Q8x", 16
"""A number of 64 bits, and beside it room for its product with another."""


def _in_lanes(numbers: Iterable[int]) -> int:
    return int.from_bytes(b"".join([number.to_bytes(_LANE_BYTES, "little") for number in numbers]), "little")


def _number(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _mixed(numbers: int, ones: int = 1) -> int:
    """Each number with each of its bits spread over all (the finalizer of SplitMix64); `ones` has one in each lane."""
    lanes = ones * _64_BITS
    numbers = ((numbers ^ numbers >> 30) & lanes) * 0xBF58476D1CE4E5B9 & lanes
    numbers = ((numbers ^ numbers >> 27) & lanes) * 0x94D049BB133111EB & lanes
    return (numbers ^ numbers >> 31) & lanes
