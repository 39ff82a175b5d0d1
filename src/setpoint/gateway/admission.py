"""Who is let in: how many inference requests are in work, how many of them at one provider, and how many of them the
event loop can bear.

A request asks twice. Before its body is read it is told at once when there is no place for it, so that a refusal costs
next to nothing; with its whole body it takes a place, so that a body which comes slowly holds none.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from setpoint.errors import GatewayError

if TYPE_CHECKING:
    from types import TracebackType

Shed = Literal["full", "late", "provider"]
"""Why a request got no place: the setting's limit, a loop that is late, a provider that has its share already."""

RETRY_AFTER_S = 1

_LATE_S = 0.1
_LEAST = 16
_LESS = 0.9
_MORE = 0.02
_SHARE = 4


class Admission:
    """The places of one worker.

    There are `max_requests` of them, and fewer while the loop is late: every time it is found so, a tenth of those
    that are in work is too much; every time it is not, a fiftieth of all comes back. So what was let in stays quick,
    one late turn refuses nobody, and two or three seconds behind the load all places are there again. Some are there
    always: what makes a loop late with so little in work is not the load, and refusing would mend nothing.

    A provider may hold places as long as it holds fewer than four times those that are free: at most four fifths
    of all, and when several are slow at once an equal part each. So there is a place for one that holds none.
    """

    def __init__(self, max_requests: int) -> None:
        self.in_work = 0
        self.shed: Counter[Shed] = Counter()
        self.held: Counter[str] = Counter()
        self._most = max_requests
        self._least = min(_LEAST, max_requests)
        self._bearable = float(max_requests)

    @property
    def limit(self) -> int:
        """How many requests may be in work now."""
        return int(self._bearable)

    @property
    def most(self) -> int:
        """How many requests may be in work while the loop is in time."""
        return self._most

    def resize(self, max_requests: int) -> None:
        """Have so many places from now on; who is in stays in."""
        self._most = max_requests
        self._least = min(_LEAST, max_requests)
        self._bearable = float(max_requests)

    def observe(self, late_s: float) -> None:
        """The loop has just turned, so late, in seconds."""
        if late_s >= _LATE_S:
            self._bearable = max(self._least, min(self._bearable, self.in_work) * _LESS)
        elif self._bearable < self._most:
            self._bearable = min(self._most, self._bearable + self._most * _MORE)

    def check(self) -> None:
        """Raises: `GatewayError` (unavailable) when there is no place."""
        if self.in_work >= self._bearable:
            self.shed["late" if self.in_work < self._most else "full"] += 1
            raise busy("the server has more to do than it can")

    def enter(self) -> Place:
        """A place, to be left at the end of the `with` block that it is for. Raises: as `check`."""
        self.check()
        self.in_work += 1
        return Place(self)


class Place:
    """One request's place. It counts for the provider that the request is sent to, for one at a time."""

    __slots__ = ("_admission", "_left", "_provider")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._provider: str | None = None
        self._left = False

    def __enter__(self) -> Place:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._left:
            self._left = True
            self._let_go()
            self._admission.in_work -= 1

    def go_to(self, provider: str, *, alone: bool) -> bool:
        """Whether the request may go to this provider; if so, that is where its place counts from now on.

        `alone` says that there is no other provider to keep places for.
        """
        self._let_go()
        admission = self._admission
        # Of all places, not of those that a late loop leaves: it may have fewer than are taken, and would turn away
        # what was let in, on its way to a provider that is as quick as ever.
        held, free = admission.held[provider], admission.most - admission.in_work
        if held and not alone and held >= _SHARE * free:
            admission.shed["provider"] += 1
            return False
        admission.held[provider] += 1
        self._provider = provider
        return True

    def _let_go(self) -> None:
        if self._provider is None:
            return
        held = self._admission.held
        held[self._provider] -= 1
        if not held[self._provider]:
            del held[self._provider]  # providers come and go with the configuration
        self._provider = None


def busy(message: str) -> GatewayError:
    """The error of a request that got no place."""
    return GatewayError("unavailable", message, retry_after_s=RETRY_AFTER_S)
