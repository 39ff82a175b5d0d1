"""The breaker of one endpoint: after a row of failures it is open, and then lets one probe at a time through."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

STABLE_S = 30.0
"""How long an outage is remembered that nothing good came behind, in seconds."""

OPEN_S = 30.0
"""How long a breaker is open, in seconds, give or take a fifth: those of several servers are not to probe together."""

_IN_A_ROW = 3
_JITTER = 0.2


class Breaker:
    """What is remembered of an endpoint's failures. `dice` gives numbers from 0 to 1.

    A try is known here by any object of its own. While the breaker is open, nothing counts but the probe: what began
    before it opened says nothing of how the endpoint does now.
    """

    __slots__ = ("_dice", "_failed_at", "_open_until", "_probe", "_row")

    def __init__(self, dice: Callable[[], float]) -> None:
        self._dice = dice
        self._row = 0
        self._failed_at: float | None = None
        self._open_until: float | None = None
        self._probe: object = None

    @property
    def is_closed(self) -> bool:
        """Whether everything is let through."""
        return self._open_until is None

    def is_open(self, now: float) -> bool:
        """Whether nothing is let through just now; False also when it waits for a probe."""
        return self._open_until is not None and (now < self._open_until or self._probe is not None)

    def is_stable(self, now: float) -> bool:
        """Whether there was no outage lately. An endpoint that waits for a probe stands where it always does."""
        if self._open_until is not None:
            return not self.is_open(now)
        return self._failed_at is None or now - self._failed_at >= STABLE_S

    def settled_at(self) -> float | None:
        """When what it says changes by the mere passing of time; None when it does not."""
        if self._open_until is not None:
            return self._open_until
        return self._failed_at + STABLE_S if self._failed_at is not None else None

    def wait_s(self, now: float) -> float:
        """How long until the next probe may go, in seconds; 0 while one is under way."""
        return max(self._open_until - now, 0.0) if self._open_until is not None else 0.0

    def lets(self, trial: object, now: float) -> bool:
        """Whether this try may go. Where it is the probe, no other may until that has ended."""
        if self._open_until is None:
            return True
        if self.is_open(now):
            return False
        self._probe = trial
        return True

    def failed(self, trial: object, now: float) -> bool:
        """A try ended in an outage. Returns whether that has opened the breaker of one that was not open before."""
        self._failed_at = now
        self._row += 1
        if self._open_until is not None:
            if self._probe is trial:
                self._open(now)
            return False
        if self._row >= _IN_A_ROW:
            self._open(now)
            return True
        return False

    def began(self, trial: object) -> bool:
        """A try has begun to answer. Returns whether that has closed the breaker.

        What was a probe may still break: it is the last of its row until an answer has come to its end.
        """
        if self._open_until is not None and self._probe is not trial:
            return False
        closed = self._open_until is not None
        if closed:
            self._row = _IN_A_ROW - 1
        self._failed_at = self._open_until = self._probe = None
        return closed

    def ended(self) -> None:
        """An answer has come to its end, or the provider has said what is wrong with the request."""
        if self._open_until is None:
            self._row = 0

    def left(self, trial: object) -> None:
        """A try ended without telling anything of the endpoint: another may be the probe."""
        if self._probe is trial:
            self._probe = None

    def _open(self, now: float) -> None:
        self._open_until = now + OPEN_S * (1 - _JITTER + 2 * _JITTER * self._dice())
        self._probe = None
