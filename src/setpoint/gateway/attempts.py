"""The attempts of one request, one behind the other, and what is set aside for each until it is known what it cost."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from msgspec import structs

from setpoint.records import Attempt

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from decimal import Decimal

    from setpoint.gateway.limits import Reserved
    from setpoint.protocols.answer import Bill
    from setpoint.routing.placing import Candidate


class Attempts:
    """The attempts that have come to an end, or to an answer (`ended`). Beside them one may be under way.

    What knows the request is given to each call and not kept: a circle would keep its body until somebody looks for
    such.
    """

    def __init__(self) -> None:
        self.ended: list[Attempt] = []
        self._candidate: Candidate | None = None  # None: nothing is under way
        self._at: datetime | None = None
        self._started = 0.0
        self._reserved: Reserved | None = None
        self._unsent = False  # so the one under way turned out to be
        self._open: list[tuple[int, Reserved]] = []  # of those that have ended, and may still turn out to have cost

    def begin(self, candidate: Candidate, at: datetime, reserved: Reserved | None) -> Attempt:
        """One starts. Gives what there is to remember of it should nobody see its end."""
        self._candidate, self._at, self._reserved, self._unsent = candidate, at, reserved, False
        self._started = time.monotonic()
        unseen = reserved.unseen if reserved is not None else None
        return _attempt(candidate, at, reserved, error="interrupted", uncounted=True, charged=unseen)

    def take_back(self) -> None:
        """Nothing of the one under way has left: it is made once more, and sets aside anew."""
        self._unsent = True
        if self._reserved is not None:
            self._reserved.give_back()

    def end(
        self,
        status: int | None,
        error: str | None,
        spent: Bill | None,
        guess: Callable[[], Decimal | None],
        input_tokens: Callable[[], int],
        *,
        free: bool = False,
    ) -> None:
        """The one under way is over, or its answer begins. What it cost is not known yet, unless it was `free`.

        `spent` is what its provider has counted, should it give no answer, also where it has refused. Where that is
        nothing, limits count what `guess` gives, and `input_tokens`, which is our own count of the request.
        """
        candidate, self._candidate = self._candidate, None
        if candidate is None:
            return
        free = free or self._unsent
        reserved, self._reserved = self._reserved, None
        latency_ms = round((time.monotonic() - self._started) * 1000)
        attempt = _attempt(
            candidate, self._at, reserved, status=status, error=error, latency_ms=latency_ms, uncounted=not free
        )
        if error is not None and not free and spent is None:  # nobody will ever count it
            attempt = structs.replace(attempt, charged=guess())
        self.ended.append(_billed(attempt, spent))
        if reserved is not None and free:
            reserved.settle(self.ended[-1], input_tokens)
        elif reserved is not None:
            self._open.append((len(self.ended) - 1, reserved))

    def answered(self, bill: Bill | None, error: str | None) -> None:
        """The last one has answered, by this bill; with an `error` the answer broke after it had begun."""
        if self.ended:
            last = _billed(self.ended[-1], bill)
            self.ended[-1] = last if error is None else structs.replace(last, error=error)

    def settle(self, input_tokens: Callable[[], int]) -> None:
        """All is known that there will ever be: give back what was set aside and not used."""
        for position, reserved in self._open:
            reserved.settle(self.ended[position], input_tokens)


def _attempt(
    candidate: Candidate,
    at: datetime | None,
    reserved: Reserved | None,
    *,
    error: str | None,
    uncounted: bool,
    status: int | None = None,
    latency_ms: int | None = None,
    charged: Decimal | None = None,
) -> Attempt:
    endpoint = candidate.endpoint
    return Attempt(
        provider=endpoint.provider.slug,
        provider_name=endpoint.provider.name,
        model=candidate.model.id,
        upstream_model=endpoint.model,
        tag=endpoint.tag,
        key_id=candidate.key.id if candidate.key else None,
        status=status,
        error=error,
        latency_ms=latency_ms,
        at=at,
        charged=charged,
        uncounted=uncounted,
        reserved=reserved.record if reserved is not None else None,
    )


def _billed(attempt: Attempt, bill: Bill | None) -> Attempt:
    if bill is None:
        return attempt
    known = {"cost": bill.amount, "provider_cost": bill.provider_cost, "charged": bill.charged, "uncounted": False}
    return structs.replace(attempt, usage=bill.usage, **known)
