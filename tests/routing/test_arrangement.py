"""In which order endpoints are tried, and how often each comes first."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any, cast

import pytest

from routing.plan_support import Known, catalog, left_out, places, planned, tags
from setpoint.routing.arrangement import arranged
from setpoint.routing.choice import Option
from setpoint.routing.draw import Chance
from setpoint.routing.preferences import Cutoffs, Preferences
from setpoint.routing.standing import Percentiles, Standing
from setpoint.routing.wanted import Wanted
from support.records import endpoint, model, provider

if TYPE_CHECKING:
    from setpoint.records import Endpoint
    from setpoint.routing.catalog import Catalog

DRAWS = 100_000
UNSTABLE = Standing(stable=False)


def offer(slug: str, said: Any) -> Endpoint:
    """An endpoint at so many dollars, or as it is said."""
    more = cast("dict[str, Any]", said) if isinstance(said, dict) else {"dollars": said}
    return endpoint(slug, **more)


def world(**priced: Any) -> Catalog:
    """A model `m` at providers of these names."""
    return catalog(model("m", *(offer(slug, said) for slug, said in priced.items())))


def orders(priced: dict[str, Any], standings: dict[str, Standing] | None = None) -> Counter[tuple[str, ...]]:
    """How often each order of these comes out of so many draws."""
    chance, wanted, known = Chance(Random(20_26).random, None), Wanted(models=("m",), skin="chat"), standings or {}
    offers = [offer(slug, said) for slug, said in priced.items()]
    options = [Option(model("m"), one, "chat", (None,), known.get(one.tag)) for one in offers]
    drawn = (arranged(options, wanted, None, chance) for _ in range(DRAWS))
    return Counter(tuple(option.endpoint.tag for option, _ in placed) for placed in drawn)


def test_the_specifications_example_comes_out_as_it_says() -> None:
    found = orders({"a": 1, "b": 2, "c": 3}, {"b": UNSTABLE})
    assert set(found) == {("a", "c", "b"), ("c", "a", "b")}
    assert found["a", "c", "b"] / DRAWS == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize(
    ("priced", "expected"),
    [
        ({"a": {"dollars": 2, "weight": 4}, "b": 1}, {"a": 0.5, "b": 0.5}),
        ({"a": {"weight": 3}, "b": {}}, {"a": 0.75, "b": 0.25}),
        ({"a": {"dollars": 0, "weight": 2}, "b": {"dollars": 0}, "c": 1}, {"a": 2 / 3, "b": 1 / 3}),
    ],
)
def test_each_comes_first_as_often_as_its_share(priced: dict[str, Any], expected: dict[str, float]) -> None:
    firsts: Counter[str] = Counter()
    for order, times in orders(priced).items():
        firsts[order[0]] += times
    assert {slug: times / DRAWS for slug, times in firsts.items()} == pytest.approx(expected, abs=0.01)


def test_conversations_are_spread_by_the_same_shares() -> None:
    found = world(a=1, b=2)
    firsts = Counter(tags(planned(found, "m", conversation=f"c{at}"))[0] for at in range(10_000))
    assert firsts["a"] / 10_000 == pytest.approx(0.8, abs=0.02)


def test_a_conversation_keeps_its_endpoint_whatever_becomes_of_the_others() -> None:
    everyone, fewer = world(a=1, b=1, c=1), world(a=1, b=1)
    for at in range(200):
        first = tags(planned(everyone, "m", conversation=f"c{at}"))[0]
        assert tags(planned(everyone, "m", conversation=f"c{at}", dice=Random(at).random))[0] == first
        if first != "c":
            assert tags(planned(fewer, "m", conversation=f"c{at}"))[0] == first
            assert tags(planned(everyone, "m", conversation=f"c{at}", standings=Known({"c": UNSTABLE})))[0] == first


def test_behind_the_first_come_the_others_by_price_and_what_is_uncertain_last() -> None:
    found = world(d={}, c=3, b={"dollars": 2, "weight": 0}, a=1, e=1, f=0)
    plan = planned(found, "m", standings=Known({"e": UNSTABLE}))
    assert places(plan) == [
        *(("f", "drawn"), ("a", "fallback"), ("c", "fallback")),
        *(("d", "unpriced"), ("b", "spare"), ("e", "unstable")),
    ]


def test_what_is_spare_or_failing_still_serves_when_it_is_all_there_is() -> None:
    assert places(planned(world(a={"weight": 0}), "m")) == [("a", "spare")]
    assert places(planned(world(a=1), "m", standings=Known({"a": UNSTABLE}))) == [("a", "unstable")]


def speed(p50: float, p90: float | None = None) -> Percentiles:
    return Percentiles(p50, p50, p50 if p90 is None else p90, p50 if p90 is None else p90)


SPEEDS = Known(
    {
        "a": Standing(throughput=speed(10), latency_s=speed(0.1, 9)),
        "b": Standing(throughput=speed(90, 5), latency_s=speed(0.5), stable=False),
    }
)
THREE = world(a=1, b=2, c=0.5)


@pytest.mark.parametrize(
    ("preferences", "expected"),
    [
        (Preferences(sort="price"), ["c", "a", "b"]),
        (Preferences(sort="throughput"), ["b", "a", "c"]),
        (Preferences(sort="latency"), ["a", "b", "c"]),
        (Preferences(sort="exacto"), ["c", "a", "b"]),
        (Preferences(sort="price", order=("b",)), ["b", "c", "a"]),
        (Preferences(sort="price", least_throughput=Cutoffs(p50=50)), ["c", "b", "a"]),
        (Preferences(sort="price", least_throughput=Cutoffs(p50=50, p90=50)), ["c", "a", "b"]),
        (Preferences(sort="price", most_latency_s=Cutoffs(p50=0.2)), ["c", "a", "b"]),
        (Preferences(sort="throughput", most_latency_s=Cutoffs(p90=1)), ["b", "c", "a"]),
    ],
)
def test_a_sort_is_strict_and_what_is_too_slow_goes_to_the_end(preferences: Preferences, expected: list[str]) -> None:
    plan = planned(THREE, "m", preferences=preferences, standings=SPEEDS)
    assert tags(plan) == expected
    assert {one.reason for one in plan.endpoints} <= {preferences.sort, "order", "slow"}


def test_an_order_takes_the_draw_away() -> None:
    same, dice = world(a=1, b=1, c=1), Random(1).random
    lines = [tags(planned(same, "m", dice=dice, preferences=Preferences(order=("c",)))) for _ in range(50)]
    assert lines == [["c", "a", "b"]] * 50


def test_the_endpoint_of_the_conversation_comes_first_unless_the_caller_orders() -> None:
    assert places(planned(THREE, "m", sticky="m b"))[0] == ("b", "sticky")
    assert places(planned(THREE, "m", sticky="m b", preferences=Preferences(order=("a",))))[0] == ("a", "order")
    assert len(planned(THREE, "m", sticky="gone").endpoints) == 3


def test_a_partition_of_none_puts_the_endpoints_of_all_models_in_one_order() -> None:
    two = catalog(
        model("m", endpoint("a", dollars=3), endpoint("b", dollars=1)),
        model("n", endpoint("a", "n", dollars=2), endpoint("b", "n", dollars=4)),
    )
    by_price = Preferences(sort="price")
    apart, mixed = by_price, Preferences(sort="price", mixed=True)
    assert [(one.model, one.tag) for one in planned(two, "m", "n", preferences=apart).endpoints] == [
        *(("m", "b"), ("m", "a"), ("n", "a"), ("n", "b"))
    ]
    assert [(one.model, one.tag) for one in planned(two, "m", "n", preferences=mixed).endpoints] == [
        *(("m", "b"), ("n", "a"), ("m", "a"), ("n", "b"))
    ]


def test_a_sort_of_the_requests_own_comes_before_the_variants() -> None:
    assert tags(planned(THREE, "m:nitro", preferences=Preferences(sort="price"), standings=SPEEDS)) == ["c", "a", "b"]
    assert tags(planned(THREE, "m:nitro", standings=SPEEDS)) == ["b", "a", "c"]
    assert tags(planned(THREE, "m:exacto")) == ["c", "a", "b"]


# --- keys, and what is held back -----------------------------------------------------------------------------


def test_the_keys_of_a_provider_share_the_load_by_weight() -> None:
    base = provider("acme", "k1", "k2", "spare")
    weights = {"k1": 3, "k2": 1, "spare": 0}
    keys = tuple(type(key)(id=key.id, secret=key.secret, weight=weights[key.id]) for key in base.keys)
    found = catalog(model("m", endpoint(provider("acme", keys=keys))))
    dice = Random(7).random
    lines = Counter(
        tuple(one.key.id for one in planned(found, "m", dice=dice).candidates if one.key) for _ in range(10_000)
    )
    assert set(lines) == {("k1", "k2", "spare"), ("k2", "k1", "spare")}
    assert lines["k1", "k2", "spare"] / (10_000) == pytest.approx(0.75, abs=0.02)


def test_what_cools_down_is_behind_all_others_of_all_models_and_what_is_held_is_left_out() -> None:
    keyed = provider("acme", "k1", "k2")
    found = catalog(
        model(
            "m",
            *(endpoint("busy", concurrency=1), endpoint(keyed), endpoint("hot"), endpoint("broken")),
            *(endpoint(provider("barred", "k")), endpoint("free", concurrency=1)),
        ),
        model("n", endpoint("other", "n")),
    )
    known = Known(
        {"broken": Standing(open=True)},
        {("acme", "k1"): "cooling", ("hot", None): "cooling", ("barred", "k"): "refused"},
        full={"busy"},
    )
    plan = planned(found, "m", "n", standings=known)
    assert places(plan) == [("acme", "unpriced"), ("free", "unpriced"), ("other", "drawn"), ("hot", "cooling")]
    assert left_out(plan) == {"busy": "concurrency", "broken": "breaker_open", "barred": "key_refused"}
    tried = [(one.endpoint.tag, one.key.id if one.key else None) for one in plan.candidates]
    assert tried == [
        *(("acme", "k2"), ("free", None), ("other", None), ("acme", "k1"), ("hot", None)),
        *(("busy", None), ("broken", None), ("barred", "k")),
    ]
    first = planned(found, "m", "n", standings=known, preferences=Preferences(allow_fallbacks=False))
    assert [one.key.id for one in first.candidates if one.key] == ["k2", "k1"]


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (Known({}, full={"acme"}), "concurrency"),
        (Known({"acme": Standing(open=True)}), "breaker_open"),
        (Known({}, {("acme", None): "refused"}), "key_refused"),
    ],
)
def test_where_the_only_endpoint_is_held_it_is_left_out_and_still_the_one_to_try(known: Known, reason: str) -> None:
    plan = planned(catalog(model("m", endpoint("acme", concurrency=1))), "m", standings=known)
    assert (plan.endpoints, left_out(plan)) == ((), {"acme": reason})
    assert [one.endpoint.tag for one in plan.candidates] == ["acme"]
