"""Captured from the body of one skin, used on another: what chat can say arrives in its words, the rest is named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from api.api_support import USER, ask, create, data_of, fresh, sent

if TYPE_CHECKING:
    from simulator.client import Simulator
    from support.processes import Gateway

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


def used_on_chat(
    gateway: Gateway, simulator: Simulator, body: dict[str, Any], skin: str, **request: Any
) -> tuple[dict[str, Any], set[str]]:
    """What the upstream gets, but for model and messages, and the pointers of what it does not get."""
    simulator.forget_requests()
    create(gateway, slug := fresh(), {"model": "sim/solo", **body}, skin)
    answer = ask(gateway, {"model": f"@preset/{slug}", **request})
    assert answer.status == 200, answer.body
    said = answer.header("x-setpoint-unsaid")
    record = data_of(gateway.call("GET", f"/generation?id={answer.json()['id']}"))
    unsaid = set(said.split(",")) if said else set[str]()
    assert set(record["unsaid"]) == unsaid, "the record says what the header says"
    arrived = sent(simulator)
    del arrived["model"]
    return arrived, unsaid


@pytest.mark.parametrize(
    ("captured", "arrives"),
    [
        ({"max_tokens": 1024}, {"max_tokens": 1024}),
        ({"stop_sequences": ["A", "B"]}, {"stop": ["A", "B"]}),
        ({"top_k": 5, "top_p": 0.5, "temperature": 0}, {"top_k": 5, "top_p": 0.5, "temperature": 0}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2048}},
            {"reasoning": {"enabled": True, "max_tokens": 2048}},
        ),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, {"reasoning": {"enabled": True, "exclude": True}}),
        ({"thinking": {"type": "disabled"}}, {"reasoning": {"enabled": False}}),
        ({"output_config": {"effort": "low"}}, {"verbosity": "low"}),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "output", "schema": SCHEMA, "strict": True},
                }
            },
        ),
        (
            {"tools": [{"name": "f", "description": "d", "input_schema": SCHEMA}], "tool_choice": {"type": "any"}},
            {
                "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA}}],
                "tool_choice": "required",
            },
        ),
        (
            {
                "tools": [{"type": "custom", "name": "f", "input_schema": SCHEMA}],
                "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
            },
            {
                "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA}}],
                "tool_choice": {"type": "function", "function": {"name": "f"}},
                "parallel_tool_calls": False,
            },
        ),
    ],
)
def test_a_preset_of_messages_speaks_chat(
    gateway: Gateway, simulator: Simulator, captured: dict[str, Any], arrives: dict[str, Any]
) -> None:
    arrived, unsaid = used_on_chat(gateway, simulator, captured, "messages")
    assert arrived == {**arrives, "messages": [USER]}
    assert unsaid == set()


@pytest.mark.parametrize(
    ("captured", "arrives"),
    [
        ({"max_output_tokens": 64}, {"max_tokens": 64}),
        ({"stop": "END", "top_k": 3, "presence_penalty": -1}, {"stop": "END", "top_k": 3, "presence_penalty": -1}),
        ({"reasoning": {"effort": "high", "summary": "auto"}}, {"reasoning": {"effort": "high", "summary": "auto"}}),
        ({"text": {"verbosity": "high"}}, {"verbosity": "high"}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": SCHEMA, "strict": True},
                }
            },
        ),
        (
            {
                "tools": [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": True}],
                "tool_choice": {"type": "function", "name": "f"},
                "parallel_tool_calls": True,
            },
            {
                "tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA, "strict": True}}],
                "tool_choice": {"type": "function", "function": {"name": "f"}},
                "parallel_tool_calls": True,
            },
        ),
    ],
)
def test_a_preset_of_responses_speaks_chat(
    gateway: Gateway, simulator: Simulator, captured: dict[str, Any], arrives: dict[str, Any]
) -> None:
    arrived, unsaid = used_on_chat(gateway, simulator, captured, "responses")
    assert arrived == {**arrives, "messages": [USER]}
    assert unsaid == set()


@pytest.mark.parametrize(
    ("skin", "captured", "pointers"),
    [
        ("messages", {"speed": "fast"}, {"/speed"}),
        ("messages", {"context_management": {"edits": []}, "safeguards": {}}, {"/context_management", "/safeguards"}),
        (
            "messages",
            {"output_config": {"effort": "low", "task_budget": {"type": "tokens", "total": 20_000}}},
            {"/output_config"},
        ),
        ("messages", {"stop_sequences": list("abcde")}, {"/stop"}),
        ("messages", {"service_tier": "standard_only"}, {"/service_tier"}),
        ("messages", {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, {"/tools/0"}),
        ("responses", {"truncation": "auto"}, {"/truncation"}),
        ("responses", {"tools": [{"type": "mcp", "server_label": "x"}]}, {"/tools/0"}),
        (
            "responses",
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}},
            {"/tool_choice"},
        ),
    ],
)
def test_what_chat_has_no_word_for_is_left_out_and_named(
    gateway: Gateway, simulator: Simulator, skin: str, captured: dict[str, Any], pointers: set[str]
) -> None:
    arrived, unsaid = used_on_chat(gateway, simulator, {**captured, "temperature": 1}, skin)
    assert unsaid == pointers
    assert arrived.pop("temperature") == 1
    assert arrived.pop("messages") == [USER]
    assert arrived in ({}, {"verbosity": "low"})


def test_system_prompts_of_every_skin_fill_chats_slot(gateway: Gateway, simulator: Simulator) -> None:
    blocks = [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]
    for skin, body in (
        ("messages", {"system": "One.\n\nTwo."}),
        ("messages", {"system": blocks}),
        ("responses", {"instructions": "One.\n\nTwo."}),
        ("responses", {"input": [{"role": "system", "content": "One."}, {"role": "developer", "content": "Two."}]}),
    ):
        arrived, _ = used_on_chat(gateway, simulator, body, skin)
        assert arrived == {"messages": [{"role": "system", "content": "One.\n\nTwo."}, USER]}


def test_a_function_of_any_skin_is_one_function(gateway: Gateway, simulator: Simulator) -> None:
    chats = {"type": "function", "function": {"name": "f", "description": "new"}}
    for skin, tool in (
        ("messages", {"name": "f", "description": "old", "input_schema": SCHEMA}),
        ("responses", {"type": "function", "name": "f", "description": "old"}),
    ):
        other = {"type": "openrouter:datetime"}
        arrived, unsaid = used_on_chat(gateway, simulator, {"tools": [other, tool]}, skin, tools=[chats])
        assert (arrived["tools"], unsaid) == ([chats], {"/tools/0"})


def test_fields_of_one_meaning_override_each_other_across_skins(gateway: Gateway, simulator: Simulator) -> None:
    for skin, captured, request in (
        ("messages", {"max_tokens": 9}, {"max_completion_tokens": 5}),
        ("responses", {"max_output_tokens": 9}, {"max_tokens": 5}),
        ("messages", {"stop_sequences": ["A"]}, {"stop": "B"}),
        ("messages", {"thinking": {"type": "enabled", "budget_tokens": 2048}}, {"reasoning_effort": "low"}),
        ("messages", {"output_config": {"effort": "max"}}, {"verbosity": "low"}),
        ("responses", {"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "text"}}),
        ("messages", {"tool_choice": {"type": "any"}}, {"tool_choice": "none"}),
        ("messages", {"fallbacks": [{"model": "other/solo"}]}, {}),
    ):
        arrived, _ = used_on_chat(gateway, simulator, captured, skin, **request)
        assert arrived == {**request, "messages": [USER]}
