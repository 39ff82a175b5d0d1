"""What holds of every plan, whatever is asked of whichever endpoints in whatever state."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from routing.plan_support import Known, catalog, planned
from setpoint.errors import RequestError
from setpoint.records import ProviderKey
from setpoint.routing.preferences import Cutoffs, Preferences
from setpoint.routing.standing import Percentiles, Standing
from support.records import endpoint, model, provider

if TYPE_CHECKING:
    from setpoint.records import Dialect, Endpoint, Exclusion

SLUGS = ("acme", "bolt", "cora", "dune", "acme/fast")
_SLUGS = st.none() | st.lists(st.sampled_from([*SLUGS, "Acme", "nobody"]), max_size=3).map(tuple)
_PREFERENCES = st.builds(
    Preferences,
    order=_SLUGS,
    only=st.none() | st.just(("acme", "bolt", "acme/fast")),
    ignore=_SLUGS,
    allow_fallbacks=st.sampled_from([None, None, True, False]),
    require_parameters=st.booleans(),
    data_collection_denied=st.sampled_from([False, False, True]),
    zdr=st.sampled_from([False, False, True]),
    quantizations=st.none() | st.just(frozenset({"fp8"})),
    sort=st.sampled_from([None, None, "price", "throughput", "latency", "exacto"]),
    mixed=st.booleans(),
    least_throughput=st.none() | st.builds(Cutoffs, p50=st.just(10.0)),
)
_ENDPOINT: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "dollars": st.sampled_from([None, 0, 1, 2]),
        "weight": st.sampled_from([0, 1, 1, 5]),
        "enabled": st.sampled_from([True, True, False]),
        "tier": st.sampled_from(["default", "default", "priority", "flex", "batch"]),
        "quantization": st.sampled_from(["unknown", "fp8"]),
        "zdr": st.booleans(),
        "data_collection": st.sampled_from(["allow", "deny"]),
        "parameters": st.sampled_from([None, frozenset({"tools"}), frozenset[str]()]),
        "context_length": st.sampled_from([None, 10, 1_000]),
        "max_output_tokens": st.sampled_from([None, 10, 1_000]),
        "variants": st.sampled_from([(), ("free",), ("batch",)]),
        "concurrency": st.sampled_from([None, None, 1]),
    }
)
_STANDING = st.builds(
    Standing,
    stable=st.booleans(),
    open=st.sampled_from([False, False, True]),
    throughput=st.none() | st.just(Percentiles(5, 5, 5, 5)),
)
_KEYS = st.dictionaries(st.sampled_from(SLUGS), st.sampled_from([("k1",), ("k1", "k2")]), max_size=3)
_HELD = st.dictionaries(
    st.tuples(st.sampled_from(SLUGS), st.sampled_from([None, "k1", "k2"])), st.sampled_from(["cooling", "refused"])
)
_FULL = st.sets(st.sampled_from(SLUGS), max_size=3)
_NAMES = st.lists(
    st.sampled_from(["m", "n", "m:nitro", "m:floor", "m:free", "m:batch", "n:exacto"]), min_size=1, max_size=4
)


def _key(name: str) -> ProviderKey:
    """A key; the second of a provider is declared to be one of an account that retains nothing."""
    return ProviderKey(id=name, secret=name, zdr=True if name == "k2" else None)


@given(
    st.lists(st.tuples(st.sampled_from(SLUGS), _ENDPOINT), min_size=1, max_size=5, unique_by=lambda one: one[0]),
    st.lists(st.tuples(st.sampled_from(SLUGS), _ENDPOINT), min_size=1, max_size=5, unique_by=lambda one: one[0]),
    _NAMES,
    st.fixed_dictionaries(
        {
            "preferences": _PREFERENCES,
            "needs": st.sampled_from([(), ("tools",), ("tools", "verbosity")]),
            "tier": st.sampled_from([None, None, "priority", "flex"]),
            "max_output": st.sampled_from([None, 10, 5_000]),
            "conversation": st.sampled_from([None, "c"]),
            "sticky": st.sampled_from([None, "m acme"]),
            "most_input": st.sampled_from([0, 500]),
        }
    ),
    st.dictionaries(st.sampled_from(SLUGS), _STANDING, max_size=3),
    _KEYS,
    _HELD,
    _FULL,
    st.integers(0, 9),
)
def test_every_endpoint_is_once_in_the_line_or_left_out_with_a_reason(
    first: Any,
    second: Any,
    names: list[str],
    wanted: Any,
    standings: Any,
    keys: Any,
    held: Any,
    full: set[str],
    seed: int,
) -> None:
    def built(name: str, rows: Any) -> Any:
        at = {slug: provider(slug.split("/")[0], keys=tuple(map(_key, keys.get(slug, ())))) for slug, _ in rows}
        return model(name, *(endpoint(at[slug], name, tag=slug, key=f"{name} {slug}", **said) for slug, said in rows))

    world = catalog(built("m", first), built("n", second))

    def refusing(endpoint: Endpoint, _: Dialect) -> Exclusion | None:
        return "require_parameters" if endpoint.zdr else None

    def made() -> Any:
        known = Known(standings, held, full)
        dice = Random(seed).random
        return planned(world, *names, standings=known, dice=dice, refusal=refusing, input_tokens=lambda: 100, **wanted)

    try:
        plan = made()
    except RequestError:
        return
    assert made() == plan, "the same question has the same answer"
    asked = {name.partition(":")[0] for name in names}
    everyone = sorted((one.model_id, one.tag) for name in asked for one in world.models[name].endpoints)
    placed = [(one.model, one.tag) for one in plan.endpoints]
    left = [(one.model, one.tag) for one in plan.excluded if one.reason != "unknown_provider"]
    assert sorted(placed + left) == everyone
    tried = list(dict.fromkeys((one.model.id, one.endpoint.tag) for one in plan.candidates))
    assert tried[: len(placed)] == placed
    passing = ("breaker_open", "key_refused", "concurrency")
    late = {(one.model, one.tag) for one in plan.excluded if one.reason in passing}
    assert set(tried[len(placed) :]) <= late
    pairs = [(one.model.id, one.endpoint.key, one.key and one.key.id) for one in plan.candidates]
    assert len(set(pairs)) == len(pairs)
    if wanted["preferences"].zdr:
        assert all(one.endpoint.zdr or (one.key is not None and one.key.zdr) for one in plan.candidates)
