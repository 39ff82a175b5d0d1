"""Where a request may go: the candidates in order, and what comes next after each kind of failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from routing.plan_support import Known, catalog, evenly
from setpoint.errors import RequestError
from setpoint.records import Dialect, Model
from setpoint.routing.keyring import KeyRing
from setpoint.routing.plan import Plan, plan
from setpoint.routing.preferences import Preferences
from setpoint.routing.standing import NothingKnown, Standing
from setpoint.routing.wanted import Wanted
from support.records import endpoint, provider

if TYPE_CHECKING:
    from setpoint.routing.catalog import Catalog

NONE = Preferences()
NOTHING_KNOWN = NothingKnown()


ACME, BOLT = provider("acme"), provider("bolt")
SAGE = Model(
    id="acme/sage",
    name="Sage",
    endpoints=(endpoint(ACME, "acme/sage"), endpoint(BOLT, "acme/sage")),
    aliases=("~sage",),
)
RUNE = Model(id="bolt/rune:8b", name="Rune", endpoints=(endpoint(BOLT, "bolt/rune:8b"),))
FREE = Model(
    id="acme/mint",
    name="Mint",
    endpoints=(endpoint(ACME, "acme/mint"), endpoint(BOLT, "acme/mint", variants=("free", "batch"))),
)
OFF = Model(id="acme/off", name="Off", endpoints=(endpoint(ACME, "acme/off"),), enabled=False)
WORLD = catalog(SAGE, RUNE, FREE, OFF, offers={"acme": endpoint(ACME, "")})


def made(*models: str, world: Catalog = WORLD, preferences: Preferences = NONE, skin: Dialect = "chat") -> Plan:
    wanted = Wanted(models=models, skin=skin, preferences=preferences)
    return plan(wanted, world, KeyRing(), NOTHING_KNOWN, evenly)


def planned(*models: str, world: Catalog = WORLD, preferences: Preferences = NONE) -> list[str]:
    """The candidates as `model@provider#key`."""
    found = made(*models, world=world, preferences=preferences).candidates
    return [f"{one.model.id}@{one.endpoint.tag}" + (f"#{one.key.id}" if one.key else "") for one in found]


def refused(*models: str, world: Catalog = WORLD, preferences: Preferences = NONE) -> RequestError:
    with pytest.raises(RequestError) as caught:
        made(*models, world=world, preferences=preferences)
    return caught.value


# --- the plan ------------------------------------------------------------------------------------------------


def test_a_model_goes_to_its_endpoints_in_the_order_of_the_file() -> None:
    assert planned("acme/sage") == ["acme/sage@acme", "acme/sage@bolt"]


def test_further_models_come_behind_all_endpoints_of_the_first() -> None:
    assert planned("acme/sage", "bolt/rune:8b") == ["acme/sage@acme", "acme/sage@bolt", "bolt/rune:8b@bolt"]


def test_each_key_of_a_provider_is_a_candidate_of_its_own() -> None:
    two = provider("acme", "k1", "k2")
    model = Model(id="m", name="M", endpoints=(endpoint(two), endpoint(BOLT)))
    assert planned("m", world=catalog(model)) == ["m@acme#k1", "m@acme#k2", "m@bolt"]


@pytest.mark.parametrize(
    "again", [("acme/sage", "~sage"), ("acme/sage", "acme/sage:nitro"), ("acme/new", "acme/new:floor")]
)
def test_a_model_that_is_named_twice_is_tried_once(again: tuple[str, ...]) -> None:
    assert planned(*again) == planned(again[0])


def test_preferences_hold_within_each_model() -> None:
    only = Preferences(only=("bolt",))
    assert planned("acme/sage", "bolt/rune:8b", preferences=only) == ["acme/sage@bolt", "bolt/rune:8b@bolt"]


def test_what_is_disabled_is_left_out() -> None:
    endpoints = (endpoint(ACME, enabled=False), endpoint(provider("cora", enabled=False)), endpoint(BOLT))
    assert planned("m", world=catalog(Model(id="m", name="M", endpoints=endpoints))) == ["m@bolt"]


@pytest.mark.parametrize(
    ("skin", "dialects", "spoken"),
    [
        ("chat", ("messages", "chat"), "chat"),
        ("messages", ("chat", "messages"), "messages"),
        ("responses", ("chat", "responses"), "responses"),
        ("responses", ("messages", "chat"), "messages"),
        ("chat", ("responses",), "responses"),
    ],
)
def test_an_endpoint_is_spoken_to_in_the_requests_own_dialect_or_else_in_its_first(
    skin: Dialect, dialects: tuple[Dialect, ...], spoken: Dialect
) -> None:
    world = catalog(Model(id="m", name="M", endpoints=(endpoint(BOLT, dialects=dialects),)))
    [one] = made("m", world=world, skin=skin).candidates
    assert one.dialect == spoken


# --- which model a text means --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "candidates", "unmet"),
    [
        ("bolt/rune:8b", ["bolt/rune:8b@bolt"], ()),
        ("acme/mint:free", ["acme/mint@bolt"], ()),
        ("acme/mint:free:batch", ["acme/mint@bolt"], ()),
        ("acme/mint:batch:free", ["acme/mint@bolt"], ()),
        ("acme/sage:nitro", ["acme/sage@acme", "acme/sage@bolt"], ()),
        ("acme/mint:free:online", ["acme/mint@bolt"], ("unsearched",)),
        ("~sage:floor", ["acme/sage@acme", "acme/sage@bolt"], ()),
        ("acme/new", ["acme/new@acme"], ()),
        ("acme/new/deep:7b", ["acme/new/deep:7b@acme"], ()),
    ],
)
def test_a_model_is_found_as_it_is_written_before_its_variants_are_split(
    text: str, candidates: list[str], unmet: tuple[str, ...]
) -> None:
    assert planned(text) == candidates
    found = made(text)
    assert found.unsearched == ((text,) if "unsearched" in unmet else ())


def test_a_variant_in_an_id_of_the_file_is_part_of_the_name() -> None:
    world = catalog(Model(id="acme/sage:free", name="F", endpoints=(endpoint(BOLT),)), SAGE)
    assert planned("acme/sage:free", world=world) == ["acme/sage:free@bolt"]


def test_a_gateway_behind_us_is_asked_for_its_own_variants() -> None:
    gateway = endpoint(provider("hub", server_tools=True), "")
    [one] = made("hub/x/y:free", world=catalog(offers={"hub": gateway})).candidates
    assert (one.model.id, one.endpoint.model) == ("hub/x/y:free", "x/y:free")


@pytest.mark.parametrize(
    "text",
    ["nobody/sage", "sage", "acme/sage:free", "acme/off", "bolt/rune:9b", "acme/", "acme/mint:extended", ":free", ":"],
)
def test_a_model_that_does_not_exist_is_refused_by_its_name(text: str) -> None:
    for models in ((text,), ("acme/sage", text)):
        error = refused(*models)
        assert (error.type, error.message) == ("invalid_request", f"{text} is not a valid model ID")
        assert error.availability is not None
        assert error.availability["code"] == "model_not_found"
        assert error.availability["requested_models"] == [text]


# --- nothing left --------------------------------------------------------------------------------------------


def test_preferences_that_leave_nothing_are_named_with_who_serves_the_model() -> None:
    error = refused("acme/sage", preferences=Preferences(only=("acme",), ignore=("acme",)))
    assert (error.type, error.status) == ("not_found", 404)
    assert error.message == (
        "No endpoints found for acme/sage: it is served by acme, bolt, "
        "and provider.ignore and provider.only leave none of them"
    )
    assert error.availability is not None
    assert error.availability["code"] == "constraint_filtered"
    assert error.availability["excluded_by"] == ["allowed_providers"]


def test_every_endpoint_is_in_the_plan_once_with_the_reason_for_its_place() -> None:
    found = made("acme/mint:free", "acme/sage", preferences=Preferences(order=("bolt",), ignore=("Acme", "tpyo")))
    assert [(one.model, one.tag, one.reason) for one in found.endpoints] == [
        ("acme/mint", "bolt", "order"),
        ("acme/sage", "bolt", "order"),
    ]
    assert [(one.provider, one.model, one.tag, one.reason) for one in found.excluded] == [
        ("acme", "acme/mint", "acme", "variant"),
        ("acme", "acme/sage", "acme", "ignored"),
        ("tpyo", None, None, "unknown_provider"),
    ]


def test_entries_that_nobody_is_called_by_are_shown_as_text_that_everybody_can_read() -> None:
    found = made("acme/sage", preferences=Preferences(order=("\ud800é",), ignore=("x" * 200, "y" * 128, "y" * 128)))
    assert [one.provider for one in found.excluded] == ["\\ud800é", "x" * 128 + "…", "y" * 128]


def test_of_entries_that_nobody_is_called_by_the_first_hundred_are_named() -> None:
    found = made("acme/sage", preferences=Preferences(ignore=tuple(f"nobody{at}" for at in range(250))))
    assert [one.provider for one in found.excluded] == [*(f"nobody{at}" for at in range(100)), "and 150 more"]
    assert {(one.model, one.tag, one.reason) for one in found.excluded} == {(None, None, "unknown_provider")}


def test_what_one_name_of_a_model_leaves_out_another_may_bring_in() -> None:
    found = made("acme/mint:free", "acme/mint")
    assert [(one.tag, one.reason) for one in found.endpoints] == [("bolt", "drawn"), ("acme", "drawn")]
    assert found.excluded == ()


def test_without_fallbacks_all_others_are_left_out_for_that() -> None:
    found = made("acme/sage", "bolt/rune:8b", preferences=Preferences(allow_fallbacks=False))
    assert [one.tag for one in found.endpoints] == ["acme"]
    assert [(one.model, one.tag, one.reason) for one in found.excluded] == [
        ("acme/sage", "bolt", "no_fallbacks"),
        ("bolt/rune:8b", "bolt", "no_fallbacks"),
    ]


def test_endpoints_that_just_failed_stand_behind_the_others() -> None:
    wanted = Wanted(models=("acme/sage",), skin="chat")
    found = plan(wanted, WORLD, KeyRing(), Known({"acme": Standing(stable=False)}), evenly)
    assert [(one.tag, one.reason) for one in found.endpoints] == [("bolt", "drawn"), ("acme", "unstable")]


def test_a_model_without_endpoints_has_none_to_offer() -> None:
    error = refused("m", world=catalog(Model(id="m", name="M", endpoints=())))
    assert error.availability is not None
    assert (error.status, error.availability["code"]) == (404, "no_endpoints")


def test_one_model_with_endpoints_is_enough() -> None:
    world = catalog(Model(id="m", name="M", endpoints=()), SAGE)
    assert planned("m", "acme/sage", world=world) == ["acme/sage@acme", "acme/sage@bolt"]
