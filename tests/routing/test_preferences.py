"""The `provider` object: which endpoints a caller wants, and in which order."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.plan_support import evenly
from setpoint.errors import FieldError, RequestError
from setpoint.protocols import chat
from setpoint.records import Endpoint, Model
from setpoint.routing.catalog import Catalog
from setpoint.routing.keyring import KeyRing
from setpoint.routing.plan import plan
from setpoint.routing.preferences import Cutoffs, Preferences, read_preferences
from setpoint.routing.standing import NothingKnown
from setpoint.routing.wanted import Wanted
from setpoint.wire.body import raw, split
from support import records

FOLLOWED = frozenset(
    {
        *("order", "only", "ignore", "allow_fallbacks", "require_parameters", "data_collection", "zdr", "sort"),
        *("enforce_distillable_text", "quantizations", "max_price"),
        *("preferred_min_throughput", "preferred_max_latency"),
    }
)


def endpoint(tag: str, *, name: str | None = None, tier: str = "default") -> Endpoint:
    slug = tag.split("/", 1)[0]
    return records.endpoint(records.provider(slug, name=name or slug), tag=tag, tier=tier)


EAST, WEST = endpoint("vertex/us-east5", name="Google Vertex"), endpoint("vertex/us-west1", name="Google Vertex")
ACME, FAST = endpoint("acme", name="Acme"), endpoint("acme/priority", name="Acme", tier="priority")
ALL = (EAST, ACME, FAST, WEST)
CATALOG = Catalog(
    models={"m": Model(id="m", name="M", endpoints=ALL)},
    providers={one.provider.slug: one.provider for one in ALL},
    aliases={},
    offers={},
)


def read(provider: object, **more: object) -> Preferences:
    return read_preferences({"provider": raw(provider), **{name: raw(said) for name, said in more.items()}})


def tags(**said: object) -> list[str]:
    return left(read(said))


def left(preferences: Preferences) -> list[str]:
    """The tags of a plan with these preferences, in order."""
    try:
        wanted = Wanted(models=("m",), skin="chat", preferences=preferences)
        planned = plan(wanted, CATALOG, KeyRing(), NothingKnown(), evenly)
    except RequestError:
        return []
    assert sorted(one.tag for one in (*planned.endpoints, *planned.excluded) if one.tag) == sorted(
        one.tag for one in ALL
    )
    return [one.tag for one in planned.endpoints]


# --- reading -------------------------------------------------------------------------------------------------


def test_no_object_is_no_preference() -> None:
    assert read_preferences({}) == Preferences()


def test_what_is_followed_is_read() -> None:
    said = {"order": ["a", "B"], "only": ["c"], "ignore": [], "allow_fallbacks": False}
    assert read(said) == Preferences(("a", "B"), ("c",), (), allow_fallbacks=False)


def test_null_is_not_said() -> None:
    assert read(dict.fromkeys(("order", "only", "ignore", "allow_fallbacks", "sort", "zdr"))) == Preferences()


def test_a_route_is_the_older_word_for_a_partition() -> None:
    assert read_preferences({"route": raw("sort")}) == Preferences(mixed=True)
    assert read_preferences({"route": raw("fallback")}) == Preferences()
    assert read({"sort": {"partition": "model"}}, route="sort").mixed is False
    assert read({"sort": {"by": "price"}}, route="sort") == Preferences(sort="price", mixed=True)


@pytest.mark.parametrize(
    ("said", "read_as"),
    [
        ({"data_collection": "deny"}, Preferences(data_collection_denied=True)),
        ({"data_collection": "allow", "zdr": False, "enforce_distillable_text": False}, Preferences()),
        ({"zdr": True, "enforce_distillable_text": True}, Preferences(zdr=True, distillable=True)),
        ({"quantizations": ["fp4", "int8"]}, Preferences(quantizations=frozenset({"fp4", "mxfp4", "nvfp4", "int8"}))),
        ({"quantizations": ["fp8", "unknown"]}, Preferences(quantizations=frozenset({"fp8", "mxfp8", "unknown"}))),
        ({"sort": "latency"}, Preferences(sort="latency")),
        ({"sort": {"by": "price", "partition": "none"}}, Preferences(sort="price", mixed=True)),
        ({"sort": {"by": None, "partition": "none"}}, Preferences(mixed=True)),
        (
            {"max_price": {"prompt": 0.1, "completion": "2.50", "image": None}},
            Preferences(max_price=(("prompt", Decimal("0.1")), ("completion", Decimal("2.50")))),
        ),
        ({"preferred_min_throughput": 50}, Preferences(least_throughput=Cutoffs(p50=50))),
        ({"preferred_max_latency": {"p90": 2, "p50": None}}, Preferences(most_latency_s=Cutoffs(p90=2))),
    ],
)
def test_every_wish_is_read(said: dict[str, object], read_as: Preferences) -> None:
    assert read(said) == read_as


def test_a_member_of_nobodys_making_is_named() -> None:
    assert read({"sort": "price", "x": 1}).not_honoured == ("/provider/x",)
    within = {"sort": {"by": "price", "x": 1}, "max_price": {"x": 1, "prompt": 1}, "preferred_max_latency": {"x": 1}}
    named = ("/provider/sort/x", "/provider/max_price/x", "/provider/preferred_max_latency/x")
    assert read(within).not_honoured == named


def test_of_members_of_nobodys_making_the_first_hundred_are_named_each_as_far_as_it_fits() -> None:
    many = read({"x" * 200: 1, **{f"x{at}": at for at in range(200)}}).not_honoured
    assert many[:2] == ("/provider/" + "x" * 128 + "…", "/provider/x0")
    assert many[-2:] == ("/provider/x98", "and 101 more")


@pytest.mark.parametrize("content", [5, "x", ["/y"], {}])
def test_a_member_that_nobody_knows_is_only_named(content: object) -> None:
    assert read({"not_honoured": content}) == Preferences(not_honoured=("/provider/not_honoured",))


_TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=3)
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), _TEXTS)
_SAID = _SCALARS | st.lists(_SCALARS, max_size=2) | st.dictionaries(st.sampled_from(["by", "p50", "prompt"]), _SCALARS)
_NAMES = st.sampled_from([*FOLLOWED, "options", "not_honoured"]) | _TEXTS


@given(st.dictionaries(_NAMES, _SAID, max_size=4))
def test_every_object_that_passes_the_check_is_read_and_accounted_for(provider: dict[str, object]) -> None:
    body = split(json.dumps({"provider": provider}).encode())
    try:
        chat.check(body, creating=True)
    except FieldError:
        return
    asked = read_preferences(body)
    steps = [pointer.removeprefix("/provider/") for pointer in asked.not_honoured if pointer.count("/") == 2]
    named = [step.replace("~1", "/").replace("~0", "~") for step in steps]
    said = [name for name, content in provider.items() if content is not None]
    assert named == [name for name in said if name not in FOLLOWED and name != "options"]
    left(asked)


# --- which endpoint a slug means -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "meant"),
    [
        ("vertex", [EAST, WEST]),
        ("VERTEX", [EAST, WEST]),
        ("google vertex", [EAST, WEST]),
        ("Google Vertex", [EAST, WEST]),
        ("vertex/us-east5", [EAST]),
        ("vertex/US-EAST5", [EAST]),
        ("vertex/us", []),
        ("vert", []),
        ("", []),
        ("acme", [ACME]),
        ("acme/priority", [FAST]),
        ("Acme", [ACME]),
    ],
)
def test_a_slug_or_name_means_all_plain_endpoints_and_a_suffix_exactly_one(entry: str, meant: list[Endpoint]) -> None:
    assert [one for one in ALL if entry.lower() in one.words] == meant


# --- which are wanted ----------------------------------------------------------------------------------------


def test_without_preferences_all_stay_but_those_of_another_tier() -> None:
    assert tags() == ["vertex/us-east5", "acme", "vertex/us-west1"]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"only": ["acme"]}, ["acme"]),
        ({"only": ["acme", "acme/priority"]}, ["acme", "acme/priority"]),
        ({"only": ["nobody"]}, []),
        ({"ignore": ["vertex"]}, ["acme"]),
        ({"ignore": ["vertex/us-east5", "nobody"]}, ["acme", "vertex/us-west1"]),
        ({"only": ["vertex"], "ignore": ["vertex/us-east5"]}, ["vertex/us-west1"]),
        ({"only": ["acme"], "ignore": ["acme"]}, []),
    ],
)
def test_only_and_ignore_leave_what_both_allow(said: dict[str, object], expected: list[str]) -> None:
    assert tags(**said) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"order": ["acme"]}, ["acme", "vertex/us-east5", "vertex/us-west1"]),
        ({"order": ["vertex/us-west1", "acme"]}, ["vertex/us-west1", "acme", "vertex/us-east5"]),
        ({"order": ["acme/priority"]}, ["acme/priority", "vertex/us-east5", "acme", "vertex/us-west1"]),
        ({"order": ["nobody", "vertex"]}, ["vertex/us-east5", "vertex/us-west1", "acme"]),
        ({"order": ["vertex", "acme", "VERTEX"]}, ["vertex/us-east5", "vertex/us-west1", "acme"]),
        ({"order": []}, ["vertex/us-east5", "acme", "vertex/us-west1"]),
        ({"order": ["vertex", "acme"], "ignore": ["vertex/us-east5"]}, ["vertex/us-west1", "acme"]),
    ],
)
def test_an_order_comes_first_and_the_others_behind_it(said: dict[str, object], expected: list[str]) -> None:
    assert tags(**said) == expected
    assert tags(**said, allow_fallbacks=True) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, ["vertex/us-east5"]),
        ({"order": []}, ["vertex/us-east5"]),
        ({"order": ["acme", "vertex/us-west1"]}, ["acme", "vertex/us-west1"]),
        ({"order": ["nobody"]}, []),
        ({"only": ["acme", "acme/priority"]}, ["acme"]),
    ],
)
def test_without_fallbacks_only_the_first_or_what_is_ordered_stays(
    said: dict[str, object], expected: list[str]
) -> None:
    assert tags(**said, allow_fallbacks=False) == expected


_SLUGS = st.lists(st.sampled_from([one.tag for one in ALL] + ["vertex", "Acme", "nobody"]), max_size=4)


@given(st.none() | _SLUGS, st.none() | _SLUGS, st.none() | _SLUGS, st.sampled_from([None, True, False]))
def test_no_endpoint_is_wanted_twice_or_against_a_filter(
    order: list[str] | None, only: list[str] | None, ignore: list[str] | None, fallbacks: bool | None
) -> None:
    found = left(read({"order": order, "only": only, "ignore": ignore, "allow_fallbacks": fallbacks}))
    assert len(set(found)) == len(found)
    for one in (endpoint for endpoint in ALL if endpoint.tag in found):
        assert only is None or any(entry.lower() in one.words for entry in only)
        assert not any(entry.lower() in one.words for entry in ignore or [])
