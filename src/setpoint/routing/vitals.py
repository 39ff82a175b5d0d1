"""What is known of one endpoint from the tries that it got."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.routing.breaker import Breaker
from setpoint.routing.rolling import Window, bucket, percentiles, united
from setpoint.routing.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_RECENT_MINUTES, _SHOWN_MINUTES = 5, 30

# Percentiles are worked out anew as often as this, in seconds: they are of five minutes.
_FRESH_S = 1.0
_UNSET = Standing()


class Shown(Struct, frozen=True, array_like=True):
    """What one worker can show of an endpoint: successes and outages, and values of the last 30 minutes by bucket."""

    minutes_5: tuple[int, int]
    minutes_30: tuple[int, int]
    day: tuple[int, int]
    latency_s: dict[int, int]
    throughput: dict[int, int]


class Vitals:
    """What is known of one endpoint, of this provider. `used` is when it was last tried."""

    __slots__ = ("_standing", "_until", "_window", "breaker", "provider", "used")

    def __init__(self, provider: str, dice: Callable[[], float]) -> None:
        self.provider = provider
        self.breaker = Breaker(dice)
        self.used = 0.0
        self._window = Window(_SHOWN_MINUTES)
        self._standing: Standing | None = None
        self._until = -inf  # the standing holds until then

    def changed(self) -> None:
        """What the breaker says is not what it was."""
        self._until = -inf

    def mended(self, dice: Callable[[], float]) -> None:
        """Whatever it failed at, it may try again."""
        self.breaker = Breaker(dice)
        self.changed()

    def counted(self, now: float, *, well: bool) -> None:
        """One try ended well, or in an outage."""
        minute = self._window.now(now)
        if well:
            minute.well += 1
        else:
            minute.badly += 1

    def answered(self, latency_s: float, now: float) -> None:
        """The first token of a stream took so long."""
        buckets, one = self._window.now(now).latency, bucket(latency_s)
        buckets[one] = buckets.get(one, 0) + 1

    def wrote(self, tokens_a_second: float, now: float) -> None:
        """An answer came this fast."""
        buckets, one = self._window.now(now).throughput, bucket(tokens_a_second)
        buckets[one] = buckets.get(one, 0) + 1

    def standing(self, now: float) -> Standing | None:
        """How it does; None when nothing is known but good."""
        if now >= self._until:
            self._standing = self._worked_out(now)
        return self._standing

    def _worked_out(self, now: float) -> Standing | None:
        breaker = self.breaker
        changes = breaker.settled_at()
        self._until = min(now + _FRESH_S, changes if changes is not None and changes > now else inf)
        recent = self._window.last(now, _RECENT_MINUTES)
        standing = Standing(
            stable=breaker.is_stable(now),
            open=breaker.is_open(now),
            latency_s=percentiles(united(one.latency for one in recent)),
            throughput=percentiles(united(one.throughput for one in recent)),
        )
        return None if standing == _UNSET else standing

    def shown(self, now: float) -> Shown:
        """What can be shown of it."""
        recent, shown = self._window.last(now, _RECENT_MINUTES), self._window.last(now, _SHOWN_MINUTES)
        return Shown(
            (sum(one.well for one in recent), sum(one.badly for one in recent)),
            (sum(one.well for one in shown), sum(one.badly for one in shown)),
            self._window.day(now),
            united(one.latency for one in shown),
            united(one.throughput for one in shown),
        )


def summed(all_shown: Iterable[Shown]) -> Shown:
    """What several workers know of one endpoint."""
    every = tuple(all_shown)

    def total(counts: Iterable[tuple[int, int]]) -> tuple[int, int]:
        listed = tuple(counts)
        return sum(well for well, _ in listed), sum(badly for _, badly in listed)

    return Shown(
        total(one.minutes_5 for one in every),
        total(one.minutes_30 for one in every),
        total(one.day for one in every),
        united(one.latency_s for one in every),
        united(one.throughput for one in every),
    )
