"""What an answer used and cost: the one place where tokens become money."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import TYPE_CHECKING

from msgspec import structs

from setpoint.canonical.usage import Usage, estimated_tokens
from setpoint.protocols.answer import Bill, Outcome
from setpoint.records import EXACT, Cost
from setpoint.routing.rates import for_length, price_served

if TYPE_CHECKING:
    from collections.abc import Callable

    from setpoint.records import Endpoint, Price

_NOTHING = Decimal(0)


def cost(usage: Usage, price: Price | None) -> Cost | None:
    """What one answer cost, in US dollars; None when the price lacks a rate that the usage needs.

    Prices are dollars per single token, image and search. Cached reads and cache writes are counted inside
    `usage.input_tokens`, reasoning and audio inside `usage.output_tokens`: each is taken out before the plain rate
    applies. Reasoning without a rate of its own is output like any other. An estimated usage has no cost: it would be a
    guess that looks exact.
    """
    if price is None or usage.estimated:
        return None
    with localcontext(EXACT):
        return _cost(usage, for_length(price, usage.input_tokens))


def _cost(usage: Usage, price: Price) -> Cost | None:
    prompt = _prompt(usage, price)
    reasoning = usage.reasoning_tokens if price.internal_reasoning is not None else 0
    completion = _sum(
        (max(usage.output_tokens - reasoning - usage.output_audio_tokens, 0), price.completion),
        (reasoning, price.internal_reasoning),
        (usage.output_audio_tokens, price.audio_output),
    )
    pictures = _sum((usage.images if price.image is not None else 0, price.image))  # elsewhere they are tokens like all
    searches = _sum((usage.searches, price.web_search))
    if prompt is None or completion is None or pictures is None or searches is None:
        return None
    prompt += pictures
    return Cost(prompt=prompt, completion=completion, total=prompt + completion + searches + (price.request or 0))


def _prompt(usage: Usage, price: Price) -> Decimal | None:
    """What the input cost. None also when that hangs on how much of its audio came from a cache, which nobody counts.

    It does not where all of the input is audio, or all of it came from there, or the rates make it one.
    """
    heard, read = usage.input_audio_tokens, usage.cached_tokens
    most = min(heard, read)
    if not most:
        return _input(usage, price, 0)
    least = max(heard + read + usage.cache_write_tokens - usage.input_tokens, 0)
    cost_at_least = _input(usage, price, min(least, most))
    return cost_at_least if cost_at_least == _input(usage, price, most) else None


def _input(usage: Usage, price: Price, cached_audio: int) -> Decimal | None:
    """What the input cost if this much of its audio came from a cache."""
    audio = usage.input_audio_tokens - cached_audio
    plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens - audio
    return _sum(
        (max(plain, 0), price.prompt),
        (usage.cached_tokens - cached_audio, price.input_cache_read),
        (usage.cache_write_tokens - usage.cache_write_1h_tokens, price.input_cache_write),
        (usage.cache_write_1h_tokens, price.input_cache_write_1h),
        (audio, price.audio),
        (cached_audio, price.input_audio_cache),
    )


def bill(outcome: Outcome, endpoint: Endpoint, estimated_input: Callable[[], int], images: int = 0) -> Bill:
    """The bill of an answer: by our price at the tier that has served it, else the provider's own figure, else unknown.

    `estimated_input` gives our own count of the request, for an upstream that gave none; `images` are those in it,
    which no upstream counts.
    """
    usage = outcome.usage if outcome.usage is not None else _estimate(outcome, estimated_input)
    if images:
        usage = structs.replace(usage, images=images)
    price = price_served(endpoint, outcome.service_tier)
    ours = cost(usage, price)
    amount = ours.total if ours is not None else outcome.provider_cost
    known = price if price is not None and price.per_token is not None else endpoint.price
    charged = amount if amount is not None else _guess(usage, known)
    return Bill(usage, ours, amount, outcome.provider_cost, charged)


def _guess(usage: Usage, price: Price | None) -> Decimal | None:
    """What a usage comes to that has no cost, since nobody has counted it or a rate is missing: what limits go by.

    All audio is at its full rate where nobody knows how much of it was cached.
    """
    if price is None:
        return None
    counted, rates = structs.replace(usage, estimated=False), _filled(for_length(price, usage.input_tokens))
    guess = cost(counted, rates) or cost(structs.replace(counted, cached_tokens=0), rates)
    return guess.total if guess is not None else None


def _filled(price: Price) -> Price:
    """A price with a rate for everything: that of plain tokens where it has none, and nothing for searches."""
    prompt, completion = price.prompt or _NOTHING, price.completion or _NOTHING
    rates = {
        "prompt": prompt,
        "completion": completion,
        "web_search": _NOTHING,
        "input_cache_read": prompt,
        "input_cache_write": prompt,
        "input_cache_write_1h": price.input_cache_write or prompt,
        "audio": prompt,
        "audio_output": completion,
        "input_audio_cache": price.audio or prompt,
    }
    return structs.replace(price, **{name: rate for name, rate in rates.items() if getattr(price, name) is None})


def input_alone(endpoint: Endpoint, input_tokens: int, images: int = 0) -> Decimal | None:
    """What the input of a try cost that nobody has counted, by our own count: no cost, but what limits go by."""
    price = endpoint.price
    if price is None or (rates := for_length(price, input_tokens)).prompt is None:
        return None
    amount = EXACT.multiply(rates.prompt, input_tokens)
    if images and rates.image:
        amount = EXACT.fma(rates.image, images, amount)
    return amount if rates.request is None else EXACT.add(amount, rates.request)


def spent(outcome: Outcome, endpoint: Endpoint, images: int = 0) -> Bill | None:
    """The bill of a try that gave no answer: what its upstream counted all the same, None when it counted nothing.

    Where it counted the input alone, nothing is known of the cost.
    """
    if outcome.usage is None and outcome.partial is None:
        return None
    return bill(outcome, endpoint, lambda: 0, images)  # our count is not asked: the input is counted


def _estimate(outcome: Outcome, estimated_input: Callable[[], int]) -> Usage:
    """Our own count of what the upstream did not count to the end; its count of the input stays."""
    output_tokens = estimated_tokens(outcome.output_bytes)
    if outcome.partial is not None:
        return structs.replace(outcome.partial, output_tokens=output_tokens, estimated=True)
    return Usage(input_tokens=estimated_input(), output_tokens=output_tokens, estimated=True)


def _sum(*parts: tuple[int, Decimal | None]) -> Decimal | None:
    """Tokens times rates, None when tokens meet an unknown rate."""
    total = Decimal(0)
    for tokens, rate in parts:
        if tokens:
            if rate is None:
                return None
            total += tokens * rate
    return total
