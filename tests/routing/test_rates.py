"""What an endpoint charges: by the service tier that has served a request."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from routing.catalog_support import OWN, catalog_of
from setpoint.records import EndpointFacts, Price
from setpoint.routing.rates import price_served, with_tier_prices
from support.records import endpoint, provider

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.records import Endpoint


def at(dollars: int) -> Price:
    return Price(prompt=Decimal(dollars), completion=Decimal(dollars))


PLAIN = endpoint("own", price=at(2), tier_prices={"default": at(2), "flex": at(1), "priority": at(4), "fast": at(5)})
FLEX = endpoint("own/flex", price=at(1), tier="flex", tier_prices={"default": at(2), "flex": at(1)})


@pytest.mark.parametrize(
    ("of", "said", "expected"),
    [
        (PLAIN, None, at(2)),
        (PLAIN, "auto", at(2)),
        (PLAIN, "default", at(2)),
        (PLAIN, "standard", at(2)),
        (PLAIN, "on_demand", at(2)),
        (PLAIN, "flex", at(1)),
        (PLAIN, "priority", at(4)),
        (PLAIN, "fast", at(5)),
        (PLAIN, "scale", None),
        (PLAIN, "batch", None),
        (FLEX, None, at(1)),
        (FLEX, "flex", at(1)),
        (FLEX, "default", at(2)),
        (FLEX, "priority", None),
    ],
)
def test_what_it_costs_at_the_tier_that_served(of: Endpoint, said: str | None, expected: Price | None) -> None:
    assert price_served(of, said) == expected


def test_one_s_own_machine_costs_the_same_whatever_it_says() -> None:
    mine = endpoint(provider("mine", own_machine=True), price=at(0))
    assert price_served(mine, "priority") == at(0)


def test_endpoints_of_a_provider_say_what_its_tiers_cost() -> None:
    plain, quick, other = with_tier_prices(
        [
            endpoint("own", price=at(3), tier_prices={"default": at(2), "flex": at(1), "priority": at(4)}),
            endpoint("own/priority", tier="priority", price=at(7)),
            endpoint("other", price=at(9)),
        ]
    )
    assert plain.tier_prices == {"default": at(3), "flex": at(1), "priority": at(7), "fast": at(7)}
    assert quick.tier_prices == {"default": at(3), "priority": at(7), "fast": at(7)}
    assert other.tier_prices == {"default": at(9)}


def test_where_two_of_a_tier_do_not_agree_nothing_is_known() -> None:
    here, there, flex = with_tier_prices(
        [
            endpoint("own/here", price=at(3)),
            endpoint("own/there", price=at(4)),
            endpoint("own/flex", tier="flex", price=at(1), tier_prices={"default": at(3)}),
        ]
    )
    assert (price_served(here, "default"), price_served(there, "default")) == (at(3), at(4))
    assert price_served(flex, "default") is None


def test_an_endpoint_without_a_price_tells_none() -> None:
    plain, _ = with_tier_prices(
        [endpoint("own", price=at(3), tier_prices={"flex": at(1)}), endpoint("own/flex", tier="flex")]
    )
    assert price_served(plain, "flex") == at(1)


class _Facts:
    """What the tiers of one model cost."""

    def endpoint(self, slug: str, model: str) -> EndpointFacts | None:
        known = EndpointFacts(tier_prices={"default": at(2), "priority": at(4)})
        return known if (slug, model) == ("own", "known") else None

    def context_length(self, model_id: str) -> int | None:
        del model_id


def test_an_endpoint_of_a_tier_has_the_price_of_that_tier_and_never_the_standard_one(tmp_path: Path) -> None:
    text = (
        f"{OWN}models:\n"
        "  a/known:\n"
        "    endpoints:\n"
        "      - {provider: own}\n"
        "      - {provider: own, tag: own/priority, tier: priority}\n"
        "      - {provider: own, tag: own/flex, tier: flex}\n"
        "      - {provider: own, tag: own/batch, tier: batch, pricing: {prompt: 1, completion: 1}}\n"
    )
    made, _ = catalog_of(text, tmp_path, facts=_Facts())
    prices = {one.tag: one.price for one in made.models["a/known"].endpoints}
    assert prices == {"own": at(2), "own/priority": at(4), "own/flex": None, "own/batch": at(1)}
    unnamed = made.find("own/known")
    assert unnamed is not None
    [found] = unnamed.endpoints
    assert (price_served(found, "priority"), price_served(found, "flex")) == (at(4), None)
