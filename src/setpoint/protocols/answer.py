"""What every protocol tells of an answer it read, and what it is told to stamp into one it writes."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from setpoint.canonical.usage import Usage
from setpoint.records import Cost


class Stamp(Struct, frozen=True):
    """What the gateway puts into an answer: its generation id, the model and provider that answered, when it began.

    `created` is in Unix seconds and counts only where the upstream gives none.
    """

    id: str
    model: str
    provider: str
    created: int


class Bill(Struct, frozen=True):
    """What goes into an answer's usage: the tokens, our cost, and the amount to show (None: unknown)."""

    usage: Usage
    cost: Cost | None
    amount: Decimal | None


class Outcome(Struct, kw_only=True):
    """What is known of an answer so far. None: the upstream has not said."""

    upstream_id: str | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    service_tier: str | None = None
    usage: Usage | None = None
    provider_cost: Decimal | None = None
    output_bytes: int = 0
