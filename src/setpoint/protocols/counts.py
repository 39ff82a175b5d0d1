"""What the usage objects of several protocols have in common: two counts with their details, the total, the cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.canonical.usage import Usage
from setpoint.protocols.money import money, read_count, read_money
from setpoint.wire.body import NULL, as_object, is_null, join

if TYPE_CHECKING:
    from decimal import Decimal

    from setpoint.protocols.answer import Bill
    from setpoint.wire.body import Body


def read_counts(data: Raw, said: str, made: str) -> tuple[Usage, Decimal | None] | None:
    """The tokens that an upstream counted under these two names, and the cost it names.

    None when it counted nothing that can be read. Half of a count is none: what is not counted is unknown, not nothing.
    """
    body = as_object(data)
    if any(is_null(body.get(name, NULL)) for name in (said, made)):
        return None
    of_said, of_made = as_object(body.get(f"{said}_details")), as_object(body.get(f"{made}_details"))
    try:
        input_tokens, output_tokens = read_count(body, said), read_count(body, made)
        reasoning_tokens = read_count(of_made, "reasoning_tokens")
        # "Reasoning token consumption will be counted separately from completion_tokens, but will be counted in the
        # total_tokens" (xAI's guide to consumption, read 2026-11). Gemini counts likewise, and some that speak for it
        # have its thoughts in the total alone.
        beside = read_total(body) - input_tokens - output_tokens
        if beside > 0 and reasoning_tokens in (0, beside):
            output_tokens, reasoning_tokens = output_tokens + beside, beside
        usage = Usage(
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            cached_tokens=read_count(of_said, "cached_tokens"),
            cache_write_tokens=read_count(of_said, "cache_write_tokens"),
            reasoning_tokens=reasoning_tokens,
            input_audio_tokens=read_count(of_said, "audio_tokens"),
            output_audio_tokens=read_count(of_made, "audio_tokens"),
            image_tokens=read_count(of_made, "image_tokens"),
            searches=read_searches(body),
        )
    except ValueError:
        return None
    return usage, read_money(body.get("cost"))


def read_searches(body: Body) -> int:
    """The searches of the web that an upstream counted. Raises: `ValueError` as `read_count`.

    OpenRouter's schema says `server_tool_use_details` where its guide and Anthropic say `server_tool_use`. "Live Search
    costs $25 per 1,000 sources used", which are `num_sources_used` (xAI's guide to live search, read 2026-11).
    """
    counts = (read_count(as_object(body.get(name)), "web_search_requests") for name in _TOOLS)
    return max(*counts, read_count(body, "num_sources_used"))


_TOOLS = ("server_tool_use_details", "server_tool_use")


def read_total(body: Body) -> int:
    """The total that an upstream counted, 0 when it cannot be read."""
    try:
        return read_count(body, "total_tokens")
    except ValueError:
        return 0


def write_cost(bill: Bill, said: str = "prompt", made: str = "completions") -> Body:
    """The members of a usage object that say what an answer cost, two of them in the protocol's own words."""
    costs: Body = {"cost": money(bill.amount), "is_byok": Raw(b"true")}
    if bill.cost is not None:
        details = {
            "upstream_inference_cost": money(bill.cost.total),
            f"upstream_inference_{said}_cost": money(bill.cost.prompt),
            f"upstream_inference_{made}_cost": money(bill.cost.completion),
        }
        costs["cost_details"] = Raw(join(details))
    return costs
