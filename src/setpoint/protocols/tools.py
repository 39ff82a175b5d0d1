"""Tools as presets see them: which two are the same one, and what two lists make together.

A tool stays the bytes that came. Only its kind and its name are understood.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from setpoint.wire.body import NULL, Body, is_object, is_string, items, members, raw, value

if TYPE_CHECKING:
    from msgspec import Raw

Identity = tuple[str, ...]
"""What a tool is told apart by. Tools of equal identity are one tool, whatever else they say."""

# `web_search`, `web_search_preview`, and both with a date in either protocol's writing.
_WEB_SEARCH = re.compile(r"web_search(_preview)?(_20\d\d_?\d\d_?\d\d)?")

# Anthropic's own tools carry a date (`bash_20250124`); the search tools may come without it.
_VERSIONED = re.compile(r".+_20\d{6}|tool_search_tool_(bm25|regex)")

_INSTANCES = frozenset({"openrouter:advisor", "openrouter:subagent"})


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


def _inside(tool: Body, name: str) -> Body:
    content = tool.get(name, NULL)
    return members(content) if is_object(content) else {}


def _word(content: Raw) -> str:
    """What a raw string says; of anything else its JSON, and nothing of null."""
    if is_string(content):
        return value(content)
    return "" if content == NULL else bytes(content).decode()
