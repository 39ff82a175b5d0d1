"""What every protocol tells of an answer it read, and what it is told when it begins to write one."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Raw, Struct

from setpoint.canonical.usage import Usage
from setpoint.protocols.failures import scrub
from setpoint.records import Cost
from setpoint.wire.body import Body

if TYPE_CHECKING:
    from setpoint.canonical.events import Counted
    from setpoint.protocols.failures import Reported


class Stamp(Struct, frozen=True):
    """What the gateway puts into an answer: its generation id, the model and provider that answered, when it began.

    `created` is in Unix seconds and counts only where the upstream gives none.
    """

    id: str
    model: str
    provider: str
    created: int


class Opening(Struct, frozen=True, kw_only=True):
    """What a skin knows when it begins to write an answer.

    `request` is the effective request body of the skin, preset included. `new_id` makes an id with this prefix
    (`call_`). `debug` are the bodies that went upstream, when the caller asked to see them, each with the stamp of its
    attempt. `scrub` takes the provider's keys out of what it says of a failure.
    """

    stamp: Stamp
    request: Body
    new_id: Callable[[str], str]
    debug: tuple[tuple[Stamp, Raw], ...] = ()
    scrub: Callable[[str], str] = scrub


class Bill(Struct, frozen=True):
    """What an answer used: the tokens, our cost, and the amount to show. Money is US dollars, None where unknown.

    `provider_cost` is the provider's own figure, `charged` what limits count: the amount, else an estimate.
    """

    usage: Usage
    cost: Cost | None
    amount: Decimal | None
    provider_cost: Decimal | None = None
    charged: Decimal | None = None

    @property
    def drifts(self) -> bool:
        """Whether the provider's own figure is more than a hundredth of the larger one off ours."""
        ours, theirs = self.amount, self.provider_cost
        return ours is not None and theirs is not None and abs(ours - theirs) * 100 > max(ours, theirs)


class Outcome(Struct, kw_only=True):
    """What is known of an answer so far. None: the upstream has not said.

    `usage` is the upstream's count of the whole answer; `partial` one that is still to count the output. `unsaid`
    names what of the answer the skin has no word for.
    """

    upstream_id: str | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    service_tier: str | None = None
    usage: Usage | None = None
    partial: Usage | None = None
    provider_cost: Decimal | None = None
    output_bytes: int = 0
    unsaid: tuple[str, ...] = ()


class StreamFailedError(Exception):
    """The upstream reported an error inside its stream. `counted` is what it says that it used all the same."""

    def __init__(self, reported: Reported, counted: Counted | None = None) -> None:
        super().__init__("error inside the stream")
        self.reported = reported
        self.counted = counted
