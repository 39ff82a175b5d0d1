"""The tools of a request in the words of one dialect: taken as they are, turned into functions, or left out.

One rule for the request's own tools and a preset's, taken anew for every endpoint.
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Raw

from setpoint.errors import RequestError
from setpoint.protocols.functions import (
    Function,
    call_kind,
    flat_custom,
    form_of,
    known_function,
    read_function,
    write_function,
)
from setpoint.protocols.names import Named, ToolNames, function_name
from setpoint.wire.body import Body, as_array, as_object, as_text, join, members, raw

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.canonical.parts import CallKind
    from setpoint.records import Dialect

SHORTHANDS = ("web_search", "web_search_preview", "web_search_preview_2025_03_11", "web_search_2025_08_26")
"""Types of tool that stand for `openrouter:web_search` on chat and responses."""

_SEARCHES = (*SHORTHANDS, "openrouter:web_search")

# Anthropic's own tools carry a date (`bash_20250124`); the search tools may come without it.
_VERSIONED = re.compile(r".+_20\d{6}|tool_search_tool_(bm25|regex)")
_RESPONSES_ONLY = frozenset(
    {
        *SHORTHANDS,
        *("custom", "namespace", "file_search", "computer_use_preview", "code_interpreter", "mcp"),
        *("image_generation", "local_shell", "shell", "apply_patch", "tool_search"),
    }
)
_MESSAGES_ONLY = frozenset({"mcp_toolset"})
_NATIVE_CALLS: dict[Dialect, frozenset[CallKind]] = {
    "chat": frozenset({"function"}),
    "messages": frozenset({"function"}),
    "responses": frozenset({"function", "custom", "local_shell", "shell", "apply_patch"}),
}
_ROOM_FOR_A_NUMBER = 58
# How a protocol's own providers are to handle a function; elsewhere it is one like any other.
_OWN_WORDS = frozenset({"defer_loading", "allowed_callers", "eager_input_streaming", "input_examples"})


class Toolset(NamedTuple):
    """What goes upstream of a list of tools.

    `left_out` are the pointers of tools that cannot be said, with the tools; `unsaid` are those of members of others.
    """

    tools: list[Raw]
    names: ToolNames
    left_out: list[tuple[str, Body]]
    unsaid: list[str]


def toolset(tools: Iterable[tuple[str, Raw]], dialect: Dialect, *, server_tools: bool, cache_marks: bool) -> Toolset:
    """Tools, each with the pointer to where the request has it, in a dialect's words.

    `server_tools`: the provider takes `openrouter:*` itself. `cache_marks`: it takes `cache_control` beside a function.
    """
    writer = _Writer(dialect, server_tools=server_tools, cache_marks=cache_marks)
    for pointer, tool in tools:
        writer.add(pointer, tool)
    return writer.done()


def allowed(tools: list[tuple[str, Raw]], choice: Raw | None) -> list[tuple[str, Raw]]:
    """The tools, with their pointers, that a choice of the kind `allowed_tools` leaves; all without such a choice."""
    permitted = _allowance(choice)
    if permitted is None:
        return tools
    wanted = _Chosen(members(entry) for entry in as_array(permitted.get("tools")))
    left: list[tuple[str, Raw]] = []
    for pointer, tool in tools:
        told = members(tool)
        if told in wanted:
            left.append((pointer, tool))
        elif as_text(told.get("type")) == "namespace":
            inside = [one for one in as_array(told.get("tools")) if members(one) in wanted]
            if inside:
                left.append((pointer, Raw(join({**told, "tools": raw(inside)}))))
    return left


def _allowance(choice: Raw | None) -> Body | None:
    """The mode and the tools of a choice of the kind `allowed_tools`, as either protocol writes it; else None."""
    told = as_object(choice)
    if as_text(told.get("type")) != "allowed_tools":
        return None
    return as_object(told.get("allowed_tools")) or told


class _Writer:
    """One list at work."""

    def __init__(self, dialect: Dialect, *, server_tools: bool, cache_marks: bool) -> None:
        self._dialect: Dialect = dialect
        self._server_tools = server_tools
        self._cache_marks = cache_marks
        self._sent: list[Raw] = []
        self._names: dict[str, Named] = {}
        self._taken: dict[Named, str] = {}
        self._owners: dict[str, Named] = {}
        self._native: dict[str, Named] = {}
        self._left_out: list[tuple[str, Body]] = []
        self._unsaid: list[str] = []

    def add(self, pointer: str, tool: Raw) -> None:
        told = members(tool)
        if self._is_native(told):
            self._sent.append(tool)
            self._note_native(told, None)
        elif as_text(told.get("type")) == "namespace" and self._dialect != "responses":
            self._add_namespace(pointer, told)
        elif not self._add_function(told, pointer, None):
            self._left_out.append((pointer, told))

    def _note_native(self, tool: Body, namespace: str | None) -> None:
        """Remember what clients of other skins call a tool that only this dialect has."""
        if as_text(tool.get("type")) == "namespace":
            for inner in as_array(tool.get("tools")):
                self._note_native(members(inner), as_text(tool.get("name")))
            return
        kind, function = call_kind(tool), read_function(tool) or known_function(tool)
        if kind is not None and function is not None and (kind != "function" or namespace is not None):
            named = Named(function.name, kind, namespace)
            self._native.setdefault(function_name(named), named)

    def done(self) -> Toolset:
        names = ToolNames(
            self._names,
            self._taken,
            _NATIVE_CALLS[self._dialect],
            namespaces=self._dialect == "responses",
            native_tools=self._native,
        )
        return Toolset(self._sent, names, self._left_out, self._unsaid)

    def _is_native(self, tool: Body) -> bool:
        """Whether the dialect, or this provider, has the tool as it is."""
        kind = as_text(tool.get("type")) or ""
        if kind.startswith("openrouter:"):
            return self._server_tools
        if read_function(tool) is not None:
            return form_of(tool) == self._dialect
        match self._dialect:
            case "chat":
                return (kind == "custom" and "custom" in tool) or (kind in SHORTHANDS and self._server_tools)
            case "messages":
                return kind not in _RESPONSES_ONLY and "custom" not in tool
            case "responses":
                foreign = _VERSIONED.fullmatch(kind) or kind in _MESSAGES_ONLY
                return not foreign and not (kind == "custom" and "custom" in tool)

    def _add_namespace(self, pointer: str, namespace: Body) -> None:
        name = as_text(namespace.get("name"))
        for at, tool in enumerate(as_array(namespace.get("tools"))):
            if not self._add_function(members(tool), f"{pointer}/tools/{at}", name):
                self._unsaid.append(f"{pointer}/tools/{at}")

    def _add_function(self, tool: Body, pointer: str, namespace: str | None) -> bool:
        """Say a tool as a function; False when it is none, and nothing like one."""
        kind, function = call_kind(tool), read_function(tool) or known_function(tool)
        if kind == "custom" and self._dialect == "responses":
            self._sent.append(flat_custom(tool))
            return True
        if function is None or kind is None:
            return False
        named = Named(function.name, kind, namespace)
        name = self._free_name(named)
        self._taken[named], self._owners[name] = name, named
        if name != function.name or kind != "function" or namespace is not None:
            self._names[name] = named
        strict = function.inside.get("strict")
        inside: Body = {**function.inside, "name": raw(name)}
        if self._dialect == "messages" and strict == Raw(b"true"):
            self._unsaid.append(f"{pointer}/{'function/' if 'function' in tool else ''}strict")
        beside = {name: said for name, said in function.beside.items() if name not in _OWN_WORDS}
        if "cache_control" in beside and not self._cache_marks:
            del beside["cache_control"]
        self._sent.append(write_function(Function(name, inside, beside), self._dialect))
        return True

    def _free_name(self, tool: Named) -> str:
        """The tool's name upstream, no other tool's: two that differ only in what a dialect cannot say stay two."""
        name = plain = function_name(tool)
        count = 1
        while self._owners.get(name, tool) != tool:
            count += 1
            name = f"{plain[:_ROOM_FOR_A_NUMBER]}_{count}"
        return name


# --- what must be called -------------------------------------------------------------------------------------


def refuse_forced(choice: Raw | None, left_out: list[Body], *, none_left: bool) -> None:
    """A tool that must be called and cannot be said is an error, never an answer without it.

    `choice` is a canonical `tool_choice`. Raises: `RequestError`.
    """
    named, permitted = as_object(choice), _allowance(choice)
    chosen = _Chosen([named] if named else [])
    forced = next((tool for tool in left_out if tool in chosen), None)
    must = as_text(permitted.get("mode")) if permitted is not None else as_text(choice)
    if must == "required" and none_left and left_out:
        forced = left_out[0]
    if forced is not None:
        raise RequestError(
            "invalid_request",
            f"tool_choice: forces the tool {tool_name(forced)}, which is not supported here",
            metadata={"reason": "unsupported"},
        )


class _Chosen:
    """The tools that choices mean, each of which names one as a `tool_choice` does, in chat's or responses' words."""

    def __init__(self, choices: Iterable[Body]) -> None:
        self._names: set[str | None] = set()  # of functions and custom tools
        self._search = False
        self._others: set[tuple[str | None, bytes | None, bytes | None]] = set()
        for choice in choices:
            kind = as_text(choice.get("type"))
            if kind in ("function", "custom"):
                self._names.add(as_text(as_object(choice.get(kind)).get("name")) or as_text(choice.get("name")))
                continue
            self._search = self._search or kind in _SEARCHES
            self._others.add((kind, _told(choice, "name"), _told(choice, "server_label")))

    def __contains__(self, tool: Body) -> bool:
        kind, name, label = as_text(tool.get("type")), _told(tool, "name"), _told(tool, "server_label")
        if tool_name(tool) in self._names or (self._search and kind in _SEARCHES):
            return True
        # A choice of another kind says as much of the tool as it likes.
        return any((kind, *about) in self._others for about in product((name, None), (label, None)))


def _told(body: Body, name: str) -> bytes | None:
    return bytes(body[name]) if name in body else None


def tool_name(tool: Body) -> str:
    """What a tool is called: by its name, else its type."""
    inner = as_object(tool.get("function")) or as_object(tool.get("custom")) or tool
    return as_text(inner.get("name")) or as_text(tool.get("type")) or ""
