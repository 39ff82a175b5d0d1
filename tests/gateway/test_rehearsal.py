"""What a captured configuration would meet with in use: what no endpoint of a model would be told as it is asked."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from routing.health_support import World
from setpoint.errors import ProviderError
from setpoint.gateway.admission import Admission
from setpoint.gateway.aside import Aside
from setpoint.gateway.pipeline import Pipeline, Policy
from setpoint.gateway.relay import Bounds, Relay
from setpoint.gateway.versions import Versions
from setpoint.presets.capture import Captured
from setpoint.protocols.registry import PROTOCOLS
from setpoint.records import ModelReasoning
from setpoint.routing.budget import RetryBudget
from setpoint.routing.catalog import Catalog
from setpoint.routing.placing import Candidate
from setpoint.routing.sessions import Sessions
from setpoint.snapshot import SnapshotHolder
from support import records
from support.limits import UNLIMITED
from support.records import NOW, model

if TYPE_CHECKING:
    from setpoint.presets.receipt import Caveat
    from setpoint.records import Dialect, Endpoint
    from setpoint.routing.health import Health

NOBODY: Any = None
"""Stands for what a rehearsal never reaches: upstreams, and stored versions."""


def endpoint(slug: str, model: str, *, dialect: Dialect = "chat", **more: Any) -> Endpoint:
    """A model at a provider that speaks this dialect; at `tools` it runs server tools."""
    at = records.provider(slug, "k1", dialects=(dialect,), server_tools=slug == "tools")
    return records.endpoint(at, model, **more)


FEW = frozenset({"temperature", "tools"})
MODELS = [
    model("acme/all", endpoint("acme", "acme/all"), endpoint("tools", "acme/all")),
    model("acme/chat", endpoint("acme", "acme/chat")),
    model("acme/few", endpoint("acme", "acme/few", parameters=FEW), endpoint("bolt", "acme/few", parameters=FEW)),
    model("acme/half", endpoint("acme", "acme/half", parameters=FEW), endpoint("bolt", "acme/half")),
    model("acme/words", endpoint("cora", "acme/words", dialect="messages")),
    model("acme/short", endpoint("acme", "acme/short", max_output_tokens=100)),
    model("acme/thinks", endpoint("acme", "acme/thinks"), reasoning=ModelReasoning(mandatory=True)),
    model("acme/off", endpoint("acme", "acme/off"), enabled=False),
]
CATALOG = Catalog(models={one.id: one for one in MODELS}, providers={}, aliases={}, offers={})


def pipeline(health: Health, default: str | None = None, catalog: Catalog = CATALOG) -> Pipeline:
    aside = Aside()
    limits = Bounds(max_answer_bytes=9_999, max_event_bytes=9_999, max_json_depth=99, max_json_members=999)
    return Pipeline(
        SnapshotHolder(catalog),
        Versions(NOBODY),
        Relay(NOBODY, NOBODY, limits, b"identity", str, aside, NOBODY),
        Policy(default_model=default),
        aside,
        lambda: 0.5,
        health,
        RetryBudget(0.2, lambda: 0.0),
        Sessions(lambda: 0.0),
        Admission(10, lambda: 0.0),
        UNLIMITED,
    )


def caveats(config: Any, skin: Dialect = "chat", **more: Any) -> tuple[Caveat, ...]:
    """What this configuration, captured in a skin, would meet with."""
    captured = Captured(json.dumps(config).encode(), None)
    more.setdefault("health", World().health)
    return asyncio.run(pipeline(**more).rehearse(PROTOCOLS[skin], records.key(), captured, NOW))


def rehearsed(config: Any, skin: Dialect = "chat", **more: Any) -> list[tuple[str, str]]:
    return [(one.code, one.path) for one in caveats(config, skin, **more)]


def function(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


# --- models --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "paths"),
    [
        ({"model": "acme/gone"}, ["/model"]),
        ({"model": "acme/off"}, ["/model"]),
        ({"model": "acme/all:free"}, ["/model"]),
        ({"models": ["acme/gone", "acme/all", "acme/lost"]}, ["/models/0", "/models/2"]),
        ({"model": "acme/gone", "models": ["acme/all"]}, ["/model"]),
        ({"model": "acme/gone", "models": ["acme/lost"]}, ["/model", "/models/0"]),
        ({"model": "acme/all"}, []),
        ({}, []),
    ],
)
def test_a_model_that_does_not_exist_is_told_where_it_stands(config: Any, paths: list[str]) -> None:
    assert rehearsed(config) == [("model_unknown", path) for path in paths]


def test_what_a_model_that_exists_is_not_told_shows_beside_one_that_does_not() -> None:
    config = {"model": "acme/gone", "models": ["acme/lost", "acme/few:online"], "top_k": 5}
    assert rehearsed(config) == [
        ("model_unknown", "/model"),
        ("model_unknown", "/models/0"),
        ("tool_unsupported", "/models/1"),
        ("parameter_unsupported", "/top_k"),
    ]


def test_the_default_model_stands_in_for_none_and_never_for_one_that_does_not_exist() -> None:
    assert rehearsed({"top_k": 5}) == []
    assert rehearsed({"top_k": 5}, default="acme/few") == [("parameter_unsupported", "/top_k")]
    assert rehearsed({"model": "acme/gone", "top_k": 5}, default="acme/few") == [("model_unknown", "/model")]


# --- parameters ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("skin", "config", "paths"),
    [
        ("chat", {"model": "acme/few", "temperature": 1, "top_k": 5, "stop": "END"}, ["/stop", "/top_k"]),
        ("chat", {"model": "acme/half", "top_k": 5}, []),
        ("chat", {"model": "acme/all", "top_k": 5}, []),
        ("chat", {"model": "acme/words", "min_p": 0.1, "logit_bias": {"5": 1}, "top_k": 5}, ["/logit_bias", "/min_p"]),
        ("messages", {"model": "acme/chat", "stop": ["END"], "context_management": {}}, ["/context_management"]),
        ("messages", {"model": "acme/few", "verbosity": "low"}, ["/output_config/effort"]),
        ("responses", {"model": "acme/few", "response_format": {"type": "json_object"}}, ["/text/format"]),
        ("responses", {"model": "acme/chat", "truncation": "auto"}, ["/truncation"]),
        ("chat", {"model": "acme/short", "max_tokens": 500}, ["/max_tokens"]),
        ("chat", {"model": "acme/short", "max_tokens": 50}, []),
        (
            "chat",
            {"model": "acme/chat", "provider": {"options": {"acme": {}}, "new": 1}},
            ["/provider/options", "/provider/new"],
        ),
        ("chat", {"model": "acme/thinks", "reasoning": {"enabled": False}}, ["/reasoning/enabled"]),
    ],
)
def test_a_parameter_that_no_endpoint_is_told_as_it_is_asked_is_one(
    skin: Dialect, config: Any, paths: list[str]
) -> None:
    assert rehearsed(config, skin) == [("parameter_unsupported", path) for path in paths]


def test_of_very_many_wishes_that_nobody_follows_the_first_are_told_and_how_many_more() -> None:
    found = caveats({"model": "acme/chat", "provider": {f"x{at}": 1 for at in range(105)}})
    assert [one.path for one in found[:2]] == ["/provider/x0", "/provider/x1"]
    assert (len(found), found[-1].path, found[-1].message) == (101, "/provider", "and 5 more are not followed")


def test_each_model_counts_for_itself_and_is_named() -> None:
    (found,) = caveats({"models": ["acme/all", "acme/few", "acme/half"], "top_k": 5})
    assert (found.path, found.message) == ("/top_k", "no endpoint of acme/few is told this as it is asked")


@pytest.mark.parametrize(
    "provider",
    [
        {"require_parameters": True},
        {"require_parameters": True, "only": ["acme"]},
        {"allow_fallbacks": False, "require_parameters": True},
        {"order": ["acme"], "allow_fallbacks": False},
    ],
)
def test_who_insists_on_parameters_is_told_which_are_in_the_way(provider: Any) -> None:
    config = {"model": "acme/few", "top_k": 5, "provider": provider}
    assert rehearsed(config) == [("parameter_unsupported", "/top_k")]
    assert rehearsed({**config, "model": "acme/chat"}) == []


def test_without_fallbacks_chance_has_no_part_in_it_but_an_order_does() -> None:
    config = {"model": "acme/half", "top_k": 5}
    assert rehearsed({**config, "provider": {"allow_fallbacks": False}}) == []
    assert rehearsed({**config, "provider": {"only": ["acme"]}}) == [("parameter_unsupported", "/top_k")]
    assert rehearsed({**config, "provider": {"order": ["acme"], "allow_fallbacks": False}}) == [
        ("parameter_unsupported", "/top_k")
    ]


def test_where_no_endpoint_may_serve_nothing_is_told_of_parameters() -> None:
    assert rehearsed({"model": "acme/few", "top_k": 5, "provider": {"only": ["nobody"]}}) == []


def test_who_is_ill_just_now_has_as_much_of_a_say() -> None:
    world = World()
    half = CATALOG.models["acme/half"]
    ill = Candidate(half, half.endpoints[1], half.endpoints[1].provider.keys[0], "chat")
    for _ in range(3):
        world.fail(ill, ProviderError("provider_unavailable", "gone"))
    standing = world.health.of(ill.endpoint.key)
    assert standing is not None
    assert standing.open
    assert rehearsed({"model": "acme/half", "top_k": 5}, health=world.health) == []


# --- tools ---------------------------------------------------------------------------------------------------


def test_a_tool_or_a_plugin_that_nobody_runs_is_told_by_its_place() -> None:
    config = {
        "model": "acme/chat",
        "tools": [function("a"), {"type": "openrouter:datetime"}, {"type": "web_search"}],
        "plugins": [{"id": "web"}, {"id": "moderation", "enabled": False}],
        "transforms": ["middle-out"],
    }
    assert rehearsed(config) == [
        ("tool_unsupported", "/plugins/0"),
        ("tool_unsupported", "/tools/1"),
        ("tool_unsupported", "/tools/2"),
        ("tool_unsupported", "/transforms"),
    ]
    at_one_that_runs_them = {**config, "model": "acme/all"}
    assert rehearsed(at_one_that_runs_them) == [("tool_unsupported", "/plugins/0"), ("tool_unsupported", "/transforms")]


def test_tools_that_an_endpoint_takes_none_of_are_told_in_one() -> None:
    config = {"model": "acme/few", "tools": [function("a"), function("b")]}
    assert rehearsed(config) == []
    none = model("acme/none", endpoint("acme", "acme/none", parameters=frozenset()))
    with_none = structs.replace(CATALOG, models={**CATALOG.models, none.id: none})
    assert rehearsed({**config, "model": none.id}, catalog=with_none) == [("tool_unsupported", "/tools")]


def test_a_part_that_one_leaves_out_is_in_the_whole_that_another_leaves_out() -> None:
    config = {"model": "acme/two", "reasoning": {"effort": "low", "exclude": True}}
    few, words = endpoint("acme", "acme/two", parameters=FEW), endpoint("bolt", "acme/two", dialect="responses")
    two = model("acme/two", few, words)
    with_two = structs.replace(CATALOG, models={**CATALOG.models, two.id: two})
    assert rehearsed(config, catalog=with_two) == [("parameter_unsupported", "/reasoning/exclude")]


@pytest.mark.parametrize("choice", ["required", {"type": "openrouter:datetime"}])
def test_a_choice_that_forces_what_nobody_can_be_told_is_told_as_the_error_that_it_will_be(choice: Any) -> None:
    config = {"model": "acme/chat", "tools": [{"type": "openrouter:datetime"}], "tool_choice": choice}
    (found,) = caveats(config)
    assert (found.code, found.path) == ("tool_unsupported", "/tool_choice")
    assert "forces the tool openrouter:datetime, which is not supported here" in found.message
    assert rehearsed({**config, "model": "acme/all"}) == []


def test_a_big_configuration_is_rehearsed_beside_the_loop_and_all_the_same() -> None:
    tools = [function(f"f{at}") for at in range(10_000)]
    tools[2] = {"type": "openrouter:datetime"}
    config = {"model": "acme/chat", "tools": [*tools, {"type": "web_search"}]}
    assert rehearsed(config) == [("tool_unsupported", "/tools/2"), ("tool_unsupported", "/tools/10000")]
