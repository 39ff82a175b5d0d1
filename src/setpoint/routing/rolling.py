"""What was measured in the last minutes, in little memory: how values were spread, how often something went well."""

from __future__ import annotations

from collections import deque
from math import ceil, log2
from typing import TYPE_CHECKING

from setpoint.routing.standing import Percentiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Buckets grow by the eighth root of two: what is read back is at most 4.5 % off.
_STEPS = 8
_LEAST = 2.0**-16
_ENOUGH = 5
"""Of fewer values nothing is said."""

_MINUTE_S, _MINUTES = 60.0, 60
_HOUR_S, _HOURS = 3600.0, 24

Buckets = dict[int, int]
"""How many values there were, by the bucket that they are in."""


def bucket(value: float) -> int:
    """The bucket that a value is in."""
    return int(log2(max(value, _LEAST)) * _STEPS // 1)


def united(all_buckets: Iterable[Mapping[int, int]]) -> Buckets:
    """The sum of several."""
    total: Buckets = {}
    for buckets in all_buckets:
        for one, count in tuple(buckets.items()):
            total[one] = total.get(one, 0) + count
    return total


def percentiles(buckets: Mapping[int, int]) -> Percentiles | None:
    """The percentiles of what was counted, None when that is too little."""
    count = sum(buckets.values())
    if count < _ENOUGH:
        return None
    ranks = [ceil(count * part) for part in (0.5, 0.75, 0.9, 0.99)]
    found: list[float] = []
    passed = 0
    for one, here in sorted(buckets.items()):
        passed += here
        while len(found) < len(ranks) and passed >= ranks[len(found)]:
            found.append(2.0 ** ((one + 0.5) / _STEPS))
    return Percentiles(*found)


class Minute:
    """What happened within one minute, or another time of the same length."""

    __slots__ = ("at", "badly", "latency", "throughput", "well")

    def __init__(self, at: int) -> None:
        self.at = at
        self.well = 0
        self.badly = 0
        self.latency: Buckets = {}
        self.throughput: Buckets = {}


class Window:
    """The last so many minutes, as far as anything happened in them. `clock` seconds come with each question."""

    __slots__ = ("_ends", "_hours", "_minutes", "_most")

    def __init__(self, minutes: int) -> None:
        self._most = minutes
        self._minutes: deque[Minute] = deque()
        self._hours: deque[list[int]] = deque()  # what went well, and what did not, in minutes that are over
        self._ends = 0.0

    def now(self, now: float) -> Minute:
        """The minute that it is, to count in."""
        return self._minutes[-1] if now < self._ends else self._next(now)

    def last(self, now: float, minutes: int) -> list[Minute]:
        """The last so many minutes."""
        oldest = now // _MINUTE_S - minutes
        return [one for one in tuple(self._minutes) if one.at > oldest]

    def day(self, now: float) -> tuple[int, int]:
        """How often it went well, and how often not, in the last 24 hours."""
        oldest = now // _HOUR_S - _HOURS
        past = [one for one in tuple(self._hours) if one[0] > oldest]
        newest = [one for one in tuple(self._minutes)[-1:] if one.at // _MINUTES > oldest]  # not among the hours yet
        well = sum(one[1] for one in past) + sum(one.well for one in newest)
        return well, sum(one[2] for one in past) + sum(one.badly for one in newest)

    def _next(self, now: float) -> Minute:
        minutes, hours = self._minutes, self._hours
        if minutes:
            over = minutes[-1]
            hour = over.at // _MINUTES
            if not hours or hours[-1][0] != hour:
                hours.append([hour, 0, 0])
            hours[-1][1] += over.well
            hours[-1][2] += over.badly
        at = int(now // _MINUTE_S)
        self._ends = (at + 1) * _MINUTE_S
        minutes.append(Minute(at))
        while minutes[0].at <= at - self._most:
            minutes.popleft()
        while hours and hours[0][0] <= at // _MINUTES - _HOURS:
            hours.popleft()
        return minutes[-1]
