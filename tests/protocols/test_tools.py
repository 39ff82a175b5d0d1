"""Tools as presets see them: which are the same one, and what two lists make together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from setpoint.protocols.tools import identity, union
from setpoint.wire.body import items, raw, value

CHAT_FUNCTION: dict[str, Any] = {"type": "function", "function": {"name": "f", "parameters": {}}}
RESPONSES_FUNCTION: dict[str, Any] = {"type": "function", "name": "f", "parameters": None}
ANTHROPIC_TOOL: dict[str, Any] = {"name": "f", "input_schema": {"type": "object"}}


def advisor(name: str | None = None, **more: object) -> dict[str, Any]:
    return {"type": "openrouter:advisor", "parameters": {"name": name} if name else {}} | more


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (CHAT_FUNCTION, RESPONSES_FUNCTION),
        (CHAT_FUNCTION, ANTHROPIC_TOOL),
        (RESPONSES_FUNCTION, ANTHROPIC_TOOL | {"type": "custom"}),
        (advisor(), {"type": "openrouter:advisor"}),
        (advisor("x"), advisor(" x ")),
        ({"type": "openrouter:datetime"}, {"type": "openrouter:datetime", "parameters": {"timezone": "UTC"}}),
        ({"type": "web_search"}, {"type": "openrouter:web_search"}),
        ({"type": "web_search_preview"}, {"type": "web_search_2025_08_26"}),
        ({"type": "web_search_preview_2025_03_11"}, {"type": "web_search_20250305", "name": "web_search"}),
        ({"type": "custom", "name": "patch"}, {"type": "custom", "name": "patch", "format": {"type": "text"}}),
        ({"type": "custom", "custom": {"name": "patch"}}, {"type": "custom", "name": "patch"}),
        ({"type": "bash_20241022", "name": "bash"}, {"type": "bash_20250124", "name": "bash"}),
        (
            {"type": "tool_search_tool_regex", "name": "tool_search_tool_regex"},
            {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
        ),
        ({"type": "mcp", "server_label": "a", "server_url": "x"}, {"type": "mcp", "server_label": "a"}),
        ({"type": "namespace", "name": "n", "tools": []}, {"type": "namespace", "name": "n"}),
        ({"type": "file_search", "vector_store_ids": []}, {"type": "file_search"}),
    ],
)
def test_two_writings_of_one_tool_have_one_identity(one: object, other: object) -> None:
    assert identity(raw(one)) == identity(raw(other))


DIFFERENT: list[dict[str, Any]] = [
    CHAT_FUNCTION,
    {"type": "function", "name": "F"},
    {"type": "function", "name": "g"},
    advisor(),
    advisor("f"),
    advisor("g"),
    {"type": "openrouter:subagent"},
    {"type": "openrouter:subagent", "parameters": {"name": "f"}},
    {"type": "openrouter:datetime"},
    {"type": "openrouter:web_fetch"},
    {"type": "web_search"},
    {"type": "custom", "name": "f"},
    {"type": "custom", "name": "g"},
    {"type": "bash_20250124", "name": "bash"},
    {"type": "text_editor_20250124", "name": "str_replace_editor"},
    {"type": "mcp", "server_label": "f"},
    {"type": "mcp", "server_label": "g"},
    {"type": "namespace", "name": "f"},
    {"type": "file_search"},
    {"type": "code_interpreter"},
    {"type": "something", "name": "f"},
    {"type": "something", "name": "g"},
]


def test_different_tools_have_different_identities() -> None:
    assert len({identity(raw(tool)) for tool in DIFFERENT}) == len(DIFFERENT)


def test_names_are_compared_as_text_not_as_bytes() -> None:
    assert identity(Raw(rb'{"type":"function","name":"\u0066"}')) == identity(raw(CHAT_FUNCTION))


def test_tools_of_a_request_replace_those_of_a_preset_in_place_and_new_ones_follow() -> None:
    subagent = {"type": "openrouter:subagent", "parameters": {"name": "x"}}
    other = {"type": "openrouter:subagent", "parameters": {"name": "y"}}
    preset = [{"type": "web_search"}, CHAT_FUNCTION, subagent]
    changed = {"type": "function", "function": {"name": "f", "description": "new"}}
    assert value(union(raw(preset), raw([changed, other]))) == [{"type": "web_search"}, changed, subagent, other]


def test_an_empty_list_adds_nothing_and_removes_nothing() -> None:
    tools = raw([CHAT_FUNCTION])
    assert union(tools, raw([])) == tools
    assert union(raw([]), tools) == tools


def test_of_equal_tools_in_one_list_the_last_counts_at_the_first_place() -> None:
    again = CHAT_FUNCTION | {"cache_control": {"type": "ephemeral"}}
    assert value(union(raw([CHAT_FUNCTION, advisor(), again]))) == [again, advisor()]


def test_a_list_without_equal_tools_keeps_its_bytes() -> None:
    tools = Raw(b'[ {"type":"function", "name":"f"} ]')
    assert union(tools) is tools


LISTS = st.lists(
    st.sampled_from(DIFFERENT).flatmap(lambda tool: st.integers(0, 9).map(lambda mark: tool | {"v": mark}))
)


@given(LISTS, LISTS)
def test_a_union_keeps_every_tool_once_and_the_request_wins(preset: list[Any], request: list[Any]) -> None:
    first, second = raw(preset), raw(request)
    merged = union(first, second)
    identities = [identity(tool) for tool in items(merged)]
    assert identities == list(dict.fromkeys(identity(tool) for tool in (*items(first), *items(second))))
    last = {identity(tool): tool for tool in items(second)}
    assert all(tool == last.get(identity(tool), tool) for tool in items(merged))
    assert union(merged, second) == merged
