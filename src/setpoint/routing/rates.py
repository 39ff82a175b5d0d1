"""Which of its prices an endpoint charges: by the tier that serves, and by the length of the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from setpoint.records import Endpoint, Model, Price
    from setpoint.routing.wanted import Wanted

# "on_demand" is Groq's word for it (https://console.groq.com/docs/service-tiers, read 2026-11). "auto" repeats what was
# asked, and says nothing of what was served.
_TIERS: Mapping[str, str | None] = {"standard": "default", "on_demand": "default", "auto": None, "": None}
"""What answers call a tier, where that is not its name; None: they do not say."""


def price_served(endpoint: Endpoint, said: str | None) -> Price | None:
    """The price at the tier that the provider says has served a request; the endpoint's own when it says none.

    None when what it costs there is not known. What people run themselves costs the same whatever it says.
    """
    tier = None if said is None else _TIERS.get(said, said)
    if tier is None or tier == endpoint.tier or endpoint.provider.own_machine:
        return endpoint.price
    return endpoint.tier_prices.get(tier)


def for_length(price: Price, input_tokens: int) -> Price:
    """The price of a request whose prompt has so many tokens."""
    for long in reversed(price.long):
        if input_tokens > long.above_tokens:
            return long.price
    return price


def at_length(model: Model, wanted: Wanted) -> Model:
    """The model with the prices that a prompt of this length has, for what goes by price before there is an answer.

    It is itself where no endpoint has another price for it.
    """
    most = model.longest_base
    if most is None or wanted.most_input <= most or wanted.input_tokens is None:
        return model
    tokens = wanted.input_tokens()
    return model if tokens <= most else structs.replace(model, endpoints=_at(model.endpoints, tokens))


def _at(endpoints: Iterable[Endpoint], tokens: int) -> tuple[Endpoint, ...]:
    return tuple(
        one if one.price is None else structs.replace(one, price=for_length(one.price, tokens)) for one in endpoints
    )


def with_tier_prices(endpoints: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    """The endpoints of a model, each with the prices of those of its provider for other tiers.

    They go before what is known of the tiers otherwise. Where two of one tier do not agree, nothing is known.
    """
    asked: dict[str, dict[str, set[Price]]] = {}
    for endpoint in endpoints:
        if endpoint.price is not None:
            tiers = asked.setdefault(endpoint.provider.slug, {})
            for tier in _names(endpoint):
                tiers.setdefault(tier, set()).add(endpoint.price)
    return tuple(_with(endpoint, asked.get(endpoint.provider.slug, {})) for endpoint in endpoints)


def _with(endpoint: Endpoint, asked: Mapping[str, set[Price]]) -> Endpoint:
    others = {tier: price for tier, price in endpoint.tier_prices.items() if tier not in asked}
    agreed = {tier: next(iter(prices)) for tier, prices in asked.items() if len(prices) == 1}
    return structs.replace(endpoint, tier_prices={**others, **agreed})


def _names(endpoint: Endpoint) -> Iterable[str]:
    """What its tier is called. To be fast is a speed to some providers, and the endpoints for it are priority's."""
    return ("priority", "fast") if endpoint.tier == "priority" else (endpoint.tier,)
