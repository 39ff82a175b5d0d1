"""Which of its prices an endpoint charges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import structs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from setpoint.records import Endpoint, Price

# "on_demand" is Groq's word for it (https://console.groq.com/docs/service-tiers, read 2026-11). "auto" repeats what was
# asked, and says nothing of what was served.
_TIERS: Mapping[str | None, str | None] = {"standard": "default", "on_demand": "default", "auto": None}
"""What answers call a tier, where that is not its name."""


def price_served(endpoint: Endpoint, said: str | None) -> Price | None:
    """The price at the tier that the provider says has served a request; the endpoint's own when it says none.

    None when what it costs there is not known. What people run themselves costs the same whatever it says.
    """
    tier = _TIERS.get(said, said)
    if tier is None or tier == endpoint.tier or endpoint.provider.own_machine:
        return endpoint.price
    return endpoint.tier_prices.get(tier)


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
