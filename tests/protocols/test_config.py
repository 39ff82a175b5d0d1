"""The configuration in a body of each skin, and the way back into a chat body."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.canonical.config import GROUPS
from setpoint.protocols import chat, messages, responses
from setpoint.wire.body import join, split, value

if TYPE_CHECKING:
    from setpoint.protocols.base import CaptureSkin, Skin

CHAT: Skin = chat
MESSAGES: CaptureSkin = messages
RESPONSES: CaptureSkin = responses
SKINS: tuple[CaptureSkin, ...] = (CHAT, MESSAGES, RESPONSES)


def read(skin: CaptureSkin, body: object) -> Any:
    return value(join(skin.read_config(split(json.dumps(body).encode()))))


EVERYWHERE: dict[str, Any] = {
    "model": "openai/gpt-4o",
    "models": ["a/b", "c/d"],
    "provider": {"sort": None, "only": []},
    "route": "fallback",
    "plugins": [{"id": "web"}],
    "tools": [{"type": "openrouter:datetime"}],
    "stop_server_tools_when": [{"type": "step_count_is", "step_count": 3}],
    "temperature": 0.7,
    "top_p": 0.9,
    "top_k": 40,
    "service_tier": "flex",
    "cache_control": {"type": "ephemeral"},
    "deferred_tools": {},
    "cache_enabled": True,
    "cache_ttl_seconds": 60,
}
CHAT_AND_RESPONSES: dict[str, Any] = {
    "parallel_tool_calls": False,
    "max_tool_calls": 5,
    "frequency_penalty": 0.1,
    "presence_penalty": -0.1,
    "top_logprobs": 2,
    "stop": ["END"],
    "reasoning": {"effort": "high", "summary": None},
    "modalities": ["text"],
    "image_config": {"aspect_ratio": "1:1"},
    "prompt_cache_options": {"mode": "explicit"},
    "tool_choice": "required",
}
CHAT_ONLY: dict[str, Any] = {
    "repetition_penalty": 1.1,
    "min_p": 0.1,
    "top_a": 0.2,
    "seed": 7,
    "logit_bias": {"5": 10},
    "logprobs": True,
    "max_tokens": 100,
    "max_completion_tokens": 100,
    "verbosity": "low",
    "response_format": {"type": "json_object"},
    "structured_outputs": True,
    "web_search_options": {},
    "x_search_filter": {},
    "transforms": ["middle-out"],
    "audio": {"voice": "alloy"},
}
MESSAGES_ONLY: dict[str, Any] = {
    "max_tokens": 100,
    "speed": "fast",
    "context_management": {"edits": []},
    "safeguards": {},
}
KEPT: dict[str, dict[str, Any]] = {
    "chat": EVERYWHERE | CHAT_AND_RESPONSES | CHAT_ONLY,
    "messages": EVERYWHERE | MESSAGES_ONLY,
    "responses": EVERYWHERE | CHAT_AND_RESPONSES | {"truncation": "auto"},
}


@pytest.mark.parametrize("skin", SKINS, ids=lambda skin: skin.name)
def test_a_skin_keeps_the_fields_of_its_column_under_their_own_names(skin: CaptureSkin) -> None:
    body = KEPT[skin.name]
    assert read(skin, body) == body


@pytest.mark.parametrize("skin", SKINS, ids=lambda skin: skin.name)
def test_what_identifies_or_shapes_one_call_is_not_configuration(skin: CaptureSkin) -> None:
    transient = (
        *("messages", "prompt", "input", "system", "instructions", "stream", "stream_options", "debug", "user"),
        *("metadata", "client_metadata", "session_id", "trace", "prompt_cache_key", "safety_identifier", "store"),
        *("background", "previous_response_id", "include", "prediction", "preset", "preset_variables", "usage"),
        *("preset_variables_schema", "x_unknown"),
    )
    assert read(skin, dict.fromkeys(transient, "x") | {"temperature": 1}) == {"temperature": 1}


@pytest.mark.parametrize("skin", SKINS, ids=lambda skin: skin.name)
def test_fields_of_another_skin_are_unknown(skin: CaptureSkin) -> None:
    foreign = {
        name: content for column in KEPT.values() for name, content in column.items() if name not in KEPT[skin.name]
    }
    converted = {"tool_choice", "verbosity", "response_format"}  # known to all, in forms of their own
    assert read(skin, {name: content for name, content in foreign.items() if name not in converted}) == {}


def test_the_skins_together_read_every_canonical_field() -> None:
    told = {"output_config": {"effort": "low", "task_budget": {"type": "tokens"}}}
    read_by_any = {name for skin in SKINS for name in read(skin, KEPT[skin.name])} | set(read(messages, told))
    assert read_by_any == set(GROUPS)


@pytest.mark.parametrize("skin", SKINS, ids=lambda skin: skin.name)
def test_null_at_the_top_is_absent_and_the_order_of_the_body_is_kept(skin: CaptureSkin) -> None:
    body = {"top_p": 0.5, "provider": None, "temperature": 1, "stream": True, "model": "a/b", "tool_choice": None}
    assert list(read(skin, body)) == ["top_p", "temperature", "model"]


def test_values_keep_their_bytes() -> None:
    body = split(b'{"temperature": 0.70, "provider": { "order":[ "a" ], "sort":null }, "logit_bias":{"5":1e1}}')
    assert join(chat.read_config(body)) == (
        b'{"temperature":0.70,"provider":{ "order":[ "a" ], "sort":null },"logit_bias":{"5":1e1}}'
    )


@pytest.mark.parametrize(
    ("body", "config"),
    [
        ({"reasoning_effort": "high"}, {"reasoning": {"effort": "high"}}),
        ({"include_reasoning": True}, {"reasoning": {}}),
        ({"include_reasoning": False}, {"reasoning": {"exclude": True}}),
        (
            {"reasoning_effort": "low", "reasoning": {"summary": "auto"}, "include_reasoning": False},
            {"reasoning": {"summary": "auto", "effort": "low", "exclude": True}},
        ),
        ({"reasoning": {"effort": None}, "reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        ({"reasoning": {"exclude": False}, "include_reasoning": False}, {"reasoning": {"exclude": False}}),
        ({"reasoning": None, "reasoning_effort": "low"}, {"reasoning": {"effort": "low"}}),
        ({"reasoning": {"effort": "low"}, "reasoning_effort": None}, {"reasoning": {"effort": "low"}}),
        ({"reasoning": None, "reasoning_effort": None, "include_reasoning": None}, {}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
    ],
)
def test_chat_shorthands_become_one_reasoning_object(body: object, config: object) -> None:
    assert read(chat, body) == config


def test_a_reasoning_object_to_which_a_shorthand_adds_nothing_keeps_its_bytes() -> None:
    body = split(b'{"reasoning": { "effort" : "low" }, "reasoning_effort":"low"}')
    assert bytes(chat.read_config(body)["reasoning"]) == b'{ "effort" : "low" }'


NAMED = {"type": "function", "function": {"name": "look_up"}}


@pytest.mark.parametrize(
    ("body", "config"),
    [
        ({"stop_sequences": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"fallbacks": [{"model": "a/b"}, {"model": "c/d"}]}, {"models": ["a/b", "c/d"]}),
        ({"fallbacks": None}, {}),
        ({"tool_choice": {"type": "auto"}}, {"tool_choice": "auto"}),
        ({"tool_choice": {"type": "any"}}, {"tool_choice": "required"}),
        ({"tool_choice": {"type": "none"}}, {"tool_choice": "none"}),
        ({"tool_choice": {"type": "tool", "name": "look_up"}}, {"tool_choice": NAMED}),
        (
            {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
            {"tool_choice": "required", "parallel_tool_calls": False},
        ),
        (
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": False}},
            {"tool_choice": "auto", "parallel_tool_calls": True},
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2048, "display": "summarized"}},
            {"reasoning": {"enabled": True, "max_tokens": 2048}},
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2048, "display": "omitted"}},
            {"reasoning": {"enabled": True, "max_tokens": 2048, "exclude": True}},
        ),
        ({"thinking": {"type": "adaptive", "display": None}}, {"reasoning": {"enabled": True}}),
        ({"thinking": {"type": "disabled"}}, {"reasoning": {"enabled": False}}),
        ({"output_config": {"effort": "max"}}, {"verbosity": "max"}),
        ({"output_config": {"effort": None, "format": None}}, {}),
        (
            {"output_config": {"task_budget": {"type": "tokens", "total": 20000}, "effort": "low"}},
            {"verbosity": "low", "output_config": {"task_budget": {"type": "tokens", "total": 20000}}},
        ),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "output", "schema": {"type": "object"}, "strict": True},
                }
            },
        ),
        ({"service_tier": "standard_only"}, {"service_tier": "standard_only"}),
    ],
)
def test_messages_fields_get_canonical_names(body: object, config: object) -> None:
    assert read(messages, body) == config


@pytest.mark.parametrize(
    ("body", "config"),
    [
        ({"max_output_tokens": 9}, {"max_tokens": 9}),
        ({"service_tier": "auto"}, {}),
        ({"service_tier": "priority"}, {"service_tier": "priority"}),
        ({"tool_choice": "auto"}, {"tool_choice": "auto"}),
        ({"tool_choice": {"type": "function", "name": "look_up"}}, {"tool_choice": NAMED}),
        ({"tool_choice": {"type": "shell"}}, {"tool_choice": {"type": "shell"}}),
        ({"text": {"verbosity": "low"}}, {"verbosity": "low"}),
        ({"text": {"verbosity": None, "format": None}}, {}),
        ({"text": {"format": {"type": "text"}}}, {"response_format": {"type": "text"}}),
        (
            {"text": {"format": {"type": "json_schema", "name": "n", "schema": {}, "strict": None}}},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}, "strict": None}}},
        ),
    ],
)
def test_responses_fields_get_canonical_names(body: object, config: object) -> None:
    assert read(responses, body) == config


@pytest.mark.parametrize("name", ["output_config", "truncation", "speed", "context_management", "safeguards"])
def test_chat_names_what_it_has_no_word_for(name: str) -> None:
    config = split(json.dumps({"temperature": 1, name: "x"}).encode())
    body, unsaid = chat.write_config(config)
    assert (list(body), unsaid) == (["temperature"], (name,))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("stop", ["1", "2", "3", "4", "5"]),
        ("service_tier", "standard_only"),
        ("tool_choice", {"type": "allowed_tools", "mode": "auto", "tools": []}),
    ],
)
def test_chat_leaves_out_and_names_values_that_only_another_skin_takes(name: str, content: object) -> None:
    body, unsaid = chat.write_config(split(json.dumps({"seed": 1, name: content}).encode()))
    assert (list(body), unsaid) == (["seed"], (name,))


def test_chat_writes_tools_of_other_skins_in_its_own_form() -> None:
    config = messages.read_config(split(b'{"tools":[{"name":"f","input_schema":{"type":"object"}}]}'))
    body, unsaid = chat.write_config(config)
    assert bytes(body["tools"]) == b'[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]'
    assert unsaid == ()


CHAT_FIELDS = KEPT["chat"] | {"reasoning_effort": "high", "include_reasoning": False, "user": "u", "top_p": None}


@given(st.lists(st.sampled_from(sorted(CHAT_FIELDS)), unique=True))
def test_what_was_captured_on_chat_is_read_again_from_what_it_is_written_as(names: list[str]) -> None:
    config = chat.read_config(split(json.dumps({name: CHAT_FIELDS[name] for name in names}).encode()))
    body, unsaid = chat.write_config(config)
    assert unsaid == ()
    assert join(chat.read_config(body)) == join(config)
