"""Tools as presets see them: which two are the same one, what two lists make together, and their form in chat.

A tool stays the bytes that came. Only its kind and its name are understood.
"""

from __future__ import annotations

import re

from msgspec import Raw

from setpoint.wire.body import NULL, Body, is_object, is_string, items, join, members, raw, value

Identity = tuple[str, ...]
"""What a tool is told apart by. Tools of equal identity are one tool, whatever else they say."""

# `web_search`, `web_search_preview`, and both with a date in either protocol's writing.
_WEB_SEARCH = re.compile(r"web_search(_preview)?(_20\d\d_?\d\d_?\d\d)?")

# Anthropic's own tools carry a date (`bash_20250124`); the search tools may come without it.
_VERSIONED = re.compile(r".+_20\d{6}|tool_search_tool_(bm25|regex)")

# What chat calls a function; the other protocols are freer.
_CHAT_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")

_INSTANCES = frozenset({"openrouter:advisor", "openrouter:subagent"})

_FUNCTION_MEMBERS = {
    "name": "name",
    "description": "description",
    "parameters": "parameters",
    "input_schema": "parameters",
    "strict": "strict",
}
"""Member of a function-like tool of messages or responses to its name inside chat's `function`."""


def identity(tool: Raw) -> Identity:
    """What this tool is told apart by, the same for the three schema forms of one function."""
    return _identity(members(tool))


def union(*lists: Raw) -> Raw:
    """The distinct tools of one list or of several: of equal tools the last one counts, at the place of the first.

    So the tools of a request replace those of a preset in place, and new ones come behind them.
    """
    entries = [tool for tools in lists for tool in items(tools)]
    distinct = {identity(tool): tool for tool in entries}
    if len(lists) == 1 and len(distinct) == len(entries):
        return lists[0]
    return raw(list(distinct.values()))


def in_chat_form(tools: Raw) -> Raw:
    """The list with every function of messages or responses in the form of chat; what it has no form for stays."""
    entries = items(tools)
    written = [_in_chat_form(tool) for tool in entries]
    if all(new is old for new, old in zip(written, entries, strict=True)):
        return tools
    return raw(written)


def _identity(tool: Body) -> Identity:
    kind = _word(tool.get("type", NULL))
    if _is_function(tool, kind):
        return "function", _name(tool, kind)
    if kind in _INSTANCES:
        return kind, _word(_inside(tool, "parameters").get("name", NULL)).strip()
    if kind.startswith("openrouter:"):
        return (kind,)
    if _WEB_SEARCH.fullmatch(kind):
        return ("openrouter:web_search",)
    if kind == "mcp":
        return kind, _word(tool.get("server_label", NULL))
    name = _name(tool, kind)
    # A messages upstream keeps one namespace for its own tools and for custom ones.
    return ("function" if name and _VERSIONED.fullmatch(kind) else kind), name


def _name(tool: Body, kind: str) -> str:
    # Chat keeps a tool's members one level deeper, under the word of its type.
    return _word(tool.get("name", NULL)) or _word(_inside(tool, kind).get("name", NULL))


def _is_function(tool: Body, kind: str) -> bool:
    return kind == "function" or (kind in {"", "custom"} and "input_schema" in tool)


def _in_chat_form(tool: Raw) -> Raw:
    told = members(tool)
    if "function" in told or not _is_function(told, _word(told.get("type", NULL))):
        return tool
    if not _CHAT_NAME.fullmatch(_word(told.get("name", NULL))):
        return tool
    function: Body = {}
    beside: Body = {}
    for name, content in told.items():
        if name == "type" or content == NULL:  # chat knows no null parameters; a null says nothing here
            continue
        if inner := _FUNCTION_MEMBERS.get(name):
            function[inner] = content
        else:
            beside[name] = content
    return Raw(join({"type": raw("function"), "function": Raw(join(function)), **beside}))


def _inside(tool: Body, name: str) -> Body:
    content = tool.get(name, NULL)
    return members(content) if is_object(content) else {}


def _word(content: Raw) -> str:
    """What a raw string says; of anything else its JSON, and nothing of null."""
    if is_string(content):
        return value(content)
    return "" if content == NULL else bytes(content).decode()
