"""Where a request may go: the candidates in order, and what comes next after each kind of failure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.plan_support import Known, catalog, endpoint, evenly, provider
from setpoint.errors import ProviderError, RequestError, Retry
from setpoint.records import Dialect, Model
from setpoint.routing.keyring import KeyRing
from setpoint.routing.plan import Plan, plan
from setpoint.routing.preferences import Preferences
from setpoint.routing.route import Route
from setpoint.routing.standing import NothingKnown, Standing
from setpoint.routing.wanted import Wanted

if TYPE_CHECKING:
    from setpoint.routing.catalog import Catalog
    from setpoint.routing.placing import Candidate

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


# --- the way through -----------------------------------------------------------------------------------------


def failed(retry: Retry, status: int | None = None, type_: Any = "provider_unavailable") -> ProviderError:
    return ProviderError(type_, "no", retry=retry, upstream_status=status)


def route(*models: str, world: Catalog = WORLD) -> Route:
    return Route(made(*models, world=world).candidates)


def name(one: Candidate | None) -> str | None:
    return None if one is None else f"{one.model.id}@{one.endpoint.tag}" + (f"#{one.key.id}" if one.key else "")


def test_the_next_endpoint_then_the_next_model() -> None:
    way = route("acme/sage", "bolt/rune:8b")
    assert name(way.next(None)) == "acme/sage@acme"
    assert name(way.next(failed("next_endpoint"))) == "acme/sage@bolt"
    assert name(way.next(failed("next_endpoint"))) == "bolt/rune:8b@bolt"
    assert way.next(failed("next_endpoint")) is None
    assert way.next(failed("next_endpoint")) is None


def test_the_next_model_skips_what_is_left_of_this_one() -> None:
    way = route("acme/sage", "bolt/rune:8b")
    way.next(None)
    assert name(way.next(failed("next_model", 400))) == "bolt/rune:8b@bolt"
    assert way.next(failed("next_model", 400)) is None


def test_a_stop_ends_it() -> None:
    way = route("acme/sage", "bolt/rune:8b")
    way.next(None)
    assert way.next(failed("stop")) is None
    assert way.next(None) is None


def test_an_endpoint_that_was_not_asked_is_passed_over() -> None:
    way = route("acme/sage")
    way.next(None)
    assert name(way.next(None)) == "acme/sage@bolt"


def test_the_same_endpoint_is_tried_once_more_and_then_the_next() -> None:
    way = route("acme/sage")
    assert [name(way.next(failure)) for failure in (None, *[failed("same")] * 4)] == [
        *("acme/sage@acme", "acme/sage@acme", "acme/sage@bolt", "acme/sage@bolt", None)
    ]


TWO_KEYS = catalog(Model(id="m", name="M", endpoints=(endpoint(provider("acme", "k1", "k2")), endpoint(BOLT))))


@pytest.mark.parametrize("status", [401, 402, 403, 429])
def test_another_key_of_the_same_endpoint_is_next_where_the_key_may_be_the_reason(status: int) -> None:
    way = route("m", world=TWO_KEYS)
    assert name(way.next(None)) == "m@acme#k1"
    assert name(way.next(failed("next_endpoint", status))) == "m@acme#k2"
    assert name(way.next(failed("next_endpoint", status))) == "m@bolt"


@pytest.mark.parametrize("status", [None, 404, 408, 413, 500, 503, 529])
def test_other_keys_of_an_endpoint_are_skipped_where_the_endpoint_is_the_reason(status: int | None) -> None:
    way = route("m", world=TWO_KEYS)
    way.next(None)
    assert name(way.next(failed("next_endpoint", status))) == "m@bolt"


def test_a_prompt_that_is_too_long_goes_to_endpoints_with_more_room_before_the_next_model() -> None:
    sizes = {"small": 8, "smaller": 4, "same": 8, "unknown": None, "large": 16, "larger": 32}
    endpoints = tuple(endpoint(provider(tag), context_length=size) for tag, size in sizes.items())
    world = catalog(Model(id="m", name="M", endpoints=endpoints), SAGE)
    too_long = failed("next_model", 400, "context_length_exceeded")
    way = route("m", "acme/sage", world=world)
    assert [name(way.next(failure)) for failure in (None, too_long, too_long, too_long)] == [
        *("m@small", "m@large", "m@larger", "acme/sage@acme")
    ]
    other = route("m", "acme/sage", world=world)
    other.next(None)
    assert name(other.next(failed("next_model", 400, "content_policy_violation"))) == "acme/sage@acme"


_RETRIES: list[Retry] = ["same", "next_endpoint", "next_model", "stop"]
_FAILURES = st.none() | st.builds(
    failed,
    st.sampled_from(_RETRIES),
    st.sampled_from([None, 400, 401, 429, 500]),
    st.sampled_from(["provider_unavailable", "context_length_exceeded"]),
)
_MODELS = st.lists(
    st.sampled_from(["acme/sage", "~sage", "acme/sage:nitro", "bolt/rune:8b", "acme/mint", "acme/mint:free", "m"]),
    min_size=1,
    max_size=5,
)
KEYED = catalog(SAGE, RUNE, FREE, Model(id="m", name="M", endpoints=(endpoint(provider("acme", "k1", "k2", "k3")),)))


@given(_MODELS, st.lists(_FAILURES, min_size=20, max_size=20))
def test_no_candidate_is_offered_again_but_once_when_told_the_same(
    models: list[str], failures: list[ProviderError | None]
) -> None:
    candidates = made(*models, world=KEYED).candidates
    assert all(one not in candidates[:at] for at, one in enumerate(candidates))
    way = Route(candidates)
    offered = [way.next(None)]
    for failure in failures:
        before, following = offered[-1], way.next(failure)
        if following is not None and following is before:
            assert failure is not None
            assert failure.retry == "same"
        offered.append(following)
    places = [candidates.index(one) for one in offered if one is not None]
    assert places == sorted(places)
    assert all(places.count(place) <= 2 for place in places)
    assert offered[-1] is None


def test_a_key_that_is_refused_is_not_tried_for_another_model_either() -> None:
    acme = provider("acme", "k1", "k2")
    world = catalog(*(Model(id=name, name=name, endpoints=(endpoint(acme, name),)) for name in ("one", "two")))
    way = Route(made("one", "two", world=world).candidates)
    refused_key = ProviderError("provider_unavailable", "no", permanent=True, upstream_status=401)
    tried = [way.next(None), way.next(refused_key), way.next(refused_key)]
    assert [(one.model.id, one.key.id) for one in tried if one and one.key] == [
        ("one", acme.keys[0].id),
        ("one", acme.keys[1].id),
    ]
    assert tried[-1] is None
