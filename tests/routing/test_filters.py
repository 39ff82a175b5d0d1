"""Which endpoints may serve a request: each wish leaves out just those that do not meet it, with its own reason."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from routing.plan_support import catalog, left_out, planned, tags
from setpoint.errors import RequestError
from setpoint.records import Price, ProviderKey
from setpoint.routing.preferences import read_preferences
from setpoint.wire.body import raw
from support.records import endpoint, model, provider

MIXED = model(
    "m",
    endpoint("keeps", dollars=1, quantization="fp8"),
    endpoint("never", dollars=2, zdr=True, data_collection="deny", quantization="mxfp8"),
    endpoint("denies", dollars=3, data_collection="deny", quantization="mxfp4"),
    endpoint("unpriced", quantization="unknown"),
)
WORLD = catalog(MIXED)


def wish(**said: Any) -> dict[str, Any]:
    return {"preferences": read_preferences({"provider": raw(said)})}


@pytest.mark.parametrize(
    ("said", "kept", "reason"),
    [
        ({"zdr": True}, {"never"}, "zdr"),
        ({"zdr": False}, {"keeps", "never", "denies", "unpriced"}, ""),
        ({"data_collection": "deny"}, {"never", "denies"}, "data_collection"),
        ({"data_collection": "allow"}, {"keeps", "never", "denies", "unpriced"}, ""),
        ({"quantizations": ["fp8"]}, {"keeps", "never"}, "quantization"),
        ({"quantizations": ["fp4"]}, {"denies"}, "quantization"),
        ({"quantizations": ["mxfp8"]}, {"never"}, "quantization"),
        ({"quantizations": ["unknown", "fp4"]}, {"denies", "unpriced"}, "quantization"),
        ({"max_price": {"prompt": 2}}, {"keeps", "never"}, "max_price"),
        ({"max_price": {"prompt": "2", "completion": "1"}}, {"keeps"}, "max_price"),
        ({"max_price": {"completion": 1.9999}}, {"keeps"}, "max_price"),
        ({"max_price": {}}, {"keeps", "never", "denies", "unpriced"}, ""),
        ({"only": ["Never", "denies"]}, {"never", "denies"}, "only"),
        ({"ignore": ["KEEPS"]}, {"never", "denies", "unpriced"}, "ignored"),
    ],
)
def test_a_wish_leaves_out_what_does_not_meet_it(said: dict[str, Any], kept: set[str], reason: str) -> None:
    found = planned(WORLD, "m", **wish(**said))
    assert set(tags(found)) == kept
    assert left_out(found) == dict.fromkeys({"keeps", "never", "denies", "unpriced"} - kept, reason)


@pytest.mark.parametrize("name", ["request", "image", "audio"])
def test_other_rates_are_capped_for_a_piece(name: str) -> None:
    rates = {"dear": Decimal("0.02"), "cheap": Decimal("0.01"), "unknown": None}
    priced = (endpoint(slug, price=structs.replace(Price(), **{name: rate})) for slug, rate in rates.items())
    found = planned(catalog(model("m", *priced)), "m", **wish(max_price={name: "0.01"}))
    assert (tags(found), left_out(found)) == (["cheap"], {"dear": "max_price", "unknown": "max_price"})


def test_a_model_that_may_not_be_distilled_is_left_out() -> None:
    world = catalog(MIXED, model("open", endpoint("keeps", "open"), distillable=True))
    found = planned(world, "m", "open", **wish(enforce_distillable_text=True))
    assert [one.model for one in found.endpoints] == ["open"]
    assert set(left_out(found).values()) == {"distillable"}


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        ({"zdr": True, "only": ["keeps"]}, "constraint_filtered", ["data_policy:zdr", "allowed_providers"]),
        ({"zdr": True, "data_collection": "deny", "ignore": ["never"]}, "constraint_filtered", None),
        ({"max_price": {"prompt": "0.1"}}, "constraint_filtered", ["max_price"]),
        ({"quantizations": ["int4"]}, "constraint_filtered", ["quantization"]),
        ({"enforce_distillable_text": True}, "constraint_filtered", []),
    ],
)
def test_wishes_that_leave_nothing_are_named_in_the_error(said: dict[str, Any], code: str, words: Any) -> None:
    with pytest.raises(RequestError) as caught:
        planned(WORLD, "m", **wish(**said))
    availability = caught.value.availability
    assert availability is not None
    assert availability["code"] == code
    if words is not None:
        assert availability.get("excluded_by", []) == words
    assert all(f"provider.{name}" in caught.value.message for name in said if name != "data_collection")


def test_data_policies_alone_are_an_error_of_privacy() -> None:
    world = catalog(model("m", endpoint("keeps")))
    for said, word in (({"zdr": True}, "data_policy:zdr"), ({"data_collection": "deny"}, "data_policy:training")):
        with pytest.raises(RequestError) as caught:
            planned(world, "m", **wish(**said))
        assert caught.value.availability is not None
        assert caught.value.availability["code"] == "privacy_restricted"
        assert caught.value.availability["excluded_by"] == [word]


@pytest.mark.parametrize(
    ("says", "declared", "carried"),
    [
        (False, [None, True, False], ["k1"]),
        (True, [None, True, False], ["k0", "k1"]),
        (False, [None, False], None),
        (True, [False], None),
        (False, [], None),
        (True, [], [None]),
    ],
)
def test_a_key_that_is_declared_to_retain_nothing_goes_before_what_the_endpoint_says(
    says: bool, declared: list[bool | None], carried: list[str | None] | None
) -> None:
    """`says` is the endpoint's own word, `declared` the words of its provider's keys; None: it is left out."""
    keys = tuple(ProviderKey(id=f"k{at}", secret=f"k{at}", zdr=word) for at, word in enumerate(declared))
    world = catalog(model("m", endpoint("never", zdr=True, weight=0), endpoint(provider("acme", keys=keys), zdr=says)))
    found = planned(world, "m", **wish(zdr=True))
    tried = [one.key and one.key.id for one in found.candidates if one.endpoint.tag == "acme"]
    assert (tried, left_out(found)) == ((carried, {}) if carried is not None else ([], {"acme": "zdr"}))
    everyone = [one.key for one in planned(world, "m").candidates if one.endpoint.tag == "acme"]
    assert everyone == [*keys] or [*everyone] == [None], "others may carry them all"


def test_a_key_for_other_models_declares_nothing_of_this_one() -> None:
    key = ProviderKey(id="k", secret="k", models=("other",), zdr=True)
    others = (endpoint(provider(slug, keys=(key,)), zdr=says) for slug, says in (("acme", False), ("bolt", True)))
    world = catalog(model("m", endpoint("never", zdr=True), *others))
    assert left_out(planned(world, "m", **wish(zdr=True))) == {"acme": "zdr", "bolt": "key_not_allowed"}
    assert left_out(planned(world, "m")) == {"acme": "key_not_allowed", "bolt": "key_not_allowed"}


def test_what_costs_nothing_is_free_without_being_listed() -> None:
    world = catalog(model("m", endpoint("gift", dollars=0), endpoint("dear", dollars=1), endpoint("unknown")))
    found = planned(world, "m:free")
    assert (tags(found), left_out(found)) == (["gift"], {"dear": "variant", "unknown": "variant"})


def test_an_endpoint_without_a_key_for_the_model_is_left_out() -> None:
    other = ProviderKey(id="k3", secret="k3", models=("other",))
    own = ProviderKey(id="k4", secret="k4", models=("m",))
    world = catalog(
        model("m", endpoint(provider("acme", keys=(other, own))), endpoint(provider("bolt", keys=(other,))))
    )
    found = planned(world, "m")
    assert (tags(found), left_out(found)) == (["acme"], {"bolt": "key_not_allowed"})
    assert [one.key.id for one in found.candidates if one.key] == ["k4"]
