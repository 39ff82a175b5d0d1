"""The offline model in the messages and responses dialects: when it calls a tool, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.echo_support import BOTH, SCHEMA, Other, ask, events, said, streamed
from setpoint.canonical.parts import ToolCall
from setpoint.protocols.registry import PROTOCOLS
from setpoint.providers.echo import EchoReply, reply
from setpoint.wire.body import as_text, split

ARGUMENTS = {"query": "string", "limit": 0}
SEARCH: dict[Other, dict[str, Any]] = {
    "messages": {"name": "search", "input_schema": SCHEMA},
    "responses": {"type": "function", "name": "search", "parameters": SCHEMA},
}
BOOK: dict[Other, dict[str, Any]] = {
    "messages": {"type": "custom", "name": "book", "input_schema": {"type": "object"}},
    "responses": {"type": "function", "name": "book", "parameters": None},
}
NAMED: dict[Other, dict[str, Any]] = {
    "messages": {"type": "tool", "name": "book"},
    "responses": {"type": "function", "name": "book"},
}
REQUIRED: dict[Other, Any] = {"messages": {"type": "any"}, "responses": "required"}

# --- tools ---------------------------------------------------------------------------------------------------


def call(dialect: Other, answer: EchoReply) -> ToolCall:
    result = PROTOCOLS[dialect].read_result(split(answer.body))
    assert result.finish is not None
    assert result.finish.reason == "tool_calls"
    [part] = result.parts
    assert isinstance(part, ToolCall)
    return part


@pytest.mark.parametrize("dialect", BOTH)
def test_a_required_tool_is_called_with_the_least_that_it_takes(dialect: Other) -> None:
    tools = [SEARCH[dialect], BOOK[dialect]]
    called = call(dialect, ask(dialect, tools=tools, tool_choice=REQUIRED[dialect]))
    assert called.name == "search"
    assert called.id.startswith("toolu_" if dialect == "messages" else "call_")
    assert json.loads(as_text(called.arguments) or "") == ARGUMENTS
    again = call(dialect, ask(dialect, tools=tools, tool_choice=REQUIRED[dialect]))
    other = call(dialect, ask(dialect, tools=tools, tool_choice=REQUIRED[dialect], temperature=1))
    assert again.id == called.id != other.id


@pytest.mark.parametrize("dialect", BOTH)
def test_a_named_tool_is_called(dialect: Other) -> None:
    tools = [SEARCH[dialect], BOOK[dialect]]
    called = call(dialect, ask(dialect, tools=tools, tool_choice=NAMED[dialect]))
    assert (called.name, json.loads(as_text(called.arguments) or "")) == ("book", {})


@pytest.mark.parametrize(("dialect", "choice"), [("messages", {"type": "auto"}), ("responses", "auto")])
def test_a_tool_that_is_not_required_is_not_called(dialect: Other, choice: Any) -> None:
    text = said(dialect, ask(dialect, tools=[SEARCH[dialect]], tool_choice=choice))
    assert "tools: search\n" in text


@pytest.mark.parametrize("dialect", BOTH)
def test_a_streamed_call_comes_in_fragments(dialect: Other) -> None:
    answer = ask(dialect, stream=True, tools=[SEARCH[dialect]], tool_choice=REQUIRED[dialect])
    [part] = streamed(dialect, answer).parts
    assert isinstance(part, ToolCall)
    assert json.loads(as_text(part.arguments) or "") == ARGUMENTS
    word = {"messages": "content_block_delta", "responses": "response.function_call_arguments.delta"}[dialect]
    assert len([one for one in events(answer) if one["type"] == word]) >= 2


def test_a_tool_without_a_schema_of_its_own_is_called_by_its_known_one() -> None:
    bash = {"type": "bash_20250124", "name": "bash"}
    assert call("messages", ask("messages", tools=[bash], tool_choice={"type": "any"})).name == "bash"


@pytest.mark.parametrize(
    ("tool", "choice", "kind"),
    [
        ({"type": "custom", "name": "patch"}, {"type": "custom", "name": "patch"}, "custom"),
        ({"type": "custom", "name": "patch"}, "required", "custom"),
        ({"type": "shell"}, {"type": "shell"}, "shell"),
        ({"type": "local_shell"}, "required", "local_shell"),
        ({"type": "apply_patch"}, {"type": "apply_patch"}, "apply_patch"),
    ],
)
def test_the_clients_tools_of_responses_are_called_in_their_own_words(tool: Any, choice: Any, kind: str) -> None:
    called = call("responses", ask("responses", tools=[tool], tool_choice=choice))
    assert called.kind == kind
    assert called.kind != "custom" or as_text(called.arguments) == "string"


def test_a_function_in_a_namespace_is_called_there() -> None:
    space = {"type": "namespace", "name": "mail", "description": "", "tools": [SEARCH["responses"]]}
    called = call("responses", ask("responses", tools=[space], tool_choice="required"))
    assert (called.name, called.namespace) == ("search", "mail")


def test_of_a_list_of_allowed_tools_the_first_is_called() -> None:
    tools = [SEARCH["responses"], BOOK["responses"]]
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "book"}]}
    assert call("responses", ask("responses", tools=tools, tool_choice=choice)).name == "book"
    choice["mode"] = "auto"
    assert "tools: search, book" in said("responses", ask("responses", tools=tools, tool_choice=choice))


# --- refusals ------------------------------------------------------------------------------------------------

WRONG: list[bytes] = [b"", b"[]", b'{"messages":', b"{}", b'{"messages":[{"role":"user","content":"\\x"}]}']


@pytest.mark.parametrize(
    "body",
    [
        *WRONG,
        b'{"messages":[]}',
        b'{"messages":[{"role":"tool"}]}',
        b'{"messages":[{"role":"user","content":"a"}],"max_tokens":0}',
        b'{"messages":[{"role":"user","content":"a"}],"stop_sequences":[""]}',
        b'{"messages":[{"role":"user","content":"a"}],"tool_choice":{"type":"any"}}',
        b'{"messages":[{"role":"user","content":"a"}],"tool_choice":{"type":"tool","name":"x"}}',
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_it_cannot_read_is_a_400_of_messages(body: bytes, stream: bool) -> None:
    answer = reply(
        body.replace(b"{", b'{"stream":true,', 1) if stream and b":" in body else body, "messages", created=1
    )
    assert (answer.status, answer.frames) == (400, ())
    told = json.loads(answer.body)
    assert (told["type"], told["error"]["type"]) == ("error", "invalid_request_error")
    assert told["error"]["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        *[(body, None) for body in WRONG if b"messages" not in body and body != b"{}"],
        (b"{}", "input"),
        (b'{"input":7}', "input"),
        (b'{"input":"a","max_output_tokens":0}', "max_output_tokens"),
        (b'{"input":"a","stop":[""]}', "stop"),
        (b'{"input":"a","store":true}', "store"),
        (b'{"input":"a","tool_choice":"required"}', "tool_choice"),
        (b'{"input":"a","tool_choice":{"type":"function","name":"x"}}', "tool_choice"),
        (b'{"input":"a","tools":[{"type":"web_search"}],"tool_choice":"required"}', "tool_choice"),
    ],
)
def test_what_it_cannot_read_is_a_400_of_responses(body: bytes, param: str | None) -> None:
    answer = reply(body, "responses", created=1)
    assert answer.status == 400
    error = json.loads(answer.body)["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert error["message"]
