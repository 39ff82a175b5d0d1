"""Which keys a request may carry: the file's first, then the added ones that are for it; and what changes them."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from msgspec import structs

from setpoint.records import AddedKey, Key, Model, Provider, ProviderKey
from setpoint.routing.keyring import KeyRing, Ring, with_changes
from support.records import added_key as added
from support.records import key, model, provider

FILE = ProviderKey(id="acme:1", secret="of-the-file")
WITHOUT = provider()
WITH = provider(keys=(FILE,))
SAGE = model("acme/sage", aliases=("~sage",))
CALLER = key()


def carried(*rows: AddedKey, provider: Provider = WITHOUT, model: Model = SAGE, caller: Key = CALLER) -> list[str]:
    """The secrets that a request of this caller may carry, in their order; `-` for none at all."""
    found = KeyRing(with_changes({}, rows), caller).of(provider, model)
    return [key.secret if key is not None else "-" for key in found]


def test_a_provider_without_keys_is_asked_without() -> None:
    assert carried() == ["-"]
    assert carried(provider=WITH) == ["of-the-file"]
    assert KeyRing().of(WITHOUT, SAGE) == (None,)


def test_the_files_keys_come_first_then_the_added_by_their_place_then_the_fallbacks() -> None:
    rows = [
        added("a", is_fallback=True),
        added("b", sort_order=3),
        added("c", sort_order=2),
        added("d", sort_order=1, is_fallback=True),
    ]
    expected = ["of-the-file", "of-c", "of-b", "of-a", "of-d"]
    for order in permutations(rows):
        assert carried(*order, provider=WITH) == expected


def test_another_providers_keys_are_never_carried() -> None:
    assert carried(added("a", provider="bolt")) == ["-"]


@pytest.mark.parametrize("kept", [{"disabled": True}, {"secret": None}, {"deleted": True, "secret": None}])
def test_keys_that_rest_are_as_not_there(kept: dict[str, Any]) -> None:
    assert carried(added("a", **kept)) == ["-"]
    assert carried(added("a", **kept), added("b")) == ["of-b"]


@pytest.mark.parametrize(
    ("terms", "fits"),
    [
        ({"allowed_models": ("acme/sage",)}, True),
        ({"allowed_models": ("~sage",)}, True),
        ({"allowed_models": ("acme/rune", "acme/sag")}, False),
        ({"allowed_api_key_hashes": ("e" * 64, "d" * 64)}, True),
        ({"allowed_api_key_hashes": ("e" * 64,)}, False),
        ({"allowed_user_ids": ("u1",)}, True),
        ({"allowed_user_ids": ("u2",)}, False),
        ({"workspace_id": "w1"}, True),
    ],
)
def test_a_key_is_carried_by_those_it_is_for(terms: dict[str, Any], *, fits: bool) -> None:
    assert carried(added("a", **terms)) == (["of-a"] if fits else [])
    assert carried(added("a", **terms), provider=WITH) == ["of-the-file", *(["of-a"] if fits else [])]


def test_what_another_workspace_brings_changes_nothing_here() -> None:
    theirs, ours = added("a", workspace_id="w2"), added("b", workspace_id="w1", allowed_user_ids=("u2",))
    assert carried(theirs) == ["-"]
    assert carried(theirs, provider=WITH) == ["of-the-file"]
    assert carried(theirs, ours) == []
    assert carried(theirs, added("c")) == ["of-c"]
    bought = provider(needs_key=True)
    assert carried(theirs, provider=bought) == [], "it is there for that other workspace alone"
    assert carried(theirs, added("c"), provider=bought) == ["of-c"]


def test_nobody_carries_a_key_without_being_somebody() -> None:
    assert KeyRing(with_changes({}, [added("a")])).of(WITHOUT, SAGE) == ()


def test_the_same_secret_is_carried_once() -> None:
    rows = [added("a", secret="one"), added("b", secret="one"), added("c", secret="of-the-file")]
    assert carried(*rows, provider=WITH) == ["of-the-file", "one"]
    assert carried(*rows) == ["one", "of-the-file"]
    assert carried(*rows, added("d", secret="one", allowed_models=("acme/sage",))) == ["one", "of-the-file"]


# --- changes -------------------------------------------------------------------------------------------------


def test_changes_may_come_in_any_order() -> None:
    states = [added("a", 1, secret="old"), added("a", 2, secret="new"), added("a", 3, secret=None, deleted=True)]
    for order in permutations(states):
        rings: Any = {}
        for row in order:
            rings = with_changes(rings, [row])
        assert KeyRing(rings, CALLER).of(WITHOUT, SAGE) == (None,)


def test_what_is_not_newer_changes_nothing() -> None:
    rings = with_changes({}, [added("a", 2)])
    assert with_changes(rings, [added("a", 1), added("a", 2)]) is rings
    assert with_changes(rings, []) is rings


def test_a_key_that_was_rotated_away_or_deleted_stays_a_secret() -> None:
    rings = with_changes({}, [added("a", 1, secret="first"), added("b", 1, secret="other", disabled=True)])
    rings = with_changes(rings, [added("a", 2, secret="second")])
    assert sorted(rings["acme"].secrets()) == ["first", "other", "second"]
    rings = with_changes(rings, [added("a", 3, secret=None, deleted=True)])
    assert sorted(rings["acme"].secrets()) == ["first", "other", "second"]
    assert [row.id for row in rings["acme"].usable] == []


def test_a_key_of_which_something_else_is_said_is_no_former_one() -> None:
    row = added("a", 1, secret="one")
    assert row.key is not None
    declared = structs.replace(row, revision=2, key=structs.replace(row.key, zdr=True))
    rings = with_changes(with_changes({}, [row]), [declared])
    assert rings["acme"].secrets() == ["one"]
    [carried] = KeyRing(rings, CALLER).of(WITHOUT, SAGE)
    assert carried is not None
    assert carried.zdr is True


def test_what_is_remembered_of_former_keys_is_bounded() -> None:
    rings: Any = {}
    for number in range(1, 300):
        rings = with_changes(rings, [added("a", number, secret=f"s{number}")])
    ring: Ring = rings["acme"]
    assert len(ring.secrets()) < 100
    assert "s298" in ring.secrets()


def test_no_key_shows_in_what_is_written_of_a_ring() -> None:
    rings = with_changes({}, [added("a", 1, secret="first")])
    rings = with_changes(rings, [added("a", 2, secret="second")])
    for written in (repr(rings), repr(KeyRing(rings, CALLER))):
        assert "first'" not in written.replace("a:first'", "")
        assert "second'" not in written.replace("a:second'", "")
