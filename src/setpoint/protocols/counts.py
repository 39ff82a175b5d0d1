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
        usage = Usage(
            input_tokens=read_count(body, said),
            output_tokens=read_count(body, made),
            cached_tokens=read_count(of_said, "cached_tokens"),
            cache_write_tokens=read_count(of_said, "cache_write_tokens"),
            reasoning_tokens=read_count(of_made, "reasoning_tokens"),
            input_audio_tokens=read_count(of_said, "audio_tokens"),
            output_audio_tokens=read_count(of_made, "audio_tokens"),
            image_tokens=read_count(of_made, "image_tokens"),
        )
    except ValueError:
        return None
    return usage, read_money(body.get("cost"))


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
