"""A whole answer, in no protocol's dialect."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Raw, Struct

from setpoint.canonical.parts import Part
from setpoint.canonical.usage import Usage

FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class Finish(Struct, frozen=True, kw_only=True):
    """Why an answer ended: the chat protocol's word, the provider's own, and the raw stop sequence that matched.

    `details` is the messages protocol's raw `stop_details`; None where nothing was said.
    """

    reason: FinishReason
    native: str
    stop_sequence: Raw | None = None
    details: Raw | None = None


class Result(Struct, frozen=True, kw_only=True):
    """What a model answered: the parts of one assistant turn. None: the upstream has not said.

    `logprobs` is the raw list of the chat protocol's `logprobs.content`, of all the text. `unsaid` names what of the
    answer has no canonical word (`server_tool_use`), once each.
    """

    parts: tuple[Part, ...] = ()
    finish: Finish | None = None
    usage: Usage | None = None
    provider_cost: Decimal | None = None
    upstream_id: str | None = None
    service_tier: str | None = None
    logprobs: Raw | None = None
    unsaid: tuple[str, ...] = ()
