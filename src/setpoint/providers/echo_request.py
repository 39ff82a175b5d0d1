"""What the offline model understands of a request in the messages or the responses dialect.

The settings are read by the protocol's own tables, what was said by its shape alone: like a provider, the model takes
content that no other protocol has a word for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Raw, Struct

from setpoint.protocols.functions import call_kind, known_function, read_function
from setpoint.protocols.registry import PROTOCOLS
from setpoint.protocols.toolset import allowed
from setpoint.providers.echo_model import (
    Asked,
    Said,
    Tool,
    first_callable,
    is_own,
    named_callable,
    output_limit,
    parameters,
    shown,
    stop_sequences,
)
from setpoint.providers.least import ANY_OBJECT
from setpoint.wire.body import (
    NULL,
    Body,
    as_array,
    as_object,
    as_text,
    is_array,
    is_null,
    is_object,
    members,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

_TRUE, _FALSE = Raw(b"true"), Raw(b"false")
_ASKS_FOR_REASONING = ("enabled", "effort", "max_tokens", "summary")

_HIDDEN = {
    "messages": frozenset({"messages", "system", "model", "stream", "tools"}),
    "responses": frozenset({"input", "instructions", "model", "stream", "stream_options", "tools"}),
}
_STOP = {"messages": "stop_sequences", "responses": "stop"}


class _Heard(Struct, frozen=True):
    """What was said, and of each step of reasoning that came back whether it is as it was given."""

    said: list[Said]
    replayed: list[bool]


def read(dialect: Literal["messages", "responses"], request: Body) -> Asked:
    """A request as the model understands it. Raises: `FieldError`."""
    room = PROTOCOLS[dialect]
    room.check(request, creating=False)
    config = room.read_config(request)
    heard = _messages(request) if dialect == "messages" else _responses(request)
    stops = stop_sequences(config.get("stop"), _STOP[dialect])
    listed, choice = config.get("tools", NULL), config.get("tool_choice")
    return Asked(
        said=heard.said,
        parameters=parameters(request, _HIDDEN[dialect], _STOP[dialect], stops),
        tools={tool.name: tool for tool in _tools(as_array(listed))},
        stops=stops,
        limit=output_limit(config, "max_tokens"),
        called=_called(listed, choice),
        form=as_object(config.get("response_format")),
        thinks=_thinks(as_object(config.get("reasoning"))),
        replayed=tuple(heard.replayed),
    )


def _thinks(reasoning: Body) -> Literal["shown", "hidden"] | None:
    if reasoning.get("enabled") == _FALSE or as_text(reasoning.get("effort")) == "none":
        return None
    if all(is_null(reasoning.get(name, NULL)) for name in _ASKS_FOR_REASONING):
        return None
    return "hidden" if reasoning.get("exclude") == _TRUE else "shown"


# --- what was said -------------------------------------------------------------------------------------------


def _content(content: Raw | None) -> str:
    """The text of content: a string, or parts."""
    return shown(as_array(content)) if content is not None and is_array(content) else as_text(content) or ""


def _messages(request: Body) -> _Heard:
    heard = _Heard([], [])
    if not is_null(request.get("system", NULL)):
        heard.said.append(Said("system", _content(request["system"])))
    for message in map(as_object, as_array(request.get("messages"))):
        role, content = as_text(message.get("role")) or "", message.get("content", NULL)
        if is_array(content):
            _blocks(role, as_array(content), heard)
        else:
            heard.said.append(Said(role, as_text(content) or ""))
    return heard


def _blocks(role: str, blocks: list[Raw], heard: _Heard) -> None:
    """A message in blocks: the results of tools are messages of their own, before the rest of it."""
    rest: list[Raw] = []
    for block in blocks:
        told = as_object(block)
        match as_text(told.get("type")):
            case "tool_result":
                heard.said.append(Said("tool", _content(told.get("content"))))
            case "thinking":
                text, signature = (as_text(told.get(name)) or "" for name in ("thinking", "signature"))
                heard.replayed.append(is_own(signature, text))
            case "redacted_thinking":
                heard.replayed.append(is_own(as_text(told.get("data")) or "", ""))
            case "tool_use":
                pass
            case _:
                rest.append(block)
    if rest or role != "user":
        heard.said.append(Said(role, shown(rest)))


def _responses(request: Body) -> _Heard:
    heard = _Heard([], [])
    instructions, given = as_text(request.get("instructions")), request.get("input", NULL)
    if instructions is not None:
        heard.said.append(Said("system", instructions))
    if not is_array(given):
        heard.said.append(Said("user", as_text(given) or ""))
    for item in map(as_object, as_array(given)):
        kind = as_text(item.get("type")) or "message"
        if kind == "message":
            heard.said.append(Said(as_text(item.get("role")) or "", _content(item.get("content"))))
        elif kind == "reasoning":
            summary = "".join(as_text(as_object(part).get("text")) or "" for part in as_array(item.get("summary")))
            heard.replayed.append(is_own(as_text(item.get("encrypted_content")) or "", summary))
        elif kind.endswith("_output"):
            heard.said.append(Said("tool", _content(item.get("output"))))
    return heard


# --- tools ---------------------------------------------------------------------------------------------------


def _tools(listed: Iterable[Raw]) -> list[Tool]:
    """The tools, also those in a namespace; what no client can be called for goes by its type."""
    tools: list[Tool] = []
    for tool in map(as_object, listed):
        if as_text(tool.get("type")) == "namespace":
            name = as_text(tool.get("name"))
            tools += [_tool(inner, name) for inner in map(as_object, as_array(tool.get("tools")))]
        else:
            tools.append(_tool(tool, None))
    return tools


def _tool(tool: Body, namespace: str | None) -> Tool:
    kind, function = call_kind(tool), read_function(tool) or known_function(tool)
    if kind is None or function is None:
        return Tool(name=as_text(tool.get("type")) or "?")
    takes = function.inside.get("parameters", ANY_OBJECT)
    return Tool(name=function.name, schema=takes if is_object(takes) else ANY_OBJECT, kind=kind, namespace=namespace)


def _called(listed: Raw, choice: Raw | None) -> Tool | None:
    """The tool that a canonical `tool_choice` makes the model call, None when it leaves the choice to the model."""
    told = members(choice) if choice is not None and is_object(choice) else {}
    kind = as_text(told.get("type")) or ""
    inner = as_object(told.get(kind)) or told
    if kind and kind != "allowed_tools":
        return named_callable(_tools(as_array(listed)), as_text(inner.get("name")) or kind)
    if "required" not in (as_text(choice), as_text(inner.get("mode"))):
        return None
    numbered = [(str(at), tool) for at, tool in enumerate(as_array(listed))]
    return first_callable(_tools(tool for _, tool in allowed(numbered, choice)))
