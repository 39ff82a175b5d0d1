"""Where the requests of a key with lists may go: nowhere else, and as those of any other key within them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from routing.plan_support import catalog, evenly, planned, tags
from setpoint.errors import RequestError
from setpoint.routing.keyring import KeyRing, with_changes
from setpoint.routing.preferences import Preferences
from support.records import added_key, endpoint, key, model

if TYPE_CHECKING:
    from setpoint.records import Excluded, Model
    from setpoint.routing.catalog import Catalog
    from setpoint.routing.plan import Plan


def sage(**more: Any) -> Model:
    """A model at two providers, with two more names."""
    offers = (endpoint("acme", "a/sage", dollars=1), endpoint("bolt", "a/sage", dollars=2))
    return model("a/sage", *offers, aliases=("~a/sage-latest", "sage"), **more)


RUNE = model("b/rune:8b", endpoint("bolt", "b/rune:8b", dollars=1))


def world() -> Catalog:
    return catalog(sage(), RUNE)


def bounded(*models: str, at: Catalog | None = None, preferences: Preferences | None = None, **lists: Any) -> Plan:
    more: dict[str, Any] = {"preferences": preferences} if preferences is not None else {}
    return planned(at or world(), *models, keys=KeyRing(caller=key(**lists)), **more)


def refused(*models: str, **more: Any) -> tuple[str, str]:
    with pytest.raises(RequestError) as caught:
        bounded(*models, **more)
    return caught.value.type, caught.value.message


def left_out(plan: Plan) -> list[tuple[str | None, str]]:
    def one(excluded: Excluded) -> tuple[str | None, str]:
        return excluded.tag, excluded.reason

    return [one(excluded) for excluded in plan.excluded]


@pytest.mark.parametrize("name", ["a/sage", "~a/sage-latest", "sage"])
@pytest.mark.parametrize("asked", ["a/sage", "sage", "a/sage:nitro", "~a/sage-latest"])
def test_a_model_is_allowed_by_any_of_its_names_and_asked_for_by_any(name: str, asked: str) -> None:
    assert sorted(tags(bounded(asked, allowed_models=("x", name)))) == ["acme", "bolt"]


@pytest.mark.parametrize("name", ["a/*", "a", "a/sage:nitro", "A/sage", "a/sag", "*"])
def test_a_name_means_itself_and_no_other(name: str) -> None:
    told, message = refused("a/sage", allowed_models=(name,))
    assert told == "permission_denied"
    assert "a/sage" in message


def test_a_provider_that_is_not_allowed_is_left_out_and_named() -> None:
    plan = bounded("a/sage", allowed_providers=("bolt", "cora"))
    assert tags(plan) == ["bolt"]
    assert left_out(plan) == [("acme", "key_not_allowed")]


def test_models_and_providers_are_both_asked() -> None:
    lists: dict[str, Any] = {"allowed_models": ("a/sage", "b/rune:8b"), "allowed_providers": ("acme",)}
    assert tags(bounded("a/sage", **lists)) == ["acme"]
    assert refused("b/rune:8b", **lists)[0] == "permission_denied"


def test_what_is_not_allowed_stands_behind_what_is() -> None:
    plan = bounded("b/rune:8b", "a/sage", allowed_models=("a/sage",))
    assert sorted(tags(plan)) == ["acme", "bolt"]
    assert [one.model for one in plan.excluded] == ["b/rune:8b"]


def test_the_list_is_named_only_where_nothing_but_it_leaves_nothing() -> None:
    """The request's own wishes come behind the key's lists; where they end it, the caller hears of them."""
    only_acme = Preferences(only=("acme",))
    told, message = refused("a/sage", preferences=only_acme, allowed_providers=("bolt",))
    assert (told, "provider.only" in message) == ("not_found", True)
    assert refused("a/sage", preferences=only_acme, allowed_providers=("cora",))[0] == "permission_denied"
    assert refused("nobody/knows", allowed_models=("a/sage",))[0] == "invalid_request"


def test_what_rests_is_not_said_to_be_forbidden() -> None:
    resting = catalog(model("m", endpoint("acme", "m", enabled=False), endpoint("bolt", "m")))
    assert refused("m", at=resting, allowed_providers=("acme",))[0] == "permission_denied"
    both = catalog(model("m", endpoint("acme", "m", enabled=False), endpoint("bolt", "m", enabled=False)))
    assert refused("m", at=both, allowed_providers=("cora",))[0] == "not_found"


def test_a_caller_without_lists_that_lacks_a_providers_key_is_told_so_as_before() -> None:
    rings = with_changes({}, [added_key("k", allowed_api_key_hashes=("e" * 64,))])
    alone = catalog(model("m", endpoint("acme", "m")))
    for lists in ({}, {"allowed_models": ("m",)}):
        with pytest.raises(RequestError) as caught:
            planned(alone, "m", keys=KeyRing(rings, key(**lists)))
        assert caught.value.type == "not_found"


def test_within_its_lists_a_key_goes_as_any_other_and_nobody_elses_plan_changes() -> None:
    ours = world()
    free, wide = key(), key(allowed_models=("a/sage",), allowed_providers=("acme", "bolt"))
    narrow = key(allowed_providers=("bolt",))

    def of(caller: Any) -> Plan:
        return planned(ours, "a/sage", keys=KeyRing(caller=caller), dice=evenly)

    before = of(free)
    assert tags(of(narrow)) == ["bolt"]
    assert of(wide) == of(free) == before
    assert len(ours.usuals) == 1
    other = world()
    assert tags(planned(other, "a/sage", keys=KeyRing(caller=narrow))) == ["bolt"]
    assert planned(other, "a/sage", keys=KeyRing(caller=free)) == before
