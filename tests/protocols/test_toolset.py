"""The tools of a request in a dialect's words: taken as they are, turned into functions, or left out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Raw

from setpoint.canonical.parts import ToolCall
from setpoint.errors import RequestError
from setpoint.protocols.functions import functions_in_form
from setpoint.protocols.names import Named, ToolNames, function_name
from setpoint.protocols.toolset import Toolset, allowed, refuse_forced, toolset
from setpoint.wire.body import as_array, members, raw, value
from support.cost import TIMES, is_in_proportion

if TYPE_CHECKING:
    from setpoint.records import Dialect

SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
CHAT: dict[str, Any] = {
    "type": "function",
    "function": {"name": "find", "description": "Finds.", "parameters": SCHEMA},
}
MESSAGES: dict[str, Any] = {"name": "find", "description": "Finds.", "input_schema": SCHEMA}
RESPONSES: dict[str, Any] = {
    "type": "function",
    "name": "find",
    "description": "Finds.",
    "parameters": SCHEMA,
    "strict": False,
}
FORMS: dict[Dialect, dict[str, Any]] = {"chat": CHAT, "messages": MESSAGES, "responses": RESPONSES}
PATCH = {"type": "custom", "name": "apply", "description": "Applies.", "format": {"type": "text"}}


def in_form(form: Dialect, dialect: Dialect) -> dict[str, Any]:
    """The function as one protocol wrote it, in the form of another: `strict` is the only word that not all have."""
    if form == "responses" and dialect == "chat":
        return {"type": "function", "function": {**CHAT["function"], "strict": False}}
    return FORMS[dialect]


def numbered(tools: Raw) -> list[tuple[str, Raw]]:
    """Tools with the pointers that they have in a body."""
    return [(f"/tools/{at}", tool) for at, tool in enumerate(as_array(tools))]


def said(
    tools: list[dict[str, Any]], dialect: Dialect, *, server_tools: bool = False, marks: bool = False
) -> tuple[list[dict[str, Any]], Toolset]:
    made = toolset(numbered(raw(tools)), dialect, server_tools=server_tools, cache_marks=marks)
    return [value(tool) for tool in made.tools], made


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dialect", FORMS)
def test_a_function_is_said_in_the_form_of_the_dialect(form: Dialect, dialect: Dialect) -> None:
    tools, made = said([FORMS[form]], dialect)
    assert tools == [in_form(form, dialect)]
    assert (made.left_out, made.unsaid, dict(made.names.tools)) == ([], [], {})


@pytest.mark.parametrize("form", FORMS)
def test_a_tool_in_the_dialects_own_form_keeps_its_bytes(form: Dialect) -> None:
    written = Raw(json.dumps({**FORMS[form], "x_new": 1.50}, indent=1).encode())
    made = toolset([("/tools/0", written)], form, server_tools=False, cache_marks=False)
    assert made.tools == [written]


def test_a_function_without_a_schema_gets_what_the_dialect_needs() -> None:
    bare = {"type": "function", "function": {"name": "now"}}
    assert said([bare], "messages")[0] == [{"name": "now", "input_schema": {"type": "object", "properties": {}}}]
    assert said([bare], "responses")[0] == [{"type": "function", "name": "now", "parameters": None, "strict": False}]


def test_what_chat_calls_strict_stays_strict_in_responses_and_is_named_in_messages() -> None:
    strict = {"type": "function", "function": {**CHAT["function"], "strict": True}}
    assert said([strict], "responses")[0] == [{**RESPONSES, "strict": True}]
    tools, made = said([CHAT, strict], "messages")
    assert tools[1] == MESSAGES
    assert made.unsaid == ["/tools/1/function/strict"]


def test_a_cache_mark_goes_only_where_it_is_understood() -> None:
    marked = {**MESSAGES, "cache_control": {"type": "ephemeral"}}
    assert said([marked], "chat")[0] == [CHAT]
    assert said([marked], "chat", marks=True)[0] == [{**CHAT, "cache_control": {"type": "ephemeral"}}]


def test_a_tool_of_free_text_is_a_function_with_one_text_elsewhere() -> None:
    for dialect in ("chat", "messages"):
        (tool,), made = said([PATCH], dialect)
        inside = tool.get("function", tool)
        assert inside["name"] == "apply"
        assert (inside.get("parameters") or inside["input_schema"])["required"] == ["input"]
        assert made.names.tools["apply"] == Named("apply", "custom")
    assert said([PATCH], "responses")[0] == [PATCH]


def test_the_grammar_of_free_text_is_told_in_words() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": 'start: "x"'}
    (tool,), _ = said([{**PATCH, "format": grammar}], "chat")
    assert 'start: "x"' in tool["function"]["description"]
    assert "lark" in tool["function"]["description"]


def test_a_custom_tool_of_chat_is_one_of_responses() -> None:
    custom = {"type": "custom", "custom": {"name": "apply", "description": "Applies."}}
    assert said([custom], "chat")[0] == [custom]
    assert said([custom], "responses")[0] == [{"type": "custom", "name": "apply", "description": "Applies."}]
    assert said([custom], "messages")[0][0]["name"] == "apply"


def test_a_namespace_is_its_functions_elsewhere() -> None:
    space = {
        "type": "namespace",
        "name": "box",
        "description": "A box.",
        "tools": [{**RESPONSES, "name": "look"}, PATCH],
    }
    tools, made = said([RESPONSES, space], "chat")
    assert [tool["function"]["name"] for tool in tools] == ["find", "box__look", "box__apply"]
    assert made.names.tools == {
        "box__look": Named("look", "function", "box"),
        "box__apply": Named("apply", "custom", "box"),
    }
    assert said([space], "responses")[0] == [space]


@pytest.mark.parametrize(
    ("tool", "name", "needed"),
    [
        ({"type": "bash_20250124", "name": "bash"}, "bash", "command"),
        ({"type": "text_editor_20250124", "name": "str_replace_editor"}, "str_replace_editor", "path"),
        ({"type": "local_shell"}, "local_shell", "command"),
        ({"type": "shell"}, "shell", "commands"),
        ({"type": "apply_patch"}, "apply_patch", "diff"),
    ],
)
def test_a_clients_own_tool_has_its_known_schema_elsewhere(tool: dict[str, Any], name: str, needed: str) -> None:
    ((function,), _) = said([tool], "chat")
    assert function["function"]["name"] == name
    assert needed in function["function"]["parameters"]["properties"]
    assert function["function"]["description"]


def test_each_dialect_takes_its_own_kinds_of_tool_as_they_are() -> None:
    own: dict[Dialect, list[dict[str, Any]]] = {
        "messages": [
            {"type": "bash_20250124", "name": "bash"},
            {"type": "web_search_20250305", "name": "web_search"},
            {"type": "memory_20250818", "name": "memory"},
        ],
        "responses": [
            {"type": "web_search"},
            {"type": "mcp", "server_label": "a"},
            {"type": "file_search", "vector_store_ids": []},
            {"type": "local_shell"},
            {"type": "something_new"},
        ],
    }
    for dialect, tools in own.items():
        assert said(tools, dialect)[0] == tools


@pytest.mark.parametrize(
    ("tool", "dialect"),
    [
        ({"type": "web_search"}, "chat"),
        ({"type": "web_search"}, "messages"),
        ({"type": "web_search_20250305", "name": "web_search"}, "responses"),
        ({"type": "mcp", "server_label": "a"}, "chat"),
        ({"type": "file_search", "vector_store_ids": []}, "messages"),
        ({"type": "openrouter:datetime"}, "chat"),
        ({"type": "openrouter:datetime"}, "messages"),
        ({"type": "openrouter:datetime"}, "responses"),
        ({"type": "computer_20250124", "name": "computer"}, "chat"),
    ],
)
def test_what_a_dialect_has_no_word_for_is_left_out_by_its_place(tool: dict[str, Any], dialect: Dialect) -> None:
    tools, made = said([FORMS[dialect], tool], dialect)
    assert tools == [FORMS[dialect]]
    assert [at for at, _ in made.left_out] == ["/tools/1"]


def test_a_gateway_upstream_takes_server_tools_as_they_are() -> None:
    tools = [{"type": "openrouter:datetime"}, {"type": "web_search"}]
    assert said(tools, "chat", server_tools=True)[0] == tools


def test_a_name_that_chat_does_not_take_is_changed_and_comes_back() -> None:
    long = {**MESSAGES, "name": "mcp.files/read " * 9}
    ((tool,), made) = said([long], "chat")
    name = tool["function"]["name"]
    assert len(name) <= 64
    assert name.replace("_", "").replace("-", "").isalnum()
    call = ToolCall(id="c", name=name, arguments=raw("{}"))
    assert made.names.restored(call).name == long["name"]
    assert made.names.as_sent(made.names.restored(call)).name == name


def test_two_names_that_would_become_one_stay_two() -> None:
    space = {"type": "namespace", "name": "a", "description": "", "tools": [{**RESPONSES, "name": "b"}]}
    tools, made = said([{**RESPONSES, "name": "a__b"}, space], "chat")
    assert [tool["function"]["name"] for tool in tools] == ["a__b", "a__b_2"]
    assert made.names.tools == {"a__b_2": Named("b", "function", "a")}


def test_ten_thousand_tools_keep_their_order() -> None:
    tools = [{**MESSAGES, "name": f"f{n}"} for n in range(10_000)]
    assert [tool["function"]["name"] for tool in said(tools, "chat")[0]] == [f"f{n}" for n in range(10_000)]


# --- calls ---------------------------------------------------------------------------------------------------


def test_a_call_of_free_text_goes_as_an_object_and_comes_back_as_text() -> None:
    names = said([PATCH], "chat")[1].names
    call = ToolCall(id="c", name="apply", arguments=raw('*** "x"\n'), kind="custom")
    sent = names.as_sent(call)
    assert (sent.kind, value(sent.arguments)) == ("function", '{"input":"*** \\"x\\"\\n"}')
    assert names.restored(sent) == call


@pytest.mark.parametrize("arguments", ["", "{", "[1]", '{"x":1}', '{"input":1}', "plain"])
def test_free_text_of_another_shape_stays_all_there_is(arguments: str) -> None:
    names = said([PATCH], "chat")[1].names
    call = ToolCall(id="c", name="apply", arguments=raw(arguments))
    assert value(names.restored(call).arguments) == arguments


def test_a_call_of_a_tool_that_is_no_longer_there_still_has_a_name() -> None:
    call = ToolCall(id="c", name="look", arguments=raw("{}"), namespace="box")
    assert ToolNames().as_sent(call).name == "box__look"
    assert function_name(Named("x" * 70)) != function_name(Named("x" * 71))


def test_only_what_is_no_function_must_wait_until_it_is_whole() -> None:
    names = said([PATCH, {"type": "namespace", "name": "n", "tools": [RESPONSES]}], "chat")[1].names
    assert names.is_whole_only(ToolCall(id="c", name="apply", arguments=raw("")))
    assert not names.is_whole_only(ToolCall(id="c", name="n__find", arguments=raw("")))
    assert not names.is_whole_only(ToolCall(id="c", name="other", arguments=raw("")))


# --- choices -------------------------------------------------------------------------------------------------


def places(tools: list[dict[str, Any]], choice: dict[str, Any] | None) -> list[str]:
    return [at for at, _ in allowed(numbered(raw(tools)), None if choice is None else raw(choice))]


def test_a_list_of_allowed_tools_keeps_their_places() -> None:
    tools = [CHAT, {**RESPONSES, "name": "b"}, PATCH]
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "b"}]}
    assert places(tools, choice) == ["/tools/1"]
    assert places(tools, None) == ["/tools/0", "/tools/1", "/tools/2"]
    inner = {"mode": "auto", "tools": [{"type": "custom", "name": "apply"}]}
    assert places(tools, {"type": "allowed_tools", "allowed_tools": inner}) == ["/tools/2"]


def test_an_allowed_function_of_a_namespace_leaves_it_with_that_function() -> None:
    spaces: list[dict[str, Any]] = [
        {"type": "namespace", "name": name, "description": "", "tools": [{**RESPONSES, "name": it} for it in inside]}
        for name, inside in (("fs", ("read", "write")), ("db", ("query",)))
    ]
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "read"}]}
    ((_, left),) = allowed(numbered(raw(spaces)), raw(choice))
    assert [tool["name"] for tool in value(left)["tools"]] == ["read"]
    assert places(spaces, {**choice, "tools": [{"type": "namespace", "name": "db"}]}) == ["/tools/1"]


def test_a_server_of_tools_is_allowed_by_its_label() -> None:
    servers = [{"type": "mcp", "server_label": label} for label in "ab"]
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp", "server_label": "b"}]}
    assert places(servers, choice) == ["/tools/1"]


def test_a_native_tool_is_known_to_other_skins_as_a_function() -> None:
    space = {"type": "namespace", "name": "fs", "description": "", "tools": [{**RESPONSES, "name": "read"}]}
    names = said([space, PATCH, {"type": "local_shell"}], "responses")[1].names
    call = ToolCall(id="c", name="fs__read", arguments=raw("{}"))
    assert names.as_sent(call) == ToolCall(id="c", name="read", namespace="fs", arguments=raw("{}"))
    free = names.as_sent(ToolCall(id="c", name="apply", arguments=raw('{"input":"x"}')))
    assert free == ToolCall(id="c", name="apply", kind="custom", arguments=raw("x"))
    assert value(names.native_choice("apply") or b"null") == {"type": "custom", "name": "apply"}
    assert value(names.native_choice("local_shell") or b"null") == {"type": "local_shell"}
    assert names.native_choice("find") is None


def test_a_grammar_of_chat_stands_one_level_higher_in_responses() -> None:
    grammar = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "x"}}
    custom = {"type": "custom", "custom": {"name": "apply", "format": grammar}}
    flat = {"type": "custom", "name": "apply", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}}
    assert said([custom], "responses")[0] == [flat]
    bare = {"type": "custom", "custom": {"name": "apply", "format": {"grammar": {"definition": "x"}}}}
    assert said([bare], "responses")[0][0]["format"] == {"type": "grammar", "definition": "x"}


def test_a_schema_without_a_type_is_an_objects_in_messages() -> None:
    bare: dict[str, Any] = {"type": "function", "function": {"name": "f", "parameters": {"properties": {"a": {}}}}}
    assert said([bare], "messages")[0][0]["input_schema"] == {"type": "object", "properties": {"a": {}}}


@pytest.mark.parametrize(
    ("choice", "tool", "none_left"),
    [
        ({"type": "web_search"}, {"type": "web_search"}, False),
        ({"type": "web_search_preview"}, {"type": "openrouter:web_search"}, False),
        ({"type": "mcp"}, {"type": "mcp", "server_label": "a"}, False),
        ("required", {"type": "mcp", "server_label": "a"}, True),
        ({"type": "allowed_tools", "mode": "required", "tools": []}, {"type": "web_search"}, True),
    ],
)
def test_a_tool_that_must_be_called_and_cannot_be_said_is_an_error(choice: Any, tool: Any, none_left: bool) -> None:
    with pytest.raises(RequestError, match="not supported") as caught:
        refuse_forced(raw(choice), [members(raw(tool))], none_left=none_left)
    assert caught.value.metadata["reason"] == "unsupported"


@pytest.mark.parametrize("choice", ["auto", "none", "required", {"type": "function", "function": {"name": "f"}}])
def test_a_choice_that_can_be_met_without_the_tool_is_none(choice: Any) -> None:
    refuse_forced(raw(choice), [members(raw({"type": "mcp"}))], none_left=False)


@pytest.mark.parametrize("form", FORMS)
def test_functions_of_a_preset_come_in_the_skins_own_form(form: Dialect) -> None:
    listed = raw([CHAT, MESSAGES, RESPONSES, PATCH])
    assert value(functions_in_form(listed, form)) == [*(in_form(own, form) for own in FORMS), PATCH]
    own = raw([FORMS[form], PATCH])
    assert functions_in_form(own, form) is own


def test_the_tools_that_are_allowed_are_found_in_as_much_time_as_there_are_of_them() -> None:
    def all_allowed(count: int) -> list[tuple[str, Raw]]:
        tools = [raw({"type": "function", "name": f"tool_{number}"}) for number in range(count)]
        choice = raw({"type": "allowed_tools", "mode": "auto", "tools": tools})
        return allowed([(f"/tools/{number}", tool) for number, tool in enumerate(tools)], choice)

    assert len(all_allowed(TIMES)) == TIMES
    assert is_in_proportion(lambda: all_allowed(100), lambda: all_allowed(100 * TIMES))
