"""Tokens become money: golden vectors worked out by hand, and exactness for all others."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from setpoint.canonical.usage import Usage
from setpoint.gateway.meter import bill, cost, input_alone, spent
from setpoint.protocols.answer import Outcome
from setpoint.records import RATES, Cost, Price
from support.records import endpoint

if TYPE_CHECKING:
    from setpoint.records import Endpoint

# Dollars per million tokens: input 3, output 15, cache reads 0.30, cache writes 3.75, audio 40, read from a cache 4,
# made 80; $0.005 a request.
PLAIN = Price(prompt=Decimal("0.000003"), completion=Decimal("0.000015"))
CACHING = structs.replace(PLAIN, input_cache_read=Decimal("0.0000003"), input_cache_write=Decimal("0.00000375"))
THINKING = structs.replace(PLAIN, internal_reasoning=Decimal("0.00001"))
HEARING = structs.replace(CACHING, audio=Decimal("0.00004"), input_audio_cache=Decimal("0.000004"))
SPEAKING = structs.replace(PLAIN, audio_output=Decimal("0.00008"))
CALLING = structs.replace(PLAIN, request=Decimal("0.005"))
FREE = structs.replace(Price(), **dict.fromkeys(RATES, Decimal(0)))

ENDPOINT = endpoint("acme", "acme/sage", model="sage")


def used(input_tokens: int = 0, output_tokens: int = 0, **more: Any) -> Usage:
    return Usage(input_tokens=input_tokens, output_tokens=output_tokens, **more)


def dollars(prompt: str, completion: str, total: str) -> Cost:
    return Cost(prompt=Decimal(prompt), completion=Decimal(completion), total=Decimal(total))


@pytest.mark.parametrize(
    ("usage", "price", "expected"),
    [
        # 1,000 x $3/M = $0.003; 500 x $15/M = $0.0075
        (used(1000, 500), PLAIN, dollars("0.003", "0.0075", "0.0105")),
        # 200 x $3/M = $0.0006 and 800 cached x $0.30/M = $0.00024; 100 x $15/M = $0.0015
        (used(1000, 100, cached_tokens=800), CACHING, dollars("0.00084", "0.0015", "0.00234")),
        # 300 x $3/M = $0.0009, 100 cached = $0.00003, 600 written x $3.75/M = $0.00225
        (used(1000, 0, cached_tokens=100, cache_write_tokens=600), CACHING, dollars("0.00318", "0", "0.00318")),
        # all of it from the cache
        (used(1000, 0, cached_tokens=1000), CACHING, dollars("0.0003", "0", "0.0003")),
        # reasoning without a rate of its own is output: 500 x $15/M
        (used(0, 500, reasoning_tokens=300), PLAIN, dollars("0", "0.0075", "0.0075")),
        # with one: 200 x $15/M = $0.003 and 300 x $10/M = $0.003
        (used(0, 500, reasoning_tokens=300), THINKING, dollars("0", "0.006", "0.006")),
        # 750 x $3/M = $0.00225, 250 of audio x $40/M = $0.01
        (used(1000, 0, input_audio_tokens=250), HEARING, dollars("0.01225", "0", "0.01225")),
        # nothing but audio: 900 x $40/M = $0.036, 100 read from a cache x $4/M = $0.0004
        (used(1000, 0, cached_tokens=100, input_audio_tokens=1000), HEARING, dollars("0.0364", "0", "0.0364")),
        # all of it from the cache: 750 x $0.30/M = $0.000225, 250 of audio x $4/M = $0.001
        (used(1000, 0, cached_tokens=1000, input_audio_tokens=250), HEARING, dollars("0.001225", "0", "0.001225")),
        # 100 x $15/M = $0.0015 said, 400 spoken x $80/M = $0.032
        (used(0, 500, output_audio_tokens=400), SPEAKING, dollars("0", "0.0335", "0.0335")),
        # the price of a request comes on top, whatever was used
        (used(1000, 500), CALLING, dollars("0.003", "0.0075", "0.0155")),
        (used(), CALLING, dollars("0", "0", "0.005")),
        # images in the output are counted inside it
        (used(0, 500, image_tokens=400), PLAIN, dollars("0", "0.0075", "0.0075")),
        (used(1000, 500, cached_tokens=7, cache_write_tokens=7, reasoning_tokens=7), FREE, dollars("0", "0", "0")),
        (used(1000, 500, cached_tokens=7, input_audio_tokens=7), FREE, dollars("0", "0", "0")),
        (used(), Price(), dollars("0", "0", "0")),
        # a provider that counts cached reads beside the prompt: never less than nothing for the rest
        (used(10, 0, cached_tokens=20), CACHING, dollars("0.000006", "0", "0.000006")),
        (used(0, 10, reasoning_tokens=20), THINKING, dollars("0", "0.0002", "0.0002")),
    ],
)
def test_a_cost_worked_out_by_hand(usage: Usage, price: Price, expected: Cost) -> None:
    assert cost(usage, price) == expected


@pytest.mark.parametrize(
    ("usage", "price"),
    [
        (used(1, 1), None),
        (used(1, 0), Price(completion=Decimal(1))),
        (used(0, 1), Price(prompt=Decimal(1))),
        (used(10, 1, cached_tokens=1), PLAIN),
        (used(10, 1, cache_write_tokens=1), PLAIN),
        (used(10, 1, input_audio_tokens=1), CACHING),
        (used(10, 1, output_audio_tokens=1), PLAIN),
        # nobody says how much of the audio was read from the cache
        (used(1000, 1, cached_tokens=100, input_audio_tokens=250), HEARING),
        (used(1000, 1, cached_tokens=900, input_audio_tokens=250), HEARING),
        (used(1000, 1, cached_tokens=100, input_audio_tokens=1000), structs.replace(HEARING, input_audio_cache=None)),
    ],
)
def test_a_missing_rate_is_unknown_and_never_nothing(usage: Usage, price: Price | None) -> None:
    assert cost(usage, price) is None


def test_a_rate_that_is_not_needed_may_be_missing() -> None:
    assert cost(used(1000, 0), Price(prompt=Decimal("0.000003"))) == dollars("0.003", "0", "0.003")
    assert cost(used(10, 0, cached_tokens=10), Price(input_cache_read=Decimal("0.1"))) == dollars("1", "0", "1")


def test_an_estimate_has_no_cost() -> None:
    assert cost(used(1000, 500, estimated=True), FREE) is None


# As many digits as the file takes in a price, and far more tokens than any answer has.
_RATES = st.decimals(0, 1_000_000, places=30, allow_nan=False)
_TOKENS = st.integers(0, 10**15)


@given(_TOKENS, _TOKENS, _TOKENS, st.tuples(_RATES, _RATES, _RATES, _RATES))
def test_a_cost_is_exact_to_the_last_digit(
    plain: int, cached: int, output: int, rates: tuple[Decimal, Decimal, Decimal, Decimal]
) -> None:
    prompt, read, completion, request = rates
    price = Price(prompt=prompt, input_cache_read=read, completion=completion, request=request)
    found = cost(used(plain + cached, output, cached_tokens=cached), price)
    assert found is not None
    assert Fraction(found.prompt) == plain * Fraction(prompt) + cached * Fraction(read)
    assert Fraction(found.completion) == output * Fraction(completion)
    assert Fraction(found.total) == Fraction(found.prompt) + Fraction(found.completion) + Fraction(request)


# --- the bill ------------------------------------------------------------------------------------------------


def never() -> int:
    raise AssertionError("the provider has counted")


def at(price: Price | None, **more: Any) -> Endpoint:
    """An endpoint with this price."""
    return structs.replace(ENDPOINT, price=price, **more)


def test_our_price_comes_before_the_providers_figure() -> None:
    found = bill(Outcome(usage=used(1000, 500), provider_cost=Decimal(9)), at(PLAIN), never)
    assert (found.usage, found.cost) == (used(1000, 500), dollars("0.003", "0.0075", "0.0105"))
    assert found.amount == Decimal("0.0105")


def test_without_a_price_the_providers_figure_counts() -> None:
    found = bill(Outcome(usage=used(1, 1), provider_cost=Decimal("0.2")), at(None), never)
    assert (found.cost, found.amount) == (None, Decimal("0.2"))


def test_without_either_the_amount_is_unknown() -> None:
    found = bill(Outcome(usage=used(1, 1)), at(Price()), never)
    assert (found.cost, found.amount) == (None, None)


def test_an_answer_without_a_count_gets_ours_and_no_amount() -> None:
    found = bill(Outcome(output_bytes=9), at(PLAIN), lambda: 7)
    assert (found.usage, found.cost, found.amount) == (used(7, 3, estimated=True), None, None)


def test_a_count_that_broke_off_keeps_its_input_and_is_estimated() -> None:
    counted = Usage(input_tokens=100, cached_tokens=40, output_tokens=1)
    found = bill(Outcome(partial=counted, output_bytes=9), at(PLAIN), never)
    kept = Usage(input_tokens=100, cached_tokens=40, output_tokens=3, estimated=True)
    assert (found.usage, found.cost, found.amount) == (kept, None, None)


@pytest.mark.parametrize("tier", ["default", "priority"])
def test_what_another_tier_has_served_costs_what_that_tier_does(tier: str) -> None:
    dear = Price(prompt=Decimal("0.00001"), completion=Decimal("0.00002"))
    other = "priority" if tier == "default" else "default"
    asked = at(PLAIN, tier=tier, tier_prices={tier: PLAIN, other: dear})
    outcome = Outcome(usage=used(1000, 500), provider_cost=Decimal(9))
    assert bill(structs.replace(outcome, service_tier=tier), asked, never).amount == Decimal("0.0105")
    assert bill(structs.replace(outcome, service_tier=other), asked, never).amount == Decimal("0.02")
    found = spent(structs.replace(outcome, service_tier=other), asked)
    assert found is not None
    assert found.amount == Decimal("0.02")


def test_what_audio_costs_of_which_some_may_have_been_cached_is_unknown_and_limits_hold() -> None:
    found = bill(Outcome(usage=used(1000, 0, cached_tokens=100, input_audio_tokens=250)), at(HEARING), never)
    assert (found.amount, found.charged) == (None, Decimal("0.01225"))


@pytest.mark.parametrize(
    ("usage", "charged"),
    [
        (used(1000, 500, cached_tokens=400), "0.0105"),
        (used(1000, 500, cache_write_tokens=400, cache_write_1h_tokens=300), "0.0105"),
        (used(1000, 500, input_audio_tokens=400), "0.0105"),
        (used(1000, 500, cached_tokens=400, input_audio_tokens=400), "0.0105"),
        (used(1000, 500, output_audio_tokens=400), "0.0105"),
        (used(1000, 500, reasoning_tokens=400, searches=9), "0.0105"),
    ],
)
def test_what_has_no_rate_counts_for_limits_as_plain_tokens_do(usage: Usage, charged: str) -> None:
    found = bill(Outcome(usage=usage), at(PLAIN), never)
    assert (found.amount, found.charged) == (None, Decimal(charged))


def test_what_has_no_rate_at_a_tier_counts_at_the_endpoints_own_price() -> None:
    half = at(PLAIN, tier_prices={"priority": Price(prompt=Decimal(1))})
    found = bill(Outcome(usage=used(1000, 500), service_tier="priority"), half, never)
    assert (found.amount, found.charged) == (None, Decimal("0.0105"))


def test_what_a_tier_of_no_known_price_has_served_costs_what_the_provider_says_or_nobody_knows() -> None:
    outcome = Outcome(usage=used(1000, 500), service_tier="priority")
    assert bill(outcome, at(PLAIN), never).amount is None
    assert bill(structs.replace(outcome, provider_cost=Decimal(9)), at(PLAIN), never).amount == 9
    assert bill(outcome, at(PLAIN), never).charged == Decimal("0.0105"), "limits hold all the same"


def test_a_write_to_the_cache_for_an_hour_has_a_rate_of_its_own() -> None:
    written = Usage(input_tokens=30, cache_write_tokens=30, cache_write_1h_tokens=10)
    price = Price(input_cache_write=Decimal(1), input_cache_write_1h=Decimal(2), prompt=Decimal(0))
    assert cost(written, price) == Cost(prompt=Decimal(40), completion=Decimal(0), total=Decimal(40))
    assert cost(written, structs.replace(price, input_cache_write_1h=None)) is None


def test_a_free_answer_costs_nothing_which_is_not_unknown() -> None:
    assert bill(Outcome(usage=used(1, 1), provider_cost=Decimal(9)), at(FREE), never).amount == 0


def test_every_rate_changes_what_something_costs() -> None:
    read = used(
        100, 50, cached_tokens=10, cache_write_tokens=20, cache_write_1h_tokens=5, reasoning_tokens=5, image_tokens=5,
        output_audio_tokens=5, searches=2, images=3,
    )  # fmt: skip
    heard, heard_again = used(10, input_audio_tokens=5), used(10, cached_tokens=10, input_audio_tokens=10)
    for name in RATES:
        price = structs.replace(FREE, **{name: Decimal(1)})
        found = [cost(usage, price) for usage in (read, heard, heard_again)]
        assert any(one is not None and one.total for one in found), name


def test_each_search_and_each_image_costs_its_rate() -> None:
    price = structs.replace(PLAIN, web_search=Decimal("0.01"), image=Decimal("0.002"))
    # as the plain answer, 2 images x $0.002 = $0.004 of the prompt, 3 searches x $0.01 = $0.03 beside both
    expected = dollars("0.007", "0.0075", "0.0445")
    assert cost(used(1000, 500, searches=3, images=2), price) == expected


def test_searches_without_a_rate_are_unknown_and_images_are_tokens() -> None:
    assert cost(used(1000, 500, searches=1), PLAIN) is None
    assert cost(used(1000, 500, images=2), PLAIN) == dollars("0.003", "0.0075", "0.0105")
    found = bill(Outcome(usage=used(1000, 500, searches=1)), at(PLAIN), never)
    assert (found.amount, found.charged) == (None, Decimal("0.0105")), "limits count what has a price"


def test_the_images_of_the_request_are_on_its_bill() -> None:
    price = structs.replace(PLAIN, image=Decimal("0.002"))
    found = bill(Outcome(usage=used(1000, 500)), at(price), never, 2)
    assert (found.usage.images, found.amount) == (2, Decimal("0.0145"))
    assert input_alone(at(price), 1000, 2) == Decimal("0.007")
