"""What the plan of a model usually is: the same as one that is made from the beginning, and never that of yesterday."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from routing.plan_support import Known, catalog, planned, tags
from setpoint.errors import RequestError
from setpoint.records import ListedModel, LongPrice, Price
from setpoint.routing.catalog import MOST_MADE
from setpoint.routing.discovered import with_discovered
from setpoint.routing.keyring import KeyRing, with_changes
from setpoint.routing.preferences import Preferences
from setpoint.routing.standing import Percentiles, Standing
from support.records import added_key, endpoint, key, model, provider

if TYPE_CHECKING:
    from setpoint.records import AddedKey, Model
    from setpoint.routing.catalog import Catalog

DRAWS = 100_000
CALLER = key()
SLUGS = ("acme", "bolt", "cora")


def priced(**dollars: float) -> Model:
    """A model `m` at providers of these names, for so much each."""
    return model("m", *(endpoint(slug, dollars=price) for slug, price in dollars.items()))


# --- the same plan -------------------------------------------------------------------------------------------

# Mostly such as usual plans are made of, and one thing that rules them out, or may.
_OFFER = {"dollars": st.sampled_from([1, 1, 2, 3]), "weight": st.sampled_from([1, 5])}
_SEEDS = st.integers(0, 9)
_OFFERS = st.dictionaries(st.sampled_from(SLUGS), st.fixed_dictionaries(_OFFER), max_size=3)
_ODD: dict[str, tuple[Any, ...]] = {
    "keys": ((), ("k1", "k2")),
    "dollars": (0, None),
    "weight": (0,),
    "enabled": (False,),
    "tier": ("priority", "batch"),
    "variants": (("free",),),
    "dialects": (("messages",), ("messages", "chat")),
    "concurrency": (1,),
    "parameters": (frozenset({"tools"}), frozenset[str]()),
    "context_length": (100, 1_000),
    "max_output_tokens": (100, 1_000),
}
_LONG = Price(prompt=Decimal(9), completion=Decimal(9))
_STEPPED = Price(prompt=Decimal(1), completion=Decimal(1), long=(LongPrice(above_tokens=100, price=_LONG),))
_ODDITIES: list[dict[str, Any]] = [
    {},
    {"dollars": None, "price": _STEPPED},
    *({name: odd} for name, several in _ODD.items() for odd in several),
]
_ADDED: list[dict[str, Any] | None] = [None, {}, {"allowed_models": ("m",)}, {"workspace_id": "w2"}]
_MOMENTS = (
    Known({"bolt": Standing(stable=False)}),
    Known({"bolt": Standing(open=True)}),
    Known({"bolt": Standing(latency_s=Percentiles(1, 1, 1, 1))}),
    Known({}, {("acme", "k1"): "cooling"}),
    Known({}, {("acme", None): "refused"}),
    Known({}, full=SLUGS),
)
_WISHES: list[dict[str, Any]] = [
    *({"names": (text,)} for text in ("m", "~m", "m:floor", "m:free", "m:online")),
    {"names": ("m", "n")},
    *({"conversation": name, "sticky": sticky} for name in ("c", "d") for sticky in (None, "m bolt")),
    *({"needs": needs} for needs in (("tools",), ("response_format", "verbosity"))),
    *({name: wish} for name, wish in {"skin": "messages", "tier": "priority", "caller": None}.items()),
    *({"max_output": 50}, {"max_output": 500}, {"most_input": 500}),
    *({"standings": moment} for moment in _MOMENTS),
]


@pytest.mark.parametrize("slugs", [SLUGS, SLUGS[1:2]])
def test_it_is_the_one_that_is_made_from_the_beginning(slugs: tuple[str, ...]) -> None:
    for odd in _ODDITIES:
        for row in _ADDED:
            agree({slug: {"dollars": 1 + at, "keys": ("k1",)} for at, slug in enumerate(slugs)}, {"bolt": odd}, row, 1)


@given(_OFFERS, st.dictionaries(st.sampled_from(SLUGS), st.sampled_from(_ODDITIES)), st.sampled_from(_ADDED), _SEEDS)
def test_it_is_the_same_whatever_the_prices_and_the_dice(offers: Any, odd: Any, row: Any, seed: int) -> None:
    agree(offers, odd, row, seed)


def agree(offers: dict[str, Any], odd: dict[str, Any], row: dict[str, Any] | None, seed: int) -> None:
    """Both ways lead to the same plan of `m`, whatever else is wanted."""
    rows = [(slug, {"keys": ()} | offer | odd.get(slug, {})) for slug, offer in offers.items()]
    made = [endpoint(provider(slug, *more.pop("keys")), **more) for slug, more in rows]
    world = catalog(model("m", *made, aliases=("~m",)), model("n", endpoint("dune", "n")))
    rings = with_changes({}, [] if row is None else [added_key("a", **row)])
    for wish in _WISHES:
        wanted: dict[str, Any] = {
            "names": ("m",),
            "caller": CALLER,
            "most_input": 50,
            "input_tokens": lambda: 200,
        } | wish
        names, wanted["keys"] = wanted.pop("names"), KeyRing(rings, wanted.pop("caller"))
        # These preferences want nothing either, but no usual plan is for them.
        assert led(world, names, seed, wanted) == led(world, names, seed, wanted | {"preferences": Preferences()})


def led(world: Catalog, names: tuple[str, ...], seed: int, wanted: dict[str, Any]) -> Any:
    """The plan, or why there is none."""
    try:
        return planned(world, *names, dice=Random(seed).random, **wanted)
    except RequestError as error:
        return error.message, error.availability


def test_each_comes_first_as_often_as_its_share() -> None:
    world, dice = catalog(priced(a=1, b=2, c=3)), Random(20_26).random
    firsts = Counter(planned(world, "m", dice=dice).endpoints[0].tag for _ in range(DRAWS))
    assert {slug: times / DRAWS for slug, times in firsts.items()} == pytest.approx(
        {"a": 36 / 49, "b": 9 / 49, "c": 4 / 49}, abs=0.01
    )


# --- what is kept --------------------------------------------------------------------------------------------


def test_it_is_made_once_for_each_skin() -> None:
    world = catalog(priced(a=1, b=2))
    found = [planned(world, "m", skin=skin) for skin in ("chat", "messages") * 20]
    assert {id(one) for plan in found for one in plan.candidates} == {
        *map(id, found[0].candidates),
        *map(id, found[1].candidates),
    }
    assert len(world.usuals) == 2


def test_models_that_nobody_has_written_down_do_not_pile_up() -> None:
    world = catalog(priced(a=1), offers={"acme": endpoint("acme", "")})
    first = planned(world, "acme/0").candidates[0]
    assert planned(world, "acme/0").candidates[0] is first
    for at in range(5 * MOST_MADE):
        assert tags(planned(world, f"acme/{at}")) == ["acme"]
    assert len(world.usuals) <= 3 * (MOST_MADE + 1)


def carried(world: Catalog, *rows: AddedKey, caller: Any = CALLER) -> list[str | None]:
    """The keys of the candidates of `m`, when these are the added ones."""
    keys = KeyRing(with_changes({}, rows), caller)
    return [one.key.secret if one.key else None for one in planned(world, "m", keys=keys).candidates]


def test_a_key_that_is_added_rotated_or_deleted_is_used_at_once_or_not_any_more() -> None:
    world = catalog(priced(acme=1, bolt=2))
    for _ in range(2):
        assert carried(world) == [None, None]
        assert carried(world, added_key("a", secret="old")) == ["old", None]
        assert carried(world, added_key("a", 1, secret="old"), added_key("a", 2, secret="new")) == ["new", None]
        assert carried(world, added_key("a", 1), added_key("a", 2, secret=None, deleted=True)) == [None, None]


def test_keys_that_are_not_everybodys_are_carried_by_those_whose_they_are() -> None:
    world, other = catalog(priced(acme=1)), structs.replace(CALLER, digest="e" * 64)
    rings = with_changes({}, [added_key("a", secret="mine", allowed_api_key_hashes=(CALLER.digest,))])
    for caller, secrets in ((CALLER, ["mine"]), (other, None), (CALLER, ["mine"]), (None, None)):
        try:
            found = planned(world, "m", keys=KeyRing(rings, caller)).candidates
        except RequestError:
            assert secrets is None
        else:
            assert [one.key.secret for one in found if one.key] == secrets


def test_another_catalog_has_its_own() -> None:
    world = catalog(priced(a=1, b=2), offers={"acme": endpoint("acme", "")})
    assert tags(planned(world, "m", dice=lambda: 0.0)) == ["a", "b"]
    dearer = structs.replace(world, models={"m": priced(a=9, b=2)})
    assert tags(planned(dearer, "m", dice=lambda: 0.0)) == ["b", "a"]
    assert tags(planned(world, "m", dice=lambda: 0.0)) == ["a", "b"]


def test_a_model_that_is_discovered_has_one_from_then_on() -> None:
    world = catalog(priced(a=1), offers={"acme": endpoint("acme", "")})
    before = planned(world, "acme/new").candidates[0].model
    found = with_discovered(world, {"acme": (ListedModel(id="new", context_length=7),)})
    after = planned(found, "acme/new").candidates[0].model
    assert (before.context_length, after.context_length) == (None, 7)
    assert planned(found, "acme/new").candidates[0].model is after
    assert len(found.usuals) == 1
