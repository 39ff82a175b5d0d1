"""The fields of a messages body: their canonical names, and the way back for presets and for translations."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.canonical.config import GROUPS
from setpoint.protocols import chat, messages, responses
from setpoint.protocols.messages.config import (
    COMPOSITE,
    FIELDS,
    PARTS,
    pointer,
    read_call,
    read_config,
    write_config,
)
from setpoint.protocols.messages.fields import FIELDS as CHECKED
from setpoint.protocols.messages.fields import check
from setpoint.protocols.rules import RULES
from setpoint.wire.body import Body, join, split


def body_of(content: object) -> Body:
    return split(json.dumps(content).encode())


def written(config: object) -> tuple[Any, tuple[str, ...]]:
    body, unsaid = write_config(body_of(config))
    return json.loads(join(body)), unsaid


# --- the tables ----------------------------------------------------------------------------------------------


def test_every_field_that_is_checked_is_known_in_one_way() -> None:
    assert FIELDS.keys() | PARTS.keys() == CHECKED.keys()
    assert not FIELDS.keys() & PARTS.keys()


def test_every_canonical_name_has_a_rule() -> None:
    named = {*FIELDS.values(), *(name for members in PARTS.values() for name in members.values())}
    assert named <= RULES.keys()


@pytest.mark.parametrize("field", [*PARTS, "tool_choice"])
def test_what_holds_several_settings_is_put_together_with_a_presets(field: str) -> None:
    assert field in COMPOSITE


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("temperature", "/temperature"),
        ("stop", "/stop_sequences"),
        ("reasoning", "/thinking"),
        ("reasoning.exclude", "/thinking/display"),
        ("reasoning.max_tokens", "/thinking/budget_tokens"),
        ("verbosity", "/output_config/effort"),
        ("response_format", "/output_config/format"),
        ("output_config", "/output_config/task_budget"),
        ("parallel_tool_calls", "/tool_choice/disable_parallel_tool_use"),
        ("context_management", "/context_management"),
    ],
)
def test_a_setting_is_pointed_to_where_the_body_says_it(name: str, place: str) -> None:
    assert pointer(name) == place


def test_the_pointers_lead_to_the_fields_that_are_read() -> None:
    for field, name in FIELDS.items():
        assert pointer(name) == f"/{field}"
    for field, members in PARTS.items():
        for member, name in members.items():
            assert pointer(name) == f"/{field}/{member}"


# --- one call ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "call"),
    [
        ({"user": "u"}, {"user": "u"}),
        ({"metadata": {"user_id": "m"}}, {"user": "m"}),
        ({"user": "u", "metadata": {"user_id": "m"}}, {"user": "u"}),
        ({"user": None, "metadata": {"user_id": "m"}}, {"user": "m"}),
        ({"metadata": {"user_id": None}}, {}),
        ({"metadata": {}}, {}),
        ({"metadata": None, "temperature": 1}, {"temperature": 1}),
    ],
)
def test_a_call_has_its_end_user_beside_the_configuration(body: object, call: object) -> None:
    assert json.loads(join(read_call(body_of(body)))) == call


def test_what_is_not_known_of_the_output_is_called_by_its_own_name() -> None:
    budget = {"type": "tokens", "total": 20_000}
    told = {"output_config": {"x_new": 1, "task_budget": budget, "effort": "low", "a.b/c": {}, "none": None}}
    assert json.loads(join(read_call(body_of(told)))) == {
        "verbosity": "low",
        "output_config": {"task_budget": budget},
        "output_config.x_new": 1,
        "output_config.a.b/c": {},
    }
    assert pointer("output_config.x_new") == "/output_config/x_new"
    assert pointer("output_config.a.b/c") == "/output_config/a.b~1c"
    assert "output_config" not in read_call(body_of({"output_config": {"x_new": 1, "task_budget": None}}))
    kept = json.loads(join(read_config(body_of(told))))["output_config"]
    assert kept == {"x_new": 1, "task_budget": budget, "a.b/c": {}}


@pytest.mark.parametrize("kind", ["adaptive", "enabled"])
def test_thinking_that_is_shown_as_updates_is_not_left_out(kind: str) -> None:
    thinking = {"type": kind, "budget_tokens": 2048, "display": "updates"}
    told = json.loads(join(read_config(body_of({"thinking": thinking}))))["reasoning"]
    assert told == {"enabled": True} | ({"max_tokens": 2048} if kind == "enabled" else {})


def test_who_is_called_for_is_no_configuration() -> None:
    assert read_config(body_of({"user": "u", "metadata": {"user_id": "m"}})) == {}


# --- writing -------------------------------------------------------------------------------------------------

FUNCTION = {"type": "function", "function": {"name": "f"}}
SCHEMA: dict[str, Any] = {"type": "object", "properties": {}}
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": "f", "parameters": SCHEMA}},
    {"type": "openrouter:datetime"},
]


SAID: list[tuple[dict[str, Any], dict[str, Any] | None]] = [
    ({"model": "a/b", "models": ["c/d"], "temperature": 1.5, "top_p": 0.5, "top_k": 0}, None),
    ({"provider": {"sort": None}, "route": "sort", "plugins": [], "stop_server_tools_when": []}, None),
    ({"service_tier": "priority", "speed": "fast", "cache_control": {"type": "ephemeral"}}, None),
    ({"context_management": {"edits": []}, "safeguards": {}, "deferred_tools": {}}, None),
    ({"cache_enabled": True, "cache_ttl_seconds": 5, "max_tokens": 9}, None),
    ({"stop": "END"}, {"stop_sequences": ["END"]}),
    ({"stop": ["1", "2", "3", "4", "5"]}, {"stop_sequences": ["1", "2", "3", "4", "5"]}),
    ({"max_completion_tokens": 9}, {"max_tokens": 9}),
    ({"max_tokens": 5, "max_completion_tokens": 9}, {"max_tokens": 9}),
    ({"max_completion_tokens": 9, "max_tokens": 5}, {"max_tokens": 9}),
    ({"user": "u"}, {"metadata": {"user_id": "u"}}),
    ({"tools": TOOLS}, {"tools": [{"name": "f", "input_schema": SCHEMA}, {"type": "openrouter:datetime"}]}),
    ({"verbosity": "max"}, {"output_config": {"effort": "max"}}),
    ({"response_format": {"type": "text"}}, {}),
    (
        {
            "verbosity": "low",
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
            "output_config": {"task_budget": {"type": "tokens", "total": 20000}},
        },
        {
            "output_config": {
                "effort": "low",
                "format": {"type": "json_schema", "schema": SCHEMA},
                "task_budget": {"type": "tokens", "total": 20000},
            }
        },
    ),
]


@pytest.mark.parametrize(("config", "body"), SAID)
def test_what_messages_can_say_is_written_in_its_fields(config: object, body: object) -> None:
    assert written(config) == (config if body is None else body, ())


@pytest.mark.parametrize(
    ("config", "choice"),
    [
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": FUNCTION}, {"type": "tool", "name": "f"}),
        ({"tool_choice": {"type": "function", "name": "f"}}, {"type": "tool", "name": "f"}),
        ({"tool_choice": {"type": "custom", "custom": {"name": "f"}}}, {"type": "tool", "name": "f"}),
        ({"tool_choice": {"type": "custom", "name": "f"}}, {"type": "tool", "name": "f"}),
        ({"tool_choice": {"type": "shell"}}, {"type": "tool", "name": "shell"}),
        (
            {"tool_choice": "required", "parallel_tool_calls": False},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
        (
            {"parallel_tool_calls": True, "tool_choice": FUNCTION},
            {"type": "tool", "name": "f", "disable_parallel_tool_use": False},
        ),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        ({"parallel_tool_calls": False, "tool_choice": "none"}, {"type": "none"}),
        ({"parallel_tool_calls": True}, None),
    ],
)
def test_the_choice_of_tools_is_one_field(config: object, choice: object) -> None:
    assert written(config) == ({} if choice is None else {"tool_choice": choice}, ())


def test_one_call_at_a_time_is_said_also_where_the_choice_cannot_be() -> None:
    config: dict[str, Any] = {
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []},
        "parallel_tool_calls": False,
    }
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    assert written(config) == ({"tool_choice": choice}, ("tool_choice",))


@pytest.mark.parametrize(
    ("config", "thinking"),
    [
        ({"reasoning": {"max_tokens": 5000}}, {"type": "enabled", "budget_tokens": 5000}),
        ({"reasoning": {"max_tokens": 5000.0}}, {"type": "enabled", "budget_tokens": 5000}),
        ({"reasoning": {"max_tokens": 16}}, {"type": "enabled", "budget_tokens": 1024}),
        ({"reasoning": {"max_tokens": 0}}, {"type": "disabled"}),
        ({"reasoning": {"effort": "none"}}, {"type": "disabled"}),
        ({"reasoning": {"enabled": False}}, {"type": "disabled"}),
        ({"reasoning": {"enabled": False, "max_tokens": 5000, "exclude": True}}, {"type": "disabled"}),
        ({"reasoning": {"enabled": True}}, {"type": "adaptive"}),
        ({"reasoning": {"enabled": True, "effort": None, "max_tokens": None}}, {"type": "adaptive"}),
        ({"reasoning": {"enabled": True, "exclude": True}}, {"type": "adaptive", "display": "omitted"}),
        (
            {"reasoning": {"max_tokens": 2048, "exclude": True, "summary": "auto"}},
            {"type": "enabled", "budget_tokens": 2048, "display": "omitted"},
        ),
        ({"reasoning": {"effort": "max"}}, {"type": "enabled", "budget_tokens": 31129}),
        ({"reasoning": {"effort": "medium"}}, {"type": "enabled", "budget_tokens": 16384}),
        ({"reasoning": {"effort": "high"}, "max_tokens": 10000}, {"type": "enabled", "budget_tokens": 8000}),
        (
            {"reasoning": {"effort": "xhigh"}, "max_completion_tokens": 10000, "max_tokens": 5},
            {"type": "enabled", "budget_tokens": 9500},
        ),
        ({"reasoning": {"effort": "low"}, "max_tokens": 10000}, {"type": "enabled", "budget_tokens": 2000}),
        ({"reasoning": {"effort": "minimal"}, "max_tokens": 20000}, {"type": "enabled", "budget_tokens": 2000}),
        ({"reasoning": {"effort": "minimal"}, "max_tokens": 100}, {"type": "enabled", "budget_tokens": 1024}),
        ({"reasoning": {"effort": "max"}, "max_tokens": 999999}, {"type": "enabled", "budget_tokens": 128000}),
        *(({"reasoning": said}, None) for said in ({}, {"summary": "auto"}, {"exclude": True}, {"effort": None})),
    ],
)
def test_reasoning_is_written_as_thinking(config: object, thinking: object) -> None:
    body, unsaid = written(config)
    assert (body.get("thinking"), unsaid) == (thinking, ())


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("frequency_penalty", 1), ("presence_penalty", 1), ("repetition_penalty", 1), ("min_p", 0.1), ("seed", 7)),
        *(("top_a", 0.1), ("logit_bias", {}), ("logprobs", True), ("top_logprobs", 2), ("modalities", ["text"])),
        *(("image_config", {}), ("prompt_cache_options", {}), ("truncation", "auto"), ("max_tool_calls", 3)),
        *(("structured_outputs", True), ("web_search_options", {}), ("x_search_filter", {}), ("transforms", [])),
        *(("audio", {}), ("metadata", {"a": "b"}), ("safety_identifier", "s"), ("prompt_cache_key", "k")),
        *(("prediction", {}), ("include", []), ("word_of_tomorrow", 1)),
        *(("response_format", {"type": kind}) for kind in ("json_object", "grammar", "python")),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "n"}}),
        *(("tool_choice", choice) for choice in ({"type": "mcp", "server_label": "s"}, {"type": "function"}, "often")),
        ("tool_choice", {"type": "openrouter:web_search"}),
    ],
)
def test_what_messages_has_no_word_for_is_named_and_left_out(name: str, content: object) -> None:
    assert written({"temperature": 1, name: content}) == ({"temperature": 1}, (name,))


def test_values_keep_their_bytes() -> None:
    config = split(b'{"temperature": 0.70,"stop": [ "a" ],"provider": { "order":[ ] },"verbosity":"l\\u006fw"}')
    body, _ = write_config(config)
    assert join(body) == (
        b'{"temperature":0.70,"stop_sequences":[ "a" ],"provider":{ "order":[ ] },'
        b'"output_config":{"effort":"l\\u006fw"}}'
    )


# --- there and back ------------------------------------------------------------------------------------------

OWN: dict[str, Any] = {
    "model": "a/b",
    "models": ["c/d"],
    "provider": {"order": ["x"]},
    "tools": [{"name": "f", "input_schema": {}}, {"type": "bash_20250124", "name": "bash"}],
    "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
    "stop_sequences": ["a", "b", "c", "d", "e"],
    "max_tokens": 9,
    "thinking": {"type": "enabled", "budget_tokens": 2048, "display": "omitted"},
    "output_config": {
        "effort": "low",
        "format": {"type": "json_schema", "schema": {"type": "object"}},
        "task_budget": {"type": "tokens", "total": 20000},
    },
    "temperature": 1,
    "service_tier": "standard_only",
    "speed": "fast",
    "context_management": {"edits": []},
    "cache_control": {"type": "ephemeral"},
}


@given(st.lists(st.sampled_from(sorted(OWN)), unique=True))
def test_what_was_captured_here_is_written_as_it_was(names: list[str]) -> None:
    body = {name: OWN[name] for name in names}
    assert written(json.loads(join(read_config(body_of(body))))) == (body, ())


@pytest.mark.parametrize("thinking", [{"type": "adaptive"}, {"type": "disabled"}])
def test_thinking_comes_back_as_it_was(thinking: object) -> None:
    config = read_config(body_of({"thinking": thinking}))
    assert json.loads(join(write_config(config)[0])) == {"thinking": thinking}


CHAT: dict[str, Any] = {
    "model": "a/b",
    "tools": [*TOOLS, {"type": "web_search"}],
    "tool_choice": FUNCTION,
    "parallel_tool_calls": False,
    "reasoning_effort": "high",
    "max_completion_tokens": 100,
    "stop": "END",
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": None}},
    "verbosity": "high",
    "seed": 7,
    "logit_bias": {"5": 1},
    "temperature": 2,
    "top_k": 0,
    "service_tier": "flex",
    "transforms": [],
}
RESPONSES: dict[str, Any] = {
    "model": "a/b",
    "tools": [{"type": "function", "name": "f", "parameters": None, "strict": True}, {"type": "shell"}],
    "tool_choice": {"type": "shell"},
    "parallel_tool_calls": False,
    "reasoning": {"effort": None, "summary": "auto"},
    "max_output_tokens": 100,
    "stop": ["END"],
    "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}, "verbosity": "low"},
    "top_logprobs": 3,
    "truncation": "auto",
    "service_tier": "ultrafast",
}


@given(st.lists(st.sampled_from(sorted(CHAT)), unique=True))
def test_what_was_captured_on_chat_is_a_right_body_here(names: list[str]) -> None:
    _is_right(chat.read_config(body_of({name: CHAT[name] for name in names})))


@given(st.lists(st.sampled_from(sorted(RESPONSES)), unique=True))
def test_what_was_captured_on_responses_is_a_right_body_here(names: list[str]) -> None:
    _is_right(responses.read_config(body_of({name: RESPONSES[name] for name in names})))


def _is_right(config: Body) -> None:
    """Nothing of the configuration is lost without a name, and what is written passes the skin's own check."""
    body, unsaid = write_config(config)
    check(body, creating=True)
    back = read_config(body)
    silent = {"reasoning", "max_tokens", "max_completion_tokens"}  # may say nothing, or the same in other words
    assert config.keys() - back.keys() - set(unsaid) <= silent
    assert not back.keys() & set(unsaid)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 10**6)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.just("function"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "name", "function", "effort", "max_tokens", "json_schema", "schema"]), inner
        )
    ),
)


@given(st.sampled_from([*sorted(GROUPS.keys() - {"tools"}), "user", "metadata"]), JSON)
def test_no_value_whatever_is_an_error(name: str, content: object) -> None:
    body, unsaid = write_config(body_of({name: content}))
    assert set(unsaid) <= {name}
    assert not (body and unsaid)


def test_the_room_offers_all_of_it() -> None:
    assert (messages.COMPOSITE, messages.FIELDS, messages.PARTS) == (COMPOSITE, FIELDS, PARTS)
