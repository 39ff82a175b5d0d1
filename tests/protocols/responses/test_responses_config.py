"""The configuration of a responses body: written from canonical names, and read again from what was written."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setpoint.canonical.config import GROUPS
from setpoint.errors import FieldError
from setpoint.protocols import responses
from setpoint.protocols.responses.fields import FIELDS as CHECKED
from setpoint.wire.body import Body, join, split, value


def body_of(content: object) -> Body:
    return split(json.dumps(content).encode())


def write(config: object) -> tuple[dict[str, Any], tuple[str, ...]]:
    body, unsaid = responses.write_config(body_of(config))
    return json.loads(join(body)), unsaid


# --- what the skin knows -------------------------------------------------------------------------------------


def test_every_field_that_is_checked_has_a_name_or_holds_several_settings() -> None:
    assert responses.FIELDS.keys() | responses.PARTS.keys() == CHECKED.keys()


def test_fields_of_several_settings_are_put_together_member_by_member() -> None:
    assert responses.COMPOSITE == {"text"} == responses.PARTS.keys()


@pytest.mark.parametrize(
    ("name", "pointer"),
    [
        ("temperature", "/temperature"),
        ("max_tokens", "/max_output_tokens"),
        ("max_completion_tokens", "/max_output_tokens"),
        ("response_format", "/text/format"),
        ("verbosity", "/text/verbosity"),
        ("reasoning.exclude", "/reasoning/exclude"),
        ("min_p", "/min_p"),
    ],
)
def test_a_canonical_field_is_pointed_at_where_the_skin_says_it(name: str, pointer: str) -> None:
    assert responses.pointer(name) == pointer


# --- reading -------------------------------------------------------------------------------------------------


def test_a_call_is_read_with_the_fields_of_its_own() -> None:
    own = {
        "user": "u",
        "safety_identifier": "s",
        "metadata": {"a": "b"},
        "prompt_cache_key": "k",
        "include": ["reasoning.encrypted_content"],
    }
    others: dict[str, Any] = {
        "input": "Hi",
        "stream": True,
        "store": False,
        "client_metadata": {},
        "session_id": "x",
        "x_new": 1,
    }
    body = body_of({**own, **others, "temperature": 1, "text": {"verbosity": "low"}})
    assert json.loads(join(responses.read_call(body))) == {**own, "temperature": 1, "verbosity": "low"}
    assert json.loads(join(responses.read_config(body))) == {"temperature": 1, "verbosity": "low"}


# --- writing -------------------------------------------------------------------------------------------------

NAMED = {"type": "function", "function": {"name": "look_up"}}
SCHEMA = {"name": "n", "schema": {"type": "object"}, "strict": True, "description": "d"}


@pytest.mark.parametrize(
    ("config", "body"),
    [
        ({"max_tokens": 9}, {"max_output_tokens": 9}),
        ({"max_completion_tokens": 9}, {"max_output_tokens": 9}),
        ({"max_tokens": 1, "max_completion_tokens": 9}, {"max_output_tokens": 9}),
        ({"max_completion_tokens": 9, "max_tokens": 1}, {"max_output_tokens": 9}),
        ({"verbosity": "low"}, {"text": {"verbosity": "low"}}),
        ({"response_format": {"type": "json_object"}}, {"text": {"format": {"type": "json_object"}}}),
        (
            {"response_format": {"type": "json_schema", "json_schema": SCHEMA}, "verbosity": "high"},
            {"text": {"format": {"type": "json_schema", **SCHEMA}, "verbosity": "high"}},
        ),
        ({"tool_choice": "required"}, {"tool_choice": "required"}),
        ({"tool_choice": NAMED}, {"tool_choice": {"type": "function", "name": "look_up"}}),
        (
            {"tool_choice": {"type": "custom", "custom": {"name": "c"}}},
            {"tool_choice": {"type": "custom", "name": "c"}},
        ),
        (
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [NAMED]}}},
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "mode": "auto",
                    "tools": [{"type": "function", "name": "look_up"}],
                }
            },
        ),
        ({"tool_choice": {"type": "shell"}}, {"tool_choice": {"type": "shell"}}),
        ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"reasoning": {"effort": "high", "summary": "auto"}}, {"reasoning": {"effort": "high", "summary": "auto"}}),
        (
            {"reasoning": {"enabled": True, "max_tokens": 2048}},
            {"reasoning": {"enabled": True, "max_tokens": 2048}},
        ),
        ({"reasoning": {"effort": "low", "exclude": False}}, {"reasoning": {"effort": "low"}}),
        ({"reasoning": {}}, {"reasoning": {}}),
        ({"metadata": {"a": "b"}, "user": "u"}, {"metadata": {"a": "b"}, "user": "u"}),
    ],
)
def test_canonical_names_are_written_in_this_protocols_words(config: object, body: object) -> None:
    assert write(config) == (body, ())


def test_functions_of_every_form_and_free_text_tools_of_chat_are_written_in_this_form() -> None:
    tools = [
        {"type": "function", "function": {"name": "a", "parameters": {"type": "object"}, "strict": True}},
        {"name": "b", "description": "B", "input_schema": {"type": "object"}},
        {"type": "custom", "custom": {"name": "c", "format": {"type": "text"}}},
        {"type": "openrouter:datetime"},
        {"type": "bash_20250124", "name": "bash"},
    ]
    assert write({"tools": tools})[0]["tools"] == [
        {"type": "function", "name": "a", "parameters": {"type": "object"}, "strict": True},
        {"type": "function", "name": "b", "description": "B", "parameters": {"type": "object"}, "strict": False},
        {"type": "custom", "name": "c", "format": {"type": "text"}},
        {"type": "openrouter:datetime"},
        {"type": "bash_20250124", "name": "bash"},
    ]


def test_tools_that_are_in_this_form_keep_their_bytes() -> None:
    config = split(b'{"tools":[ {"type" : "function","name":"a","parameters":null} ]}')
    assert bytes(responses.write_config(config)[0]["tools"]) == (
        b'[ {"type" : "function","name":"a","parameters":null} ]'
    )


@pytest.mark.parametrize(
    "name",
    [
        *("min_p", "top_a", "seed", "repetition_penalty", "logit_bias", "structured_outputs"),
        *("web_search_options", "x_search_filter", "transforms", "audio", "prediction"),
        *("speed", "context_management", "safeguards", "output_config", "fallbacks"),
    ],
)
def test_what_there_is_no_word_for_is_named(name: str) -> None:
    assert write({"temperature": 1, name: {}}) == ({"temperature": 1}, (name,))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("stop", ["1", "2", "3", "4", "5"]),
        ("service_tier", "standard_only"),
        ("modalities", ["text", "audio"]),
        ("response_format", {"type": "grammar", "grammar": "x"}),
        ("response_format", {"type": "json_schema", "json_schema": {"name": "no schema"}}),
        ("response_format", "json"),
        ("metadata", {"a[0]": "b"}),
        ("metadata", {"user_id": None}),
        ("tool_choice", {"type": "function"}),
        ("tool_choice", {"type": "tool_search"}),
        ("verbosity", "loud"),
        ("reasoning", "high"),
        ("max_tokens", 0),
    ],
)
def test_values_that_are_refused_here_are_left_out_and_named(name: str, content: object) -> None:
    assert write({"top_p": 1, name: content}) == ({"top_p": 1}, (name,))


@pytest.mark.parametrize(("told", "kept"), [({"effort": "low"}, {"reasoning": {"effort": "low"}}), ({}, {})])
def test_thoughts_that_are_not_to_be_shown_are_named_by_the_member(told: dict[str, Any], kept: object) -> None:
    assert write({"reasoning": {**told, "exclude": True}}) == (kept, ("reasoning.exclude",))


def test_one_setting_that_is_refused_does_not_take_its_neighbour_along() -> None:
    assert write({"verbosity": "low", "response_format": {"type": "python"}}) == (
        {"text": {"verbosity": "low"}},
        ("response_format",),
    )


# --- there and back ------------------------------------------------------------------------------------------

BODY: dict[str, Any] = {
    "model": "openai/gpt-4o",
    "models": ["a/b"],
    "provider": {"sort": "price"},
    "route": "fallback",
    "plugins": [{"id": "web"}],
    "tools": [{"type": "function", "name": "f", "parameters": None, "strict": True}, {"type": "web_search"}],
    "tool_choice": {"type": "function", "name": "f"},
    "parallel_tool_calls": False,
    "max_tool_calls": 3,
    "stop_server_tools_when": [{"type": "step_count_is", "step_count": 3}],
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 4,
    "frequency_penalty": 0.1,
    "presence_penalty": -0.1,
    "top_logprobs": 2,
    "stop": "END",
    "reasoning": {"effort": "high", "context": "auto", "mode": "pro"},
    "modalities": ["text"],
    "image_config": {"aspect_ratio": "1:1"},
    "service_tier": "flex",
    "cache_control": {"type": "ephemeral"},
    "prompt_cache_options": {"mode": "explicit"},
    "truncation": "auto",
    "deferred_tools": {},
    "cache_enabled": True,
    "cache_ttl_seconds": 60,
    "max_output_tokens": 100,
    "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "n", "schema": {}}},
    "user": "u",
    "safety_identifier": "s",
    "metadata": {"a": "b"},
    "prompt_cache_key": "k",
    "include": ["reasoning.encrypted_content"],
}


@given(st.lists(st.sampled_from(sorted(BODY)), unique=True))
def test_a_call_is_written_as_it_was_read(names: list[str]) -> None:
    body = body_of({name: BODY[name] for name in names})
    written, unsaid = responses.write_config(responses.read_call(body))
    assert unsaid == ()
    assert value(join(written)) == value(join(body))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
KINDS = st.sampled_from(["function", "custom", "allowed_tools", "json_schema", "text"])
INNER = st.sampled_from(["function", "custom", "allowed_tools", "json_schema", "tools", "name"])
TYPED = st.fixed_dictionaries({"type": KINDS}).flatmap(
    lambda kind: st.dictionaries(INNER, JSON).map(lambda more: {**more, **kind})
)


@given(st.dictionaries(st.sampled_from([*GROUPS, "metadata", "include", "user"]), JSON | TYPED))
def test_whatever_was_captured_is_written_or_named_and_what_is_written_is_right(config: dict[str, Any]) -> None:
    config.pop("tools", None)  # not checked: each is found out about on its own
    if "max_completion_tokens" in config:
        config.pop("max_tokens", None)  # the older name of the same limit
    written, unsaid = responses.write_config(body_of(config))
    responses.check(written, creating=True)
    said = set(responses.read_call(written))
    if "max_tokens" in said:
        said.add("max_completion_tokens")
    if isinstance(config.get("logprobs"), bool):
        said.add("logprobs")  # which this protocol says by what is to be included
        config.pop("include", None)
    for name, content in config.items():
        empty = isinstance(content, dict) and not any(cast("dict[str, Any]", content).values())
        nothing = empty or content in (None, "auto") or any(other.startswith(f"{name}.") for other in unsaid)
        assert (name in said) != (name in unsaid) or nothing


def test_a_broken_field_is_refused_where_it_is_checked_and_not_before() -> None:
    with pytest.raises(FieldError, match=r"^text\.verbosity"):
        responses.check(body_of({"text": {"verbosity": "loud"}}), creating=True)
