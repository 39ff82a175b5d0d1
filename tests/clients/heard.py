"""What an upstream heard: a request of any dialect as the same plain steps, in the order of the conversation.

Strict where vendors are: a member or a kind that the vendor's own reference does not know is a `ValueError` here,
because some vendors refuse the whole request for one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from clients.upstreams import Dialect

Step = tuple[str, ...]
"""`(speaker, text)`, `("thought", text, seal)`, `("call", id, name, arguments)` or `("result", id, text)`."""


def heard(dialect: Dialect, request: Mapping[str, Any]) -> list[Step]:
    """The conversation of a request, system prompt first."""
    _known(request, _FIELDS[dialect], "the request")
    tools: list[Any] = request.get("tools", [])
    for tool in tools:
        _check_tool(dialect, tool)
    match dialect:
        case "chat":
            return list(_chat(request))
        case "messages":
            return list(_messages(request))
        case "responses":
            return list(_responses(request))


def tools_heard(dialect: Dialect, request: Mapping[str, Any]) -> dict[str, Any]:
    """The functions that a request offers: name to the schema of the arguments."""
    match dialect:
        case "chat":
            return {tool["function"]["name"]: tool["function"]["parameters"] for tool in request["tools"]}
        case "messages":
            return {tool["name"]: tool["input_schema"] for tool in request["tools"]}
        case "responses":
            return {tool["name"]: tool["parameters"] for tool in request["tools"]}


def schema_heard(dialect: Dialect, request: Mapping[str, Any]) -> Any:
    """The schema that the answer must follow."""
    match dialect:
        case "chat":
            return request["response_format"]["json_schema"]["schema"]
        case "messages":
            return request["output_config"]["format"]["schema"]
        case "responses":
            return request["text"]["format"]["schema"]


# --- what vendors know ---------------------------------------------------------------------------------------

_FIELDS: dict[Dialect, str] = {
    "chat": "messages model stream stream_options temperature max_tokens max_completion_tokens tools tool_choice "
    "parallel_tool_calls response_format reasoning reasoning_effort stop verbosity prompt_cache_key",
    "messages": "messages model stream system temperature max_tokens tools tool_choice output_config thinking "
    "stop_sequences metadata context_management",
    "responses": "input model stream instructions temperature max_output_tokens tools tool_choice parallel_tool_calls "
    "text reasoning include store service_tier prompt_cache_key client_metadata",
}
_CHAT = {
    "system": "role content name",
    "developer": "role content name",
    "user": "role content name",
    "assistant": "role content name refusal audio annotations tool_calls reasoning reasoning_content reasoning_details",
    "tool": "role content tool_call_id",
}
_MESSAGES = {
    "text": "type text citations cache_control",
    "thinking": "type thinking signature",
    "tool_use": "type id name input caller cache_control",
    "tool_result": "type tool_use_id content is_error cache_control",
}
_RESPONSES = {
    "message": "type role content id status phase",
    "reasoning": "type id summary content encrypted_content status",
    "function_call": "type call_id name arguments id status namespace",
    "function_call_output": "type call_id output id status",
    "custom_tool_call": "type call_id name input id status namespace",
    "custom_tool_call_output": "type call_id output id status",
}


_CHAT_FUNCTION = "name description parameters strict"
_MESSAGES_TOOL = "name description input_schema type strict cache_control defer_loading"
# A function of responses may be deferred, too, but only where a tool to search for it is there.
_RESPONSES_TOOLS = {
    "function": "type name description parameters strict",
    "custom": "type name description format",
    "namespace": "type name description tools",
    "web_search": "type external_web_access search_content_types",
}


def _check_tool(dialect: Dialect, tool: Mapping[str, Any]) -> None:
    match dialect:
        case "chat":
            _known(tool, "type function", "a tool")
            _known(tool["function"], _CHAT_FUNCTION, "a function")
        case "messages":
            _known(tool, _MESSAGES_TOOL, "a tool")
        case "responses":
            _checked(tool, tool["type"], _RESPONSES_TOOLS)


def _known(members: Mapping[str, Any], names: str, what: str) -> None:
    if unknown := set(members) - set(names.split()):
        raise ValueError(f"{what} has members that no vendor knows: {sorted(unknown)}")


def _checked(members: Mapping[str, Any], kind: str, kinds: Mapping[str, str]) -> None:
    if kind not in kinds:
        raise ValueError(f"no vendor knows {kind!r} here")
    _known(members, kinds[kind], kind)


# --- chat ----------------------------------------------------------------------------------------------------


def _chat(request: Mapping[str, Any]) -> Iterator[Step]:
    for message in request["messages"]:
        _checked(message, message["role"], _CHAT)
        match message["role"]:
            case "tool":
                yield ("result", message["tool_call_id"], _text(message["content"], "text"))
            case "assistant":
                yield from _chat_assistant(message)
            case speaker:
                yield (_speaker(speaker), _text(message["content"], "text"))


def _chat_assistant(message: Mapping[str, Any]) -> Iterator[Step]:
    details: list[Any] = message.get("reasoning_details") or []
    if details:
        pairs = [(detail.get("text") or "", detail.get("signature") or "") for detail in details]
        yield ("thought", "".join(text for text, _ in pairs), "".join(seal for _, seal in pairs))
    if message.get("content"):
        yield ("assistant", _text(message["content"], "text"))
    calls: list[Any] = message.get("tool_calls") or []
    for call in calls:
        function = call["function"]
        yield ("call", call["id"], function["name"], _canonical(function["arguments"]))


# --- messages ------------------------------------------------------------------------------------------------


def _messages(request: Mapping[str, Any]) -> Iterator[Step]:
    if request.get("system"):
        yield ("system", _text(request["system"], "text"))
    for message in request["messages"]:
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            _checked(block, block["type"], _MESSAGES)
            yield _messages_step(message["role"], block)


def _messages_step(role: str, block: Mapping[str, Any]) -> Step:
    match block["type"]:
        case "thinking":
            return ("thought", block["thinking"], block["signature"])
        case "tool_use":
            return ("call", block["id"], block["name"], _compact(block["input"]))
        case "tool_result":
            return ("result", block["tool_use_id"], _text(block["content"], "text", "tool_reference"))
        case _:
            return (role, block["text"])


# --- responses -----------------------------------------------------------------------------------------------


def _responses(request: Mapping[str, Any]) -> Iterator[Step]:
    if request.get("instructions"):
        yield ("system", request["instructions"])
    items = request["input"]
    for item in [{"role": "user", "content": items}] if isinstance(items, str) else items:
        kind = item.get("type", "message")
        _checked(item, kind, _RESPONSES)
        yield _responses_step(kind, item)


def _responses_step(kind: str, item: Mapping[str, Any]) -> Step:
    match kind:
        case "reasoning":
            return ("thought", "".join(part["text"] for part in item["summary"]), item["encrypted_content"])
        case "function_call" | "custom_tool_call":
            arguments = item.get("input") or _canonical(item["arguments"])
            return ("call", item["call_id"], item["name"], arguments)
        case "function_call_output" | "custom_tool_call_output":
            return ("result", item["call_id"], _text(item["output"], "input_text"))
        case _:
            speaker = _speaker(item["role"])
            return (speaker, _text(item["content"], "output_text" if speaker == "assistant" else "input_text"))


# --- parts ---------------------------------------------------------------------------------------------------


def _speaker(role: str) -> str:
    return "system" if role == "developer" else role


def _text(content: Any, *kinds: str) -> str:
    """The text of a content, which is a string or parts of these kinds."""
    if isinstance(content, str):
        return content
    parts: list[Any] = content
    if others := {part["type"] for part in parts}.difference(kinds):
        raise ValueError(f"{others} where {kinds} belong")
    return "\n".join(part["tool_name"] if part["type"] == "tool_reference" else part["text"] for part in parts)


def _canonical(arguments: str) -> str:
    return _compact(json.loads(arguments))


def _compact(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
