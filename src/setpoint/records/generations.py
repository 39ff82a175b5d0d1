"""Answers: where they could have come from, what was tried, what it used and cost."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, localcontext
from typing import Literal

from msgspec import Struct

from setpoint.canonical.usage import Usage
from setpoint.records.prices import EXACT, Cost
from setpoint.records.providers import Dialect

GenerationStatus = Literal["completed", "failed", "cancelled", "interrupted"]
Exclusion = Literal[
    "unknown_provider",
    "disabled",
    "dialect",
    "only",
    "ignored",
    "key_not_allowed",
    "data_collection",
    "zdr",
    "quantization",
    "max_price",
    "context_length",
    "output_limit",
    "require_parameters",
    "tools",
    "modality",
    "tier",
    "variant",
    "distillable",
    "no_fallbacks",
    "no_price",
    "breaker_open",
    "concurrency",
    "key_refused",
]
"""Why an endpoint cannot serve a request."""
Order = Literal[
    "sticky",
    "order",
    "price",
    "throughput",
    "latency",
    "exacto",
    "tier",
    "drawn",
    "fallback",
    "unpriced",
    "spare",
    "unstable",
    "slow",
    "cooling",
]
"""Why an endpoint stands where it does among those that can."""


class Planned(Struct, frozen=True, kw_only=True, gc=False):
    """An endpoint that a request could go to, by provider slug, model id and tag, and why it stood where it did."""

    provider: str
    model: str
    tag: str
    reason: Order


class Excluded(Struct, frozen=True, kw_only=True, gc=False):
    """An endpoint that a request could not go to, and why. Without model and tag: a provider that nobody here is."""

    provider: str
    model: str | None
    tag: str | None
    reason: Exclusion


class Reservation(Struct, frozen=True, kw_only=True):
    """US dollars that were set aside for one try, and out of which allowances: their names."""

    amount: Decimal
    out_of: tuple[str, ...]


class Attempt(Struct, frozen=True, kw_only=True):
    """One try at one endpoint. `status` is the upstream's HTTP status, None when none came.

    `error` is the error type it ended with, None for the attempt that answered. `latency_ms` runs from the start of
    the try to its first meaningful event, or to its end when none came; None when nobody saw the end. `usage` and
    `cost` in US dollars are of this try alone, None where nothing is known of it; `provider_cost` is the provider's own
    figure. `charged` is what limits count of it: the cost, or an estimate where that is not known. It was sent at `at`.
    `uncounted`: it may have cost something, and nobody has said what.
    """

    provider: str
    provider_name: str
    model: str
    upstream_model: str
    tag: str
    key_id: str | None
    status: int | None
    error: str | None
    latency_ms: int | None
    usage: Usage | None = None
    cost: Decimal | None = None
    at: datetime | None = None
    provider_cost: Decimal | None = None
    charged: Decimal | None = None
    reserved: Reservation | None = None
    uncounted: bool = False

    @property
    def is_booked(self) -> bool:
        """Whether the ledger has it: it cost something, or may have."""
        return self.usage is not None or self.cost is not None or self.uncounted


class Generation(Struct, frozen=True, kw_only=True):
    """The record of one answer. None means that it does not apply or is not known; an unknown cost is never 0.

    `status` is `interrupted` when the process that answered did not live to see the end.
    `unsaid` and `not_honoured` are JSON pointers into the request in the skin's own field names. `endpoints` are those
    of its plan in their order, `excluded` those left out; both are known once the answer has ended. `zero_completion`:
    it was paid for, and gave nothing. `metadata` and `trace` are the caller's own, as raw JSON objects. `cost_drift`:
    the provider's own figure is more than a hundredth off ours.
    """

    id: str
    created_at: datetime
    skin: Dialect
    status: GenerationStatus
    workspace_id: str
    key_digest: str
    requested_model: str | None
    model: str
    provider: str | None
    provider_name: str | None
    preset_id: str | None
    preset_slug: str | None
    preset_version: int | None
    version_id: str | None
    system_prompt_from: Literal["preset", "request", "both"] | None
    streamed: bool
    cancelled: bool
    finish_reason: str | None
    native_finish_reason: str | None
    error_type: str | None
    upstream_id: str | None
    usage: Usage | None
    cost: Cost | None
    provider_cost: Decimal | None
    latency_ms: int | None
    generation_ms: int | None
    unsaid: tuple[str, ...]
    not_honoured: tuple[str, ...]
    attempts: tuple[Attempt, ...]
    session_id: str | None = None
    external_user: str | None = None
    http_referer: str | None = None
    app_title: str | None = None
    user_agent: str | None = None
    service_tier: str | None = None
    endpoints: tuple[Planned, ...] = ()
    excluded: tuple[Excluded, ...] = ()
    zero_completion: bool = False
    user_id: str = ""
    metadata: bytes | None = None
    trace: bytes | None = None
    cost_drift: bool = False

    @property
    def total_cost(self) -> Decimal | None:
        """US dollars for all its tries together; None when what one of them cost is not known, or none can have."""
        costs = [attempt.cost for attempt in self.attempts if attempt.is_booked]
        known = [cost for cost in costs if cost is not None]
        if not known or len(known) < len(costs):
            return None
        with localcontext(EXACT):
            return sum(known, Decimal(0))


class Content(Struct, frozen=True, kw_only=True):
    """What was asked and answered in one generation, as raw JSON objects. `error` is None where it did not fail."""

    generation_id: str
    workspace_id: str
    created_at: datetime
    input: bytes
    output: bytes
    error: bytes | None
