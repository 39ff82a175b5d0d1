"""The `provider` object: which endpoints a caller wants, and in which order."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.errors import FieldError, RequestError
from setpoint.protocols import chat
from setpoint.records import Endpoint, Model, Provider, Timeouts
from setpoint.routing.catalog import Catalog
from setpoint.routing.keyring import KeyRing
from setpoint.routing.plan import plan
from setpoint.routing.preferences import Preferences, matches, read_preferences
from setpoint.routing.wanted import Wanted
from setpoint.wire.body import raw, split


def endpoint(tag: str, *, name: str | None = None, tier: str = "default") -> Endpoint:
    slug = tag.split("/", 1)[0]
    return Endpoint(
        key=f"m {tag}",
        provider=Provider(slug=slug, name=name or slug, dialects=("chat",), base_url="http://a.test"),
        model_id="m",
        model="m",
        tag=tag,
        dialects=("chat",),
        base_url="http://a.test",
        timeouts=Timeouts(),
        tier="priority" if tier == "priority" else "default",
    )


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
        planned = plan(Wanted(models=("m",), skin="chat", preferences=preferences), CATALOG, KeyRing())
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


def test_what_is_not_followed_is_named() -> None:
    said = {"sort": "price", "order": ["a"], "zdr": True, "x": 1}
    assert read(said, route="fallback").not_honoured == ("/provider/sort", "/provider/zdr", "/provider/x", "/route")
    assert read_preferences({"route": raw("sort")}).not_honoured == ("/route",)


@pytest.mark.parametrize("content", [5, "x", ["/y"], {}])
def test_a_member_that_nobody_knows_is_only_named(content: object) -> None:
    assert read({"not_honoured": content}) == Preferences(not_honoured=("/provider/not_honoured",))


_TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=3)
_SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), _TEXTS)
_NAMES = st.sampled_from(["order", "only", "ignore", "allow_fallbacks", "not_honoured", "sort", "options"]) | _TEXTS


@given(st.dictionaries(_NAMES, _SCALARS | st.lists(_SCALARS, max_size=2), max_size=4))
def test_every_object_that_passes_the_check_is_read_and_accounted_for(provider: dict[str, object]) -> None:
    body = split(json.dumps({"provider": provider}).encode())
    try:
        chat.check(body, creating=True)
    except FieldError:
        return
    asked = read_preferences(body)
    followed = {name for name in ("order", "only", "ignore", "allow_fallbacks") if getattr(asked, name) is not None}
    steps = [pointer.removeprefix("/provider/") for pointer in asked.not_honoured]
    named = {step.replace("~1", "/").replace("~0", "~") for step in steps}
    assert followed | named == {name for name, content in provider.items() if content is not None}
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
    assert [one for one in ALL if matches(entry, one)] == meant


# --- which are wanted ----------------------------------------------------------------------------------------


def test_without_preferences_all_stay_in_their_order() -> None:
    assert tags() == [one.tag for one in ALL]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"only": ["acme"]}, ["acme"]),
        ({"only": ["acme", "acme/priority"]}, ["acme", "acme/priority"]),
        ({"only": ["nobody"]}, []),
        ({"ignore": ["vertex"]}, ["acme", "acme/priority"]),
        ({"ignore": ["vertex/us-east5", "nobody"]}, ["acme", "acme/priority", "vertex/us-west1"]),
        ({"only": ["vertex"], "ignore": ["vertex/us-east5"]}, ["vertex/us-west1"]),
        ({"only": ["acme"], "ignore": ["acme"]}, []),
    ],
)
def test_only_and_ignore_leave_what_both_allow(said: dict[str, object], expected: list[str]) -> None:
    assert tags(**said) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"order": ["acme"]}, ["acme", "vertex/us-east5", "acme/priority", "vertex/us-west1"]),
        ({"order": ["vertex/us-west1", "acme"]}, ["vertex/us-west1", "acme", "vertex/us-east5", "acme/priority"]),
        ({"order": ["nobody", "vertex"]}, ["vertex/us-east5", "vertex/us-west1", "acme", "acme/priority"]),
        ({"order": ["vertex", "acme", "VERTEX"]}, ["vertex/us-east5", "vertex/us-west1", "acme", "acme/priority"]),
        ({"order": []}, ["vertex/us-east5", "acme", "acme/priority", "vertex/us-west1"]),
        ({"order": ["vertex", "acme"], "ignore": ["vertex/us-east5"]}, ["vertex/us-west1", "acme", "acme/priority"]),
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
        assert only is None or any(matches(entry, one) for entry in only)
        assert not any(matches(entry, one) for entry in ignore or [])
