"""The retry budget: how much of the traffic to providers may be repetition."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_SECONDS = 10
"""How long what was earned is kept."""

_EACH_SECOND = 2.0
_ROUNDING = 1e-9


class RetryBudget:
    """What one worker may still repeat. Each request earns `share` of a further try, each second earns two.

    What is earned is kept for ten seconds at most. `clock` gives seconds. It begins with what ten idle seconds earn.
    """

    def __init__(self, share: float, clock: Callable[[], float]) -> None:
        self.share = share
        self._clock = clock
        self._now = int(clock())
        self._earned = [_EACH_SECOND] * _SECONDS  # in each of the last seconds, the newest at `_now`

    def fill(self) -> None:
        """As at the start."""
        self._earned[:] = [_EACH_SECOND] * _SECONDS

    def earn(self) -> None:
        """A request has come."""
        second = int(self._clock())
        if second != self._now:
            self._turn(second)
        self._earned[self._now % _SECONDS] += self.share

    def spend(self) -> bool:
        """Whether one further try may be made. What was earned first is spent first."""
        if self.left < 1 - _ROUNDING:
            return False
        owed = 1.0
        for at in range(self._now + 1, self._now + 1 + _SECONDS):
            paid = min(owed, self._earned[at % _SECONDS])
            self._earned[at % _SECONDS] -= paid
            owed -= paid
        return True

    @property
    def left(self) -> float:
        """How many further tries there may be now."""
        self._turn(int(self._clock()))
        return sum(self._earned)

    def _turn(self, second: int) -> None:
        for passed in range(max(self._now, second - _SECONDS) + 1, second + 1):
            self._earned[passed % _SECONDS] = _EACH_SECOND
        self._now = max(self._now, second)
