"""What an endpoint charges: by the service tier that has served a request, and by the length of its prompt."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from routing.catalog_support import OWN, catalog_of
from routing.plan_support import catalog, left_out, planned, tags
from setpoint.records import EndpointFacts, LongPrice, Price
from setpoint.routing.preferences import read_preferences
from setpoint.routing.rates import for_length, price_served, with_tier_prices
from setpoint.wire.body import raw
from support.records import endpoint, model, provider

if TYPE_CHECKING:
    from pathlib import Path

    from setpoint.records import Endpoint, Model


def at(dollars: int) -> Price:
    return Price(prompt=Decimal(dollars), completion=Decimal(dollars))


PLAIN = endpoint("own", price=at(2), tier_prices={"default": at(2), "flex": at(1), "priority": at(4), "fast": at(5)})
FLEX = endpoint("own/flex", price=at(1), tier="flex", tier_prices={"default": at(2), "flex": at(1)})


@pytest.mark.parametrize(
    ("of", "said", "expected"),
    [
        (PLAIN, None, at(2)),
        (PLAIN, "auto", at(2)),
        (PLAIN, "", at(2)),
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


# --- long prompts --------------------------------------------------------------------------------------------


def stepped(base: int, *steps: tuple[int, int]) -> Price:
    """Dollars for a million tokens, and others above so many tokens of prompt."""
    prices = [Price(prompt=Decimal(one) / 1_000_000, completion=Decimal(one) / 1_000_000) for _, one in steps]
    plain = Price(prompt=Decimal(base) / 1_000_000, completion=Decimal(base) / 1_000_000)
    long = [LongPrice(above_tokens=above, price=one) for (above, _), one in zip(steps, prices, strict=True)]
    return structs.replace(plain, long=tuple(long))


STEEP = model("m", endpoint("steep", price=stepped(1, (100, 9), (200, 20))), endpoint("flat", price=stepped(2)))


def wish(**said: Any) -> dict[str, Any]:
    """What a request says whose `provider` object this is."""
    return {"preferences": read_preferences({"provider": raw(said)})}


def long(tokens: int, **more: Any) -> Any:
    """What a request of a prompt of so many tokens says, each of five bytes."""
    return {"most_input": 5 * tokens, "input_tokens": lambda: tokens, **more}


def test_the_price_of_a_length_is_that_of_the_last_step_that_it_is_above() -> None:
    price = stepped(1, (100, 9), (200, 20))
    found = {tokens: for_length(price, tokens).prompt for tokens in (0, 100, 101, 200, 201)}
    rates = {tokens: rate * 1_000_000 for tokens, rate in found.items() if rate is not None}
    assert rates == {0: 1, 100: 1, 101: 9, 200: 9, 201: 20}


@pytest.mark.parametrize(("tokens", "first"), [(100, "steep"), (101, "flat")])
def test_the_cheapest_is_the_one_that_is_so_for_a_prompt_of_this_length(tokens: int, first: str) -> None:
    found = planned(catalog(STEEP), "m", **long(tokens, **wish(sort="price")))
    assert tags(found)[0] == first


def test_the_draw_goes_by_the_price_of_the_length() -> None:
    def share(tokens: int) -> float:
        dice, times = Random(7).random, 4_000
        plans = (planned(catalog(STEEP), "m", dice=dice, **long(tokens)) for _ in range(times))
        return sum(plan.endpoints[0].tag == "steep" for plan in plans) / times

    assert abs(share(100) - 4 / 5) < 0.03  # 1 / 1**2 to 1 / 2**2
    assert abs(share(150) - 4 / 85) < 0.03  # 1 / 9**2 to 1 / 2**2


def test_a_cap_holds_for_the_price_of_the_length() -> None:
    capped = wish(max_price={"prompt": 5})
    assert sorted(tags(planned(catalog(STEEP), "m", **long(100, **capped)))) == ["flat", "steep"]
    found = planned(catalog(STEEP), "m", **long(101, **capped))
    assert (tags(found), left_out(found)) == (["flat"], {"steep": "max_price"})


def test_what_is_tried_is_the_endpoint_as_it_is_offered() -> None:
    found = planned(catalog(STEEP), "m", **long(500))
    assert {id(one.endpoint) for one in found.candidates} == {id(one) for one in STEEP.endpoints}
    assert all(one.model is STEEP for one in found.candidates)


@pytest.mark.parametrize("of", [STEEP, model("m", endpoint("flat", price=stepped(2)), endpoint("none"))])
def test_nobody_counts_a_prompt_that_no_step_can_reach(of: Model) -> None:
    def never() -> int:
        raise AssertionError("its bytes have told that it is short")

    planned(catalog(of), "m", most_input=100, input_tokens=never)
