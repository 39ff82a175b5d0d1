"""The snapshot: cheap to change, never changed under a reader, and never set back."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import permutations
from time import perf_counter
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.records import AddedKey, Key, KeyTerms, Preset, Provider, ProviderKey
from setpoint.routing.catalog import Catalog
from setpoint.routing.offers import offer
from setpoint.snapshot import Layered, SnapshotHolder
from support import records

NOW = datetime(2026, 4, 20, tzinfo=UTC)
CATALOG = cast("Catalog", object())


def make_preset(slug: str, revision: int, workspace_id: str = "w1") -> Preset:
    designated = records.version(revision, preset_id=slug)
    return records.preset(designated, slug=slug, revision=revision, workspace_id=workspace_id)


def make_key(digest: str, revision: int, **given_: Any) -> Key:
    return records.key(digest=digest, revision=revision, **given_)


def entries(start: int, size: int) -> dict[int, int]:
    return dict.fromkeys(range(start, start + size), 1000 * size + start)


# Some changes are large enough for the layer to be folded, some are not.
names = st.integers(0, 30)
puts = st.builds(entries, names, st.integers(0, 8) | st.integers(900, 1100))
changes = st.lists(st.tuples(puts, st.lists(names, max_size=8)), max_size=12)


@given(changes)
def test_layered_is_a_dictionary_that_does_not_change(steps: list[tuple[dict[int, int], list[int]]]) -> None:
    layered: Layered[int, int] = Layered()
    expected: dict[int, int] = {}
    history = [(layered, expected)]
    for put, remove in steps:
        layered = layered.changed(put, remove)
        expected = {key: value for key, value in (expected | put).items() if key not in remove}
        history.append((layered, expected))
    for one, content in history:
        assert len(one) == len(content)
        assert sorted(one) == sorted(content)
        assert dict(one) == content
        for key in range(32):
            assert one.get(key) == content.get(key)
            assert (key in one) == (key in content)


def test_layered_without_a_key_says_so() -> None:
    layered = Layered[str, int]().changed({"a": 1, "b": 2}, ["b", "never there"])
    for key in ("b", "never there", "c"):
        assert key not in layered
        with pytest.raises(KeyError):
            layered[key]


def test_change_costs_what_has_changed() -> None:
    whole = {number: number for number in range(200_000)}
    layered = Layered[int, int]().changed(whole)
    start = perf_counter()
    for number in range(900):
        layered = layered.changed({number: -1})
    changed_s = (perf_counter() - start) / 900
    start = perf_counter()
    for _ in range(5):
        dict(whole)
    copied_s = (perf_counter() - start) / 5
    assert changed_s < copied_s / 5
    assert layered[899] == -1


def test_snapshot_in_hand_stays_as_it_was() -> None:
    holder = SnapshotHolder(CATALOG)
    holder.apply(2, [make_preset("a", 1)], [make_key("k", 2)])
    seen = holder.current
    holder.apply(4, [make_preset("a", 3)], [make_key("k", 4, deleted=True)])
    assert (seen.revision, seen.presets["w1", "a"].revision, seen.keys["k"].revision) == (2, 1, 2)
    now = holder.current
    assert (now.revision, now.presets["w1", "a"].revision, dict(now.keys)) == (4, 3, {})


def test_preset_is_found_in_its_workspace_only() -> None:
    holder = SnapshotHolder(CATALOG)
    holder.apply(2, [make_preset("a", 1, "w1"), make_preset("a", 2, "w2")], [])
    found = holder.current.presets
    assert (found["w1", "a"].revision, found["w2", "a"].revision) == (1, 2)
    assert found.get(("w3", "a")) is None


def test_disabled_key_is_there_and_a_deleted_one_is_not() -> None:
    holder = SnapshotHolder(CATALOG)
    holder.apply(3, [], [make_key("off", 1, disabled=True), make_key("gone", 2, deleted=True), make_key("on", 3)])
    assert set(holder.current.keys) == {"off", "on"}
    assert holder.current.keys["off"].disabled


def test_order_in_which_changes_arrive_does_not_matter() -> None:
    states = [
        make_key("k", 1),
        make_key("k", 2, disabled=True),
        make_key("k", 3, deleted=True),
        make_key("k", 4, role="admin"),
    ]
    for upto in range(1, 5):
        expected = {} if states[upto - 1].deleted else {"k": states[upto - 1]}
        for order in permutations(states[:upto]):
            holder, at_once = SnapshotHolder(CATALOG), SnapshotHolder(CATALOG)
            for state in order:
                holder.apply(state.revision, [make_preset("p", state.revision)], [state])
            at_once.apply(upto, [make_preset("p", state.revision) for state in order], order)
            for now in (holder.current, at_once.current):
                assert dict(now.keys) == expected
                assert now.presets["w1", "p"].revision == now.revision == upto


def test_same_row_again_changes_nothing() -> None:
    holder = SnapshotHolder(CATALOG)
    known = make_preset("a", 5)
    holder.apply(5, [known], [])
    holder.apply(5, [make_preset("a", 5)], [])
    holder.apply(4, [], [])
    assert holder.current.presets["w1", "a"] is known
    assert holder.current.revision == 5


def test_a_deleted_workspace_does_not_come_back_by_an_older_state() -> None:
    holder = SnapshotHolder(dormant("one"))
    holder.apply(2, [], [], [], [records.workspace("a", 1), records.workspace("b", 2)])
    holder.apply(4, [], [], [], [records.workspace("a", 4, deleted=True)])
    holder.apply(3, [], [], [], [records.workspace("a", 3), records.workspace("b", 3)])
    assert {name: one.revision for name, one in holder.current.workspaces.items()} == {"b": 3}


def make_added(provider: str, revision: int, *, disabled: bool = False) -> AddedKey:
    return AddedKey(
        id=f"of-{provider}",
        provider=provider,
        label="...",
        key=ProviderKey(id="k", secret="s3cret"),
        terms=KeyTerms(disabled=disabled),
        deleted=False,
        sort_order=0,
        workspace_id=None,
        creator_user_id="u",
        created_at=NOW,
        updated_at=None,
        revision=revision,
    )


def dormant(name: str) -> Catalog:
    sleeper = Provider(slug="sleeper", name=name, dialects=("chat",), base_url="http://sleeper.test")
    return Catalog(models={}, providers={}, aliases={}, offers={}, dormant={"sleeper": offer(sleeper, None)})


def test_dormant_provider_is_awake_while_it_has_a_key_whatever_catalog_comes() -> None:
    holder = SnapshotHolder(dormant("before"))
    assert holder.current.catalog.find("sleeper/m") is None
    holder.apply(1, [], [], [make_added("sleeper", 1), make_added("nobody", 1)])
    assert holder.current.catalog.find("sleeper/m") is not None
    assert set(holder.current.catalog.providers) == {"sleeper"}
    holder.replace_catalog(dormant("behind"))
    assert holder.current.catalog.providers["sleeper"].name == "behind"
    known = holder.current.catalog
    holder.apply(2, [], [make_key("k", 2)])
    assert holder.current.catalog is known
    holder.apply(3, [], [], [make_added("sleeper", 3, disabled=True)])
    assert holder.current.catalog.find("sleeper/m") is None
    assert set(holder.current.catalog.providers) == set()


def test_catalog_is_replaced_alone() -> None:
    holder = SnapshotHolder(CATALOG)
    holder.apply(1, [make_preset("a", 1)], [make_key("k", 1)])
    before, other = holder.current, cast("Catalog", object())
    holder.replace_catalog(other)
    now = holder.current
    assert now.catalog is other
    assert before.catalog is CATALOG
    assert (now.revision, now.presets, now.keys) == (before.revision, before.presets, before.keys)
