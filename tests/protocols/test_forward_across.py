"""A request on its way to an endpoint of another dialect: what is said, what is named, what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from setpoint.errors import FieldError, RequestError
from setpoint.protocols.forward import Lowered, lower
from setpoint.protocols.names import Named
from setpoint.protocols.registry import PROTOCOLS
from setpoint.wire.body import raw, value
from support import records

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.records import Dialect, Endpoint

OPEN = records.endpoint("acme", "acme/sage", model="sage-2")
CHAT: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}]}
MESSAGES: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}]}
RESPONSES: dict[str, Any] = {"input": "Hi"}
FUNCTION: dict[str, Any] = {"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}


def told(
    skin: Dialect, dialect: Dialect, body: Mapping[str, Any], endpoint: Endpoint = OPEN, *, stream: bool = False
) -> tuple[dict[str, Any], Lowered]:
    done = lower(
        {name: raw(content) for name, content in body.items()},
        endpoint,
        skin=PROTOCOLS[skin],
        dialect=PROTOCOLS[dialect],
        stream=stream,
        identity_key=b"key",
    )
    return {name: value(content) for name, content in done.body.items()}, done


def test_a_request_is_said_in_the_words_of_the_dialect_under_the_endpoints_model() -> None:
    body = {"model": "x", "temperature": 0.25, "max_tokens": 7, "stop": "END", **CHAT}
    sent, done = told("chat", "messages", body)
    expected = {"model": "sage-2", "temperature": 0.25, "max_tokens": 7, "stop_sequences": ["END"], **MESSAGES}
    assert (sent, done.unsaid) == (expected, ())


def test_what_nobody_here_knows_is_named_and_not_sent() -> None:
    sent, done = told("messages", "chat", {**MESSAGES, "x_new": {"a": 1}, "speed": "fast", "x_null": None})
    assert not {"x_new", "speed", "x_null"} & sent.keys()
    assert set(done.unsaid) == {"/x_new", "/speed"}


@pytest.mark.parametrize(
    ("skin", "least", "foreign"),
    [
        ("messages", MESSAGES, {"seed": 7, "frequency_penalty": 0.5, "n": 2, "response_format": {"type": "text"}}),
        ("responses", RESPONSES, {"seed": 7, "logit_bias": {}, "max_tokens": 9, "speed": "fast", "min_p": 0.1}),
        ("chat", CHAT, {"truncation": "auto", "include": [], "instructions": "x", "thinking": {}}),
    ],
)
def test_a_field_that_only_another_skin_knows_is_named_like_any_unknown_one(
    skin: Dialect, least: dict[str, Any], foreign: dict[str, Any]
) -> None:
    for dialect in PROTOCOLS:
        sent, done = told(skin, dialect, {**least, **foreign})
        if dialect == skin:
            assert {name: sent[name] for name in foreign} == foreign
        else:
            assert set(done.unsaid) == {f"/{name}" for name in foreign}


def test_the_pointer_of_an_unknown_field_is_one() -> None:
    assert told("chat", "messages", {**CHAT, "a/b~c": 1})[1].unsaid == ("/a~1b~0c",)


@pytest.mark.parametrize("spelling", [{"reasoning_effort": "high"}, {"reasoning": {"effort": "high"}}])
def test_what_is_left_out_is_named_in_the_spelling_of_the_request(spelling: dict[str, Any]) -> None:
    few = structs.replace(OPEN, parameters=frozenset({"temperature"}))
    assert told("chat", "messages", {**CHAT, **spelling}, few)[1].unsaid == tuple(f"/{name}" for name in spelling)


def test_tools_that_an_item_of_the_input_makes_available_are_tools_like_the_others() -> None:
    read: dict[str, Any] = {"type": "function", "name": "read", "parameters": {}}
    space: dict[str, Any] = {"type": "namespace", "name": "fs", "description": "", "tools": [read]}
    more: list[dict[str, Any]] = [
        {"type": "additional_tools", "role": "developer", "tools": [space, {"type": "web_search"}]},
        {"role": "user", "content": "Hi"},
    ]
    sent, done = told("responses", "chat", {"input": more})
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["fs__read"]
    assert done.unsaid == ("/input/0/tools/1",)
    assert [message["role"] for message in sent["messages"]] == ["user"]
    with pytest.raises(FieldError) as caught:
        told("responses", "chat", {"input": [{"type": "additional_tools", "tools": [7]}]})
    assert caught.value.path == "input[0].tools[0]"


def test_a_choice_without_tools_that_says_nothing_is_not_said() -> None:
    body = {**MESSAGES, "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
    assert not {"tool_choice", "parallel_tool_calls"} & told("messages", "chat", body)[0].keys()


def test_a_forced_tool_is_refused_by_an_endpoint_that_takes_neither_tools_nor_a_choice() -> None:
    none = structs.replace(OPEN, parameters=frozenset({"temperature"}))
    body = {**CHAT, "tools": [FUNCTION], "tool_choice": "required"}
    for dialect in PROTOCOLS:
        with pytest.raises(RequestError):
            told("chat", dialect, body, none)


def test_a_field_is_named_as_its_own_skin_calls_it() -> None:
    few = structs.replace(OPEN, parameters=frozenset({"temperature"}))
    body = {**MESSAGES, "stop_sequences": ["a"], "thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}
    assert set(told("messages", "chat", body, few)[1].unsaid) == {
        "/stop_sequences",
        "/thinking",
        "/output_config/effort",
    }
    body = {**RESPONSES, "max_output_tokens": 9, "text": {"verbosity": "low"}, "truncation": "auto"}
    assert set(told("responses", "chat", body, few)[1].unsaid) == {"/text/verbosity", "/truncation"}


@pytest.mark.parametrize(("skin", "body"), [("chat", CHAT), ("messages", MESSAGES), ("responses", RESPONSES)])
def test_what_is_the_gateways_own_is_neither_sent_nor_named(skin: Dialect, body: dict[str, Any]) -> None:
    own: dict[str, Any] = {
        "session_id": "s",
        "trace": {},
        "models": ["a/b"],
        "route": "fallback",
        "cache_enabled": True,
    }
    for dialect in PROTOCOLS:
        sent, done = told(skin, dialect, {**body, **own})
        assert not own.keys() & sent.keys()
        assert done.unsaid == ()


def test_an_identity_is_hashed_into_the_word_of_the_dialect() -> None:
    knows = records.endpoint(records.provider(takes=frozenset({"user"})))
    sent, _ = told("chat", "messages", {**CHAT, "user": "ann@example.com"}, knows)
    assert "ann" not in sent["metadata"]["user_id"]
    assert told("chat", "messages", {**CHAT, "user": "ann@example.com"})[0].keys() == {
        "model",
        "max_tokens",
        "messages",
    }


def test_store_is_false_at_every_responses_upstream() -> None:
    least: dict[Dialect, dict[str, Any]] = {"chat": CHAT, "messages": MESSAGES, "responses": RESPONSES}
    for skin, body in least.items():
        assert told(skin, "responses", body)[0]["store"] is False


def test_tools_go_in_the_dialects_form_and_calls_come_back_by_their_names() -> None:
    tools: list[dict[str, Any]] = [
        {
            "type": "namespace",
            "name": "box",
            "description": "",
            "tools": [{"type": "function", "name": "look", "parameters": None}],
        },
        {"type": "custom", "name": "apply_patch"},
        {"type": "web_search"},
    ]
    sent, done = told("responses", "messages", {**RESPONSES, "tools": tools, "tool_choice": "auto"})
    assert [tool["name"] for tool in sent["tools"]] == ["box__look", "apply_patch"]
    assert done.unsaid == ("/tools/2",)
    assert done.names.tools == {
        "box__look": Named("look", "function", "box"),
        "apply_patch": Named("apply_patch", "custom"),
    }


def test_calls_of_the_conversation_go_under_the_names_that_the_tools_have_upstream() -> None:
    tools = [{"type": "custom", "name": "apply"}]
    items = [
        {"role": "user", "content": "Go"},
        {"type": "custom_tool_call", "call_id": "c1", "name": "apply", "input": "a\nb"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
        {"type": "function_call", "call_id": "c2", "name": "look", "namespace": "box", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c2", "output": "seen"},
    ]
    sent, _ = told("responses", "chat", {"input": items, "tools": tools})
    calls = [call["function"] for message in sent["messages"] for call in message.get("tool_calls", [])]
    assert calls == [{"name": "apply", "arguments": '{"input":"a\\nb"}'}, {"name": "box__look", "arguments": "{}"}]


@pytest.mark.parametrize(
    ("choice", "arrives"),
    [
        ("required", {"type": "any"}),
        ("auto", {"type": "auto"}),
        ({"type": "function", "name": "look"}, {"type": "tool", "name": "look"}),
        ({"type": "custom", "name": "apply"}, {"type": "tool", "name": "apply"}),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "look"}]},
            {"type": "any"},
        ),
    ],
)
def test_a_choice_goes_in_the_dialects_words(choice: Any, arrives: dict[str, Any]) -> None:
    tools = [{"type": "function", "name": "look", "parameters": None}, {"type": "custom", "name": "apply"}]
    sent, done = told("responses", "messages", {**RESPONSES, "tools": tools, "tool_choice": choice})
    assert (sent["tool_choice"], done.unsaid) == (arrives, ())
    if isinstance(choice, dict) and choice["type"] == "allowed_tools":
        assert [tool["name"] for tool in sent["tools"]] == ["look"]


def test_a_list_without_any_sayable_tool_takes_its_choice_along() -> None:
    body = {**RESPONSES, "tools": [{"type": "web_search"}], "tool_choice": "auto", "parallel_tool_calls": False}
    sent, done = told("responses", "chat", body)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & sent.keys()
    assert done.unsaid == ("/tools/0",)


@pytest.mark.parametrize("choice", ["required", {"type": "web_search"}])
def test_a_forced_tool_that_cannot_be_said_is_refused(choice: Any) -> None:
    with pytest.raises(RequestError, match="web_search") as caught:
        told("responses", "chat", {**RESPONSES, "tools": [{"type": "web_search"}], "tool_choice": choice})
    assert caught.value.metadata["reason"] == "unsupported"


def test_tools_that_the_endpoint_takes_none_of_are_named_as_a_whole() -> None:
    none = structs.replace(OPEN, parameters=frozenset({"temperature"}))
    sent, done = told("messages", "chat", {**MESSAGES, "tools": [{"name": "f", "input_schema": {}}]}, none)
    assert ("tools" in sent, done.unsaid) == (False, ("/tools",))


@pytest.mark.parametrize(
    ("skin", "dialect", "body", "path"),
    [
        (
            "chat",
            "messages",
            {"messages": [{"role": "user", "content": [{"type": "x_new"}]}]},
            "messages[0].content[0]",
        ),
        (
            "messages",
            "chat",
            {"messages": [{"role": "user", "content": [{"type": "x_new"}]}]},
            "messages[0].content[0]",
        ),
        ("responses", "messages", {"input": [{"type": "x_new"}]}, "input[0]"),
        ("responses", "chat", {**RESPONSES, "prompt": {"id": "pmpt_1"}}, "prompt"),
    ],
)
def test_content_that_has_no_word_elsewhere_is_refused_by_its_path(
    skin: Dialect, dialect: Dialect, body: dict[str, Any], path: str
) -> None:
    with pytest.raises(FieldError) as caught:
        told(skin, dialect, body)
    assert caught.value.message.startswith(path)
    told(skin, skin, body)


def test_a_plugin_and_provider_options_are_named_on_every_way() -> None:
    body = {**CHAT, "plugins": [{"id": "web"}], "provider": {"options": {"a": 1}}}
    for dialect in PROTOCOLS:
        assert told("chat", dialect, body)[1].unsaid == ("/plugins/0", "/provider/options")
