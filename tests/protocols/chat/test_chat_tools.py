"""Tools of another skin in a chat body: a function has the form of chat, all else keeps its bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from setpoint.protocols.chat import write_config
from setpoint.protocols.tools import identity
from setpoint.wire.body import items, raw

TOOLS: list[dict[str, Any]] = [
    {"type": "function", "function": {"name": "f", "parameters": {}}},
    {"type": "function", "name": "f", "parameters": None},
    {"type": "function", "name": "F"},
    {"name": "f", "input_schema": {"type": "object"}},
    {"type": "custom", "name": "g", "input_schema": {}},
    {"type": "custom", "name": "f"},
    {"type": "openrouter:advisor", "parameters": {"name": "f"}},
    {"type": "web_search"},
    {"type": "bash_20250124", "name": "bash"},
    {"type": "mcp", "server_label": "f"},
    {"type": "namespace", "name": "f"},
    {"type": "something", "name": "g"},
]


def chat_form(tools: Raw) -> Raw:
    return write_config({"tools": tools})[0]["tools"]


def test_functions_of_the_other_skins_are_written_as_chat_functions_with_their_schemas_bytes() -> None:
    tools = Raw(
        b'[{"name":"a","description":"A","input_schema":{ "type":"object", "n":1.50 },'
        b'"cache_control":{"type":"ephemeral"}},'
        b'{"type":"custom","name":"b","input_schema":{}},'
        b'{"type":"function","name":"c","parameters":{ },"strict":true,"description":null,"defer_loading":null},'
        b'{"type":"function","name":"d","parameters":null}]'
    )
    assert bytes(chat_form(tools)) == (
        b'[{"type":"function","function":{"name":"a","description":"A","parameters":{ "type":"object", "n":1.50 }},'
        b'"cache_control":{"type":"ephemeral"}},'
        b'{"type":"function","function":{"name":"b","parameters":{}}},'
        b'{"type":"function","function":{"name":"c","parameters":{ },"strict":true}},'
        b'{"type":"function","function":{"name":"d"}}]'
    )


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "function", "function": {"name": "f", "parameters": None}, "x": None},
        {"type": "custom", "name": "patch"},
        {"type": "openrouter:advisor"},
        {"type": "bash_20250124", "name": "bash"},
        {"type": "mcp", "server_label": "a"},
    ],
)
def test_what_is_no_function_of_another_skin_keeps_its_bytes(tool: object) -> None:
    tools = Raw(json.dumps([tool], indent=1).encode())
    assert chat_form(tools) is tools
    beside = chat_form(Raw(b"[" + json.dumps(tool).encode() + b',{"name":"f","input_schema":{}}]'))
    assert bytes(items(beside)[0]) == json.dumps(tool).encode()


@given(st.lists(st.sampled_from(TOOLS)))
def test_the_chat_form_changes_no_identity_and_is_final(tools: list[Any]) -> None:
    written = chat_form(raw(tools))
    assert [identity(tool) for tool in items(written)] == [identity(raw(tool)) for tool in tools]
    assert chat_form(written) is written


def test_a_name_that_chat_does_not_take_keeps_its_tool_out_of_chats_form() -> None:
    tools = Raw(b'[{"type":"function","name":"bad name!"},{"name":"%s","input_schema":{}}]' % (b"x" * 65))
    assert chat_form(tools) == tools
