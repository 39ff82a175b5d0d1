"""How late the event loop is: what everything that waits for it waits longer than it asked to."""

from __future__ import annotations

import asyncio
from math import exp
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

INTERVAL_S = 0.05
"""How often the loop is asked to turn, in seconds: the cost is nothing, and a short block is not missed."""

_SMOOTHED_OVER_S = 0.5


class Turn:
    """How long the loop's present turn has been going on, in seconds, since it was first asked in that turn.

    The loop's own clock is no help: every timer that is set moves it on.
    """

    def __init__(self) -> None:
        self._began_at: float | None = None

    def __call__(self) -> float:
        now = monotonic()
        if self._began_at is None:
            self._began_at = now
            asyncio.get_running_loop().call_soon(self._end)  # what is put in line now comes with the next turn
        return now - self._began_at

    def _end(self) -> None:
        self._began_at = None


class LoopLag:
    """The lateness of one event loop, measured by a timer as long as `watch` runs.

    `lag_s` is its mean over about the last half second, weighted by time, so that one long turn counts for what it
    held up and a short one hardly counts. `turned_at` is when the loop was last seen turning, on the monotonic clock:
    a thread that reads it knows how long the loop has been standing. `observe` is told every single lateness.
    """

    def __init__(self, observe: Callable[[float], object] | None = None) -> None:
        self.lag_s = 0.0
        self.turned_at = monotonic()
        self._observe = observe

    async def watch(self) -> None:
        """Measure until cancelled."""
        self.turned_at = monotonic()
        while True:
            # Not the loop's own clock, which stands still for as long as one turn takes.
            await asyncio.sleep(INTERVAL_S)
            now = monotonic()
            late_s = max(now - self.turned_at - INTERVAL_S, 0.0)
            self.lag_s = late_s + (self.lag_s - late_s) * exp((self.turned_at - now) / _SMOOTHED_OVER_S)
            self.turned_at = now
            if self._observe is not None:
                self._observe(late_s)
