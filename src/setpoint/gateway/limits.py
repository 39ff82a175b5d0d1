"""What a request has to keep to: its key's limit, its workspace's budgets, its key's rates. The last of our own checks.

Nothing is sent before what it may cost is set aside. Who has no limit does not meet any of this.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct

from setpoint.coordination.allowances import (
    LEAST,
    RATES,
    REQUESTS,
    minute,
    of_key,
    of_workspace,
    periods,
    requests_a_minute,
    rounded,
    tokens_a_minute,
)
from setpoint.coordination.leases import Hold, Leases, Need, UsedUpError
from setpoint.errors import RequestError
from setpoint.protocols.money import dollars
from setpoint.records import Reservation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from setpoint.gateway.reservation import Bound, Quote
    from setpoint.records import Attempt, Key, Workspace

_MINUTE_S = 60
_NOTHING, _ONE = Decimal(0), Decimal(1)


class LimitReachedError(RequestError):
    """A limit does not allow a try. Nothing was sent for it."""


class Terms(Struct, frozen=True, kw_only=True):
    """What the operator decides about limits: the output limit of requests without one; whether what has no price may
    be used under a limit."""

    default_output_tokens: int = 4_096
    allow_unpriced: bool = False


class Limits:
    """Makes `Limited` of requests."""

    def __init__(self, leases: Leases, terms: Terms) -> None:
        self._leases = leases
        self._terms = terms

    def of(self, key: Key, workspace: Workspace | None) -> Limited | None:
        """What requests with this key have to keep to, None for nothing."""
        budgets = workspace is not None and workspace.budgets
        rates = key.requests_per_minute is not None or key.tokens_per_minute is not None
        if key.limit is None and not rates and not budgets:
            return None
        return Limited(self._leases, self._terms, key, workspace)


class Limited:
    """One request under limits: what it sets aside for each of its tries, and gives back."""

    def __init__(self, leases: Leases, terms: Terms, key: Key, workspace: Workspace | None) -> None:
        self._leases = leases
        self._terms = terms
        self._key = key
        self._workspace = workspace
        self._rated = key.requests_per_minute is not None or key.tokens_per_minute is not None
        self._counted = False  # as a request of its minute

    @property
    def of_money(self) -> bool:
        """Whether money is limited."""
        return self._key.limit is not None or bool(self._workspace and self._workspace.budgets)

    @property
    def needs_price(self) -> bool:
        """Whether an endpoint without a price may not be used."""
        return self.of_money and not self._terms.allow_unpriced

    @property
    def default_output_tokens(self) -> int | None:
        """The output limit that a request is sent with that has none; None where it may do without."""
        bounded = self.of_money or self._key.tokens_per_minute is not None
        return self._terms.default_output_tokens if bounded else None

    async def set_aside(self, quoted: Quote, now: datetime) -> Reserved:
        """What a try may need, set aside in the periods of `now`.

        Raises: `LimitReachedError`; `GatewayError` (unavailable) when the storage would have to be asked and is away.
        """
        needs = self._of_money(now, quoted.at_most)
        record = None
        if needs:
            names = tuple([f"{need.allowance.scope}|{need.allowance.period}" for need in needs])
            record = Reservation(amount=needs[0].amount, out_of=names)
        if self._rated:
            needs += self._of_rates(now, quoted.bound)
        try:
            hold = await self._leases.take(needs)
        except UsedUpError as used_up:
            raise self._refusal(used_up, now) from None
        self._counted = True
        return Reserved(hold, now, record, quoted.unseen)

    def _of_money(self, now: datetime, amount: Decimal | None) -> list[Need]:
        """What is needed of money, the key's first, and then of the broadest budget."""
        if amount == 0:
            return []
        running = periods(now)
        wanted = LEAST if amount is None else rounded(amount)  # nothing goes on where nothing is left
        mine = of_key(self._key, running)
        needs = [] if mine is None else [Need(mine, wanted)]
        if self._workspace is not None:
            needs += [Need(allowance, wanted) for _, allowance in of_workspace(self._workspace, running)]
        return needs

    def _of_rates(self, now: datetime, most: Bound) -> Iterator[Need]:
        """What is needed of the rates of this minute: a request counts once, however often it is tried."""
        this_minute = minute(now)
        if not self._counted and (requests := requests_a_minute(self._key, this_minute)) is not None:
            yield Need(requests, _ONE)
        if (tokens := tokens_a_minute(self._key, this_minute)) is not None:
            asked = most.input_tokens + (most.output_tokens or self._terms.default_output_tokens)
            yield Need(tokens, Decimal(asked))

    def _refusal(self, used_up: UsedUpError, now: datetime) -> LimitReachedError:
        allowance = used_up.allowance
        if allowance.scope.startswith(RATES):
            return _too_many(used_up, now)
        for budget, bounding in of_workspace(self._workspace, periods(now)) if self._workspace is not None else ():
            if bounding == allowance:
                return LimitReachedError(
                    "permission_denied",
                    f"Workspace {budget.interval} budget of {dollars(budget.limit)} exceeded. Contact your org admin.",
                )
        left = max(used_up.left, Decimal(0))
        return LimitReachedError(
            "payment_required",
            f"This request may cost more than this key has left: {dollars(left)} of its {_interval(self._key)}limit "
            f"of {dollars(allowance.limit)}. Ask for fewer tokens, or have the limit raised",
        )


class Reserved:
    """What is set aside for one try, until it is settled. `at` says when that was: it counts in the periods of then.

    `record` says how much of money it was, None for none; `unseen` what limits count of the try, in US dollars, should
    its process not live to see its end: about what its input costs.
    """

    __slots__ = ("_hold", "at", "record", "unseen")

    def __init__(
        self, hold: Hold, at: datetime, record: Reservation | None = None, unseen: Decimal | None = None
    ) -> None:
        self._hold = hold
        self.at = at
        self.record = record
        self.unseen = unseen

    def settle(self, attempt: Attempt, tokens: Callable[[], int]) -> None:
        """The try has ended, and this is what it used; `tokens` gives our own count where nobody has given any."""
        charged = rounded(attempt.charged) if attempt.charged else _NOTHING

        def used(need: Need) -> Decimal:
            scope = need.allowance.scope
            if not scope.startswith(RATES):
                return charged
            if scope.startswith(REQUESTS):
                return need.amount
            if attempt.usage is not None:
                return Decimal(attempt.usage.total_tokens)
            return Decimal(tokens() if attempt.uncounted else 0)

        self._hold.settle(used)

    def give_back(self) -> None:
        """Nothing was sent for it. The request counts as one all the same: it is tried again."""
        self._hold.settle(lambda need: need.amount if need.allowance.scope.startswith(REQUESTS) else _NOTHING)


def _too_many(used_up: UsedUpError, now: datetime) -> LimitReachedError:
    allowance = used_up.allowance
    what = allowance.scope.partition(":")[0]
    wait_s = _MINUTE_S - now.second
    left = max(used_up.left, Decimal(0))
    headers = {
        "X-RateLimit-Limit": str(allowance.limit),
        "X-RateLimit-Remaining": str(int(left)),
        "X-RateLimit-Reset": str((minute(now) + 1) * _MINUTE_S * 1_000),
    }
    return LimitReachedError(
        "rate_limit_exceeded",
        f"Rate limit exceeded: {allowance.limit} {what} per minute",
        headers=headers,
        retry_after_s=wait_s,
    )


def _interval(key: Key) -> str:
    return "" if key.limit_reset is None else f"{key.limit_reset} "
