"""A preset's version under a request: who wins, what is united, whose system prompt counts, seen by the upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import USER, ask, create, data_of, fresh, sent
from simulator.script import ok, status

if TYPE_CHECKING:
    from simulator.client import Simulator
    from support.processes import Gateway, StartGateway


def function(name: str, text: str = "") -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "description": text}}


def test_the_request_wins_field_by_field_and_objects_go_whole(gateway: Gateway, simulator: Simulator) -> None:
    slug = fresh()
    create(
        gateway,
        slug,
        {
            "model": "sim/model",
            "temperature": 1,
            "top_p": 0.5,
            "stop": ["A"],
            "seed": 0,
            "provider": {"only": ["other"], "ignore": ["nobody"]},
            "response_format": {"type": "json_object"},
        },
    )
    request = {"temperature": 0, "stop": "B", "top_p": None, "provider": {"order": ["sim"]}, "seed": None}
    assert ask(gateway, {"model": f"@preset/{slug}", **request}).status == 200
    assert sent(simulator, "/a") == {
        "model": "upstream-model",
        "temperature": 0,
        "top_p": 0.5,
        "stop": "B",
        "seed": 0,
        "response_format": {"type": "json_object"},
        "messages": [USER],
    }


@pytest.mark.parametrize(
    ("config", "request_", "arrives"),
    [
        ({"max_tokens": 5}, {"max_completion_tokens": 6}, {"max_completion_tokens": 6}),
        ({"max_completion_tokens": 5}, {"max_tokens": 6}, {"max_tokens": 6}),
        ({"max_tokens": 5, "max_completion_tokens": 4}, {"max_tokens": 6}, {"max_tokens": 6}),
        ({"max_tokens": 5}, {"max_completion_tokens": None}, {"max_tokens": 5}),
        ({"reasoning": {"effort": "low", "exclude": True}}, {"reasoning_effort": "high"}, {"reasoning_effort": "high"}),
        ({"reasoning_effort": "low"}, {"reasoning": {"max_tokens": 9}}, {"reasoning": {"max_tokens": 9}}),
        ({"reasoning": {"effort": "low"}}, {"include_reasoning": False}, {"include_reasoning": False}),
        ({"reasoning_effort": "low"}, {}, {"reasoning": {"effort": "low"}}),
        ({"stop": ["A"]}, {"stop": []}, {"stop": []}),
        ({"verbosity": "low"}, {"verbosity": "max"}, {"verbosity": "max"}),
    ],
)
def test_fields_that_say_the_same_are_overridden_together(
    gateway: Gateway, simulator: Simulator, config: Any, request_: Any, arrives: Any
) -> None:
    create(gateway, slug := fresh(), {"model": "sim/solo", **config})
    assert ask(gateway, {"model": f"@preset/{slug}", **request_}).status == 200
    assert sent(simulator) == {"model": "upstream-model", **arrives, "messages": [USER]}


def test_a_service_tier_of_auto_was_not_said(gateway: Gateway, simulator: Simulator) -> None:
    create(gateway, slug := fresh(), {"model": "few/model", "service_tier": "flex"})
    for tier in ("auto", None):
        ask(gateway, {"model": f"@preset/{slug}", "service_tier": tier})
    ask(gateway, {"model": f"@preset/{slug}", "service_tier": "default"})
    ask(gateway, {"model": "few/model", "service_tier": "auto"})
    assert [received.json().get("service_tier") for received in simulator.requests()] == [
        *("flex", "flex"),
        *("default", None),
    ]


def test_fallback_models_of_a_preset_answer_when_its_first_cannot(gateway: Gateway, simulator: Simulator) -> None:
    both, only_list = fresh(), fresh()
    create(gateway, both, {"model": "sim/solo", "models": ["other/solo"]})
    create(gateway, only_list, {"models": ["sim/solo", "other/solo"]})
    simulator.script(status(500), prefix="/a")
    simulator.script(ok(), prefix="/b")
    for body, paths in (
        ({"model": f"@preset/{both}"}, ["/a", "/b"]),
        ({"model": f"@preset/{only_list}"}, ["/a", "/b"]),
        ({"model": f"sim/model@preset/{both}"}, ["/a", "/b"]),
        ({"model": f"tools/x@preset/{both}"}, ["/t"]),
        ({"model": f"sim/solo@preset/{only_list}"}, ["/a", "/b"]),
    ):
        gateway.forget()
        answer = ask(gateway, body)
        assert answer.status == 200
        assert [received.path[:2] for received in simulator.requests()] == paths
        assert answer.json()["model"] != "sim/solo"
        simulator.forget_requests()
    gateway.forget()
    refused_everywhere = ask(gateway, {"model": f"@preset/{both}", "models": ["sim/solo"]})
    assert refused_everywhere.status == 502, "the request's list replaces the preset's"
    assert refused_everywhere.header("x-setpoint-preset") == f"{both}@1"


def test_what_the_endpoint_is_not_told_is_named(gateway: Gateway, simulator: Simulator) -> None:
    create(gateway, slug := fresh(), {"model": "few/model", "temperature": 1, "top_k": 4, "verbosity": "low"})
    answer = ask(gateway, {"model": f"@preset/{slug}", "seed": 1})
    assert sent(simulator) == {"model": "few", "temperature": 1, "messages": [USER]}
    assert set((answer.header("x-setpoint-unsaid") or "").split(",")) == {"/top_k", "/verbosity", "/seed"}
    record = data_of(gateway.call("GET", f"/generation?id={answer.json()['id']}"))
    assert set(record["unsaid"]) == {"/top_k", "/verbosity", "/seed"}


# --- tools ---------------------------------------------------------------------------------------------------


def test_tools_are_united_in_the_order_of_the_preset(gateway: Gateway, simulator: Simulator) -> None:
    def subagent(name: str) -> dict[str, Any]:
        return {"type": "openrouter:subagent", "parameters": {"name": name}}

    web = {"type": "openrouter:web_search"}
    create(gateway, slug := fresh(), {"model": "tools/x", "tools": [web, function("a", "old"), subagent("x")]})
    request = [function("a", "new"), subagent("y")]
    assert ask(gateway, {"model": f"@preset/{slug}", "tools": request}).status == 200
    assert sent(simulator, "/t")["tools"] == [web, request[0], subagent("x"), subagent("y")]
    simulator.forget_requests()
    assert ask(gateway, {"model": f"@preset/{slug}", "tools": []}).status == 200
    assert sent(simulator, "/t")["tools"] == [web, function("a", "old"), subagent("x")], "a union cannot remove"


def test_tools_that_the_endpoint_cannot_be_told_are_named_by_their_place(
    gateway: Gateway, simulator: Simulator
) -> None:
    tools = [{"type": "openrouter:datetime"}, function("a"), {"type": "openrouter:web_search"}]
    create(gateway, slug := fresh(), {"model": "sim/solo", "tools": tools, "plugins": [{"id": "web"}]})
    answer = ask(gateway, {"model": f"@preset/{slug}", "tools": [function("b")]})
    assert sent(simulator)["tools"] == [function("a"), function("b")]
    assert answer.header("x-setpoint-unsaid") == "/tools/0,/tools/2,/plugins/0"


def test_a_tool_choice_of_the_request_replaces_the_presets(gateway: Gateway, simulator: Simulator) -> None:
    create(gateway, slug := fresh(), {"model": "sim/solo", "tools": [function("a")], "tool_choice": "required"})
    assert ask(gateway, {"model": f"@preset/{slug}", "tool_choice": "none"}).status == 200
    body = sent(simulator)
    assert (body["tools"], body["tool_choice"]) == ([function("a")], "none")


# --- the system prompt ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "messages",
    [
        [USER],
        [USER, {"role": "system", "content": "Later."}],
        [{"role": "assistant", "content": "Hm."}, USER],
    ],
)
def test_the_presets_prompt_goes_in_front_of_a_conversation_without_one(
    gateway: Gateway, simulator: Simulator, messages: list[Any]
) -> None:
    create(gateway, slug := fresh(), {"model": "sim/solo", "messages": [{"role": "system", "content": "House."}]})
    answer = ask(gateway, {"model": f"@preset/{slug}", "messages": messages})
    assert sent(simulator)["messages"] == [{"role": "system", "content": "House."}, *messages]
    assert answer.header("x-setpoint-system-prompt") is None
    record = data_of(gateway.call("GET", f"/generation?id={answer.json()['id']}"))
    assert record["system_prompt_from"] == "preset"


@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_request_with_a_prompt_of_its_own_displaces_the_presets_and_is_told(
    gateway: Gateway, simulator: Simulator, role: str
) -> None:
    create(gateway, slug := fresh(), {"model": "sim/solo", "messages": [{"role": "system", "content": "House."}]})
    messages = [{"role": role, "content": "Mine."}, USER]
    answer = ask(gateway, {"model": f"@preset/{slug}", "messages": messages})
    assert sent(simulator)["messages"] == messages
    assert answer.header("x-setpoint-system-prompt") == "request"
    record = data_of(gateway.call("GET", f"/generation?id={answer.json()['id']}"))
    assert record["system_prompt_from"] == "request"


def test_a_preset_without_a_prompt_displaces_and_is_displaced_by_nothing(
    gateway: Gateway, simulator: Simulator
) -> None:
    create(gateway, slug := fresh(), {"model": "sim/solo"})
    messages = [{"role": "system", "content": "Mine."}, USER]
    answer = ask(gateway, {"model": f"@preset/{slug}", "messages": messages})
    assert sent(simulator)["messages"] == messages
    assert answer.header("x-setpoint-system-prompt") is None
    record = data_of(gateway.call("GET", f"/generation?id={answer.json()['id']}"))
    assert record["system_prompt_from"] is None


def test_house_rules_can_be_put_in_front_of_every_prompt(start_gateway: StartGateway, simulator: Simulator) -> None:
    gateway = start_gateway(settings={"system_prompt_merge": "prepend"})
    create(gateway, slug := fresh(), {"model": "sim/solo", "messages": [{"role": "system", "content": "House."}]})
    parts = [{"type": "text", "text": "Mine.", "cache_control": {"type": "ephemeral"}}]
    for own, merged in (
        ([{"role": "system", "content": "Mine."}], [{"role": "system", "content": "House.\n\nMine."}]),
        (
            [{"role": "developer", "content": parts}],
            [{"role": "developer", "content": [{"type": "text", "text": "House.\n\n"}, *parts]}],
        ),
        ([], [{"role": "system", "content": "House."}]),
    ):
        answer = ask(gateway, {"model": f"@preset/{slug}", "messages": [*own, USER]})
        assert sent(simulator)["messages"] == [*merged, USER]
        assert answer.header("x-setpoint-system-prompt") is None
        record = data_of(gateway.call("GET", f"/generation?id={answer.json()['id']}"))
        assert record["system_prompt_from"] == ("both" if own else "preset")
        simulator.forget_requests()
