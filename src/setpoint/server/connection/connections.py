"""Every client connection of this worker: how many there may be, what each is at, and when each is out of time.

One sweep looks at all deadlines; a connection sets its own with an assignment. So a deadline costs a request nothing
that can be measured, however many connections there are.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    from setpoint.server.connection.limits import HttpLimits

Phase = Literal["idle", "head", "body", "answering", "closing"]
"""Between requests; reading a head, or waiting for the first; reading a body; at work or sending; saying goodbye."""

Room = Literal["ordinary", "crowded", "none"]
"""What there is for a new connection: a place; a moment in the reserve, for whoever asks after our health; nothing."""

NEVER = float("inf")

_SWEEPS_PER_DEADLINE = 8
_SHORTEST_TICK_S = 0.02
_LONGEST_TICK_S = 1.0
_LEAST_RESERVE = 16
_MOST_RESERVE = 512


class Connection(Protocol):
    """What the registry needs of a connection. `deadline` is in seconds of the loop's clock."""

    phase: Phase
    deadline: float

    def expire(self, now: float) -> None:
        """The deadline has passed: end what is too late, or set another."""
        ...

    def turn_away(self) -> None:
        """End at once, with a word if there is time for one: the place is needed."""
        ...

    def retire(self) -> None:
        """End, unless something is under way or has come that is not read yet: the server stops."""
        ...


class Connections:
    """The registry. Beyond `max_connections` there is a small reserve, in which the newest come before the oldest.

    So a flood that sends nothing, or asks for what it may not have, cannot keep a health probe out: whoever comes
    is heard for as long as it takes until the reserve has been filled anew behind it.
    """

    def __init__(self, limits: HttpLimits) -> None:
        self.apply(limits)
        self._all: set[Connection] = set()
        self._crowd: dict[Connection, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self.draining = False
        """Whether answers say that their connection will not be used again."""

    def apply(self, limits: HttpLimits) -> None:
        """Have these limits for whoever comes from now on."""
        self.limits = limits
        self._most = limits.max_connections
        self._reserve = max(_LEAST_RESERVE, min(_MOST_RESERVE, self._most // 8))
        shortest = min(
            limits.header_timeout_s, limits.body_timeout_s, limits.write_timeout_s, limits.keep_alive_timeout_s
        )
        self._tick_s = min(_LONGEST_TICK_S, max(_SHORTEST_TICK_S, shortest / _SWEEPS_PER_DEADLINE))

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._all))

    def phases(self) -> Counter[Phase]:
        """How many connections are at what."""
        return Counter(one.phase for one in self._all)

    @property
    def left(self) -> int:
        """How many more may come before whoever was turned away for them is gone: at least one, to be told so."""
        return max(1, self._most + 2 * self._reserve - len(self._all))

    @property
    def sending(self) -> bool:
        """Whether an answer is on its way to some client."""
        return any(one.phase in ("answering", "closing") for one in self._all)

    def retire(self) -> None:
        """End all that are between two requests."""
        for one in tuple(self._all):
            one.retire()

    def add(self, connection: Connection) -> Room:
        """Take a new connection in, and say what room there is for it."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._tick_s, self._sweep)
        crowded = len(self._all) - len(self._crowd) >= self._most
        self._all.add(connection)
        if not crowded:
            return "ordinary"
        if len(self._crowd) >= self._reserve:
            oldest = next(iter(self._crowd))
            del self._crowd[oldest]
            oldest.turn_away()
        self._crowd[connection] = None
        # Whoever was turned away is gone only when the loop has come round: in one burst of accepts they add up.
        return "crowded" if len(self._all) < self._most + 2 * self._reserve else "none"

    def discard(self, connection: Connection) -> None:
        """The connection is gone."""
        self._all.discard(connection)
        self._crowd.pop(connection, None)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        # Before the rest: whatever goes wrong with one connection, the deadlines of all others hold.
        self._timer = loop.call_later(self._tick_s, self._sweep) if self._all else None
        for one in [one for one in self._all if one.deadline <= now]:
            one.expire(now)
