"""Who is let in: how many inference requests are in work, how many of them at one provider, and none that is too late.

A request asks twice. Before its body is read it is told at once when there is no place for it, so that a refusal costs
next to nothing; with its whole body it takes a place, so that a body which comes slowly holds none.
"""

from __future__ import annotations

from collections import Counter
from math import exp
from typing import TYPE_CHECKING, Literal

from setpoint.errors import GatewayError
from setpoint.gateway.lag import INTERVAL_S

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from setpoint.records import Endpoint

Shed = Literal["full", "late", "provider"]
"""Why a request got no place: the setting's limit, a loop that is late, a provider that has its share already."""

Full = Literal["share", "concurrency"]
"""Why a request may not go to an endpoint: its provider has its share of all places; it is as busy as it may be."""

RETRY_AFTER_S = 1

# The loop is overloaded when it was so late, in seconds, for the greater part of about the last so many seconds: for
# two seconds on end. A thousand requests at once are no overload: that is over when it is done. Nor is one long turn,
# which counts for so many seconds at most.
_LATE_S = 0.1
_OVER_S = 3.0
_GREATER_PART = 0.5
_MOST_S = 0.5
# While it is, so much of each of its turns is for new requests, in seconds. A request takes about five turns, so that
# is a fifth of what the wait in line adds to an answer.
_TURN_S = 0.005
# It is not any more when it has turned so often, twenty times a second, without refusing anyone.
_CALM_TIMES = 20
_SHARE = 4


class Admission:
    """The places of one worker, of which there are `max_requests`.

    While the loop is overloaded, a request that is met in the first part of a turn of the loop is let in, and one
    that is met later in it is refused. So the turns stay short however many come, what was let in stays quick, and
    there is always as much work as the loop can do. `turn_s` says how long the loop's present turn has been going on.

    A provider may hold places as long as it holds fewer than four times those that are free: at most four fifths
    of all, and when several are slow at once an equal part each. So there is a place for one that holds none. Where the
    configuration says how many requests a provider or an endpoint may have at once, each of the `workers` takes an
    equal part of them, and one at least.
    """

    def __init__(self, max_requests: int, turn_s: Callable[[], float], workers: int = 1) -> None:
        self.limit = max_requests
        self._workers = workers
        self.at_endpoints: Counter[str] = Counter()  # those whose number is limited
        self.in_work = 0
        self.shed: Counter[Shed] = Counter()
        self.held: Counter[str] = Counter()
        self.overloaded = False
        self._turn_s = turn_s
        self._late_part = 0.0
        self._calm_times = 0

    def resize(self, max_requests: int) -> None:
        """Have so many places from now on; who is in stays in."""
        self.limit = max_requests

    def part(self, concurrency: int) -> int:
        """How many of the requests that may be somewhere at once are this worker's."""
        return max(1, concurrency // self._workers)

    def full(self, endpoint: Endpoint) -> bool:
        """Whether this endpoint or its provider has this worker's part of the requests that it may have at once."""
        own, together = endpoint.concurrency, endpoint.provider.concurrency
        return (together is not None and self.held[endpoint.provider.slug] >= self.part(together)) or (
            own is not None and self.at_endpoints[endpoint.key] >= self.part(own)
        )

    def observe(self, late_s: float) -> None:
        """The loop has just turned, so late, in seconds."""
        is_late = float(late_s >= _LATE_S)
        self._late_part = is_late + (self._late_part - is_late) * exp(-(min(late_s, _MOST_S) + INTERVAL_S) / _OVER_S)
        self._calm_times += 1
        if self._late_part > _GREATER_PART:
            self.overloaded, self._calm_times = True, 0
        elif self._calm_times >= _CALM_TIMES:
            self.overloaded = False

    def check(self) -> None:
        """Raises: `GatewayError` (unavailable) when there is no place."""
        if self.in_work >= self.limit:
            self.shed["full"] += 1
        elif self.overloaded and self._turn_s() > _TURN_S:
            self.shed["late"] += 1
            self._calm_times = 0
        else:
            return
        raise busy("the server has more to do than it can")

    def enter(self) -> Place:
        """A place, to be left at the end of the `with` block that it is for. Raises: as `check`."""
        self.check()
        self.in_work += 1
        return Place(self)


class Place:
    """One request's place. It counts for the provider that the request is sent to, for one at a time."""

    __slots__ = ("_admission", "_endpoint", "_left", "_provider")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._provider: str | None = None
        self._endpoint: str | None = None
        self._left = False

    def __enter__(self) -> Place:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._left:
            self._left = True
            self._let_go()
            self._admission.in_work -= 1

    def go_to(self, endpoint: Endpoint, *, alone: bool) -> Full | None:
        """Why the request may not go to this endpoint; None when it may: that is where its place counts from now on.

        `alone` says that there is no other provider to keep places for.
        """
        self._let_go()
        admission, provider = self._admission, endpoint.provider
        held, free = admission.held[provider.slug], admission.limit - admission.in_work
        if held and not alone and held >= _SHARE * free:
            admission.shed["provider"] += 1
            return "share"
        if endpoint.limited and admission.full(endpoint):
            return "concurrency"
        if endpoint.concurrency is not None:
            admission.at_endpoints[endpoint.key] += 1
            self._endpoint = endpoint.key
        admission.held[provider.slug] += 1
        self._provider = provider.slug
        return None

    def _let_go(self) -> None:
        if self._provider is not None:
            _one_less(self._admission.held, self._provider)
            self._provider = None
        if self._endpoint is not None:
            _one_less(self._admission.at_endpoints, self._endpoint)
            self._endpoint = None


def _one_less(held: Counter[str], name: str) -> None:
    held[name] -= 1
    if not held[name]:
        del held[name]  # providers come and go with the configuration


def busy(message: str) -> GatewayError:
    """The error of a request that got no place."""
    return GatewayError("unavailable", message, retry_after_s=RETRY_AFTER_S)
