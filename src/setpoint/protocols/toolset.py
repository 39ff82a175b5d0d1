"""The tools of a request in the words of one dialect: taken as they are, turned into functions, or left out.

One rule for the request's own tools and a preset's, taken anew for every endpoint.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Raw

from setpoint.errors import RequestError
from setpoint.protocols.known_tools import KNOWN_TOOLS
from setpoint.protocols.names import Named, ToolNames, function_name
from setpoint.wire.body import NULL, Body, as_array, as_object, as_text, is_null, join, members, raw

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.canonical.parts import CallKind
    from setpoint.records import Dialect

SHORTHANDS = ("web_search", "web_search_preview", "web_search_preview_2025_03_11", "web_search_2025_08_26")
"""Types of tool that stand for `openrouter:web_search` on chat and responses."""

# Anthropic's own tools carry a date (`bash_20250124`); the search tools may come without it.
_VERSIONED = re.compile(r".+_20\d{6}|tool_search_tool_(bm25|regex)")
_RESPONSES_ONLY = frozenset(
    {
        *SHORTHANDS,
        *("custom", "namespace", "file_search", "computer_use_preview", "code_interpreter", "mcp"),
        *("image_generation", "local_shell", "shell", "apply_patch"),
    }
)
_NATIVE_CALLS: dict[Dialect, frozenset[CallKind]] = {
    "chat": frozenset({"function"}),
    "messages": frozenset({"function"}),
    "responses": frozenset({"function", "custom", "local_shell", "shell", "apply_patch"}),
}
_ROOM_FOR_A_NUMBER = 58
# How a protocol's own providers are to handle a function; elsewhere it is one like any other.
_OWN_WORDS = frozenset({"defer_loading", "allowed_callers", "eager_input_streaming", "input_examples"})
_STRICT_FALSE = Raw(b"false")


class Function(NamedTuple):
    """A function, whichever protocol wrote it: its name, and its members under chat's names; the rest beside it."""

    name: str
    inside: Body
    beside: Body


class Toolset(NamedTuple):
    """What goes upstream of a list of tools.

    `left_out` are the positions of tools that cannot be said, with the tools; `unsaid` pointers below `/tools` to
    members of others that cannot.
    """

    tools: list[Raw]
    names: ToolNames
    left_out: list[tuple[int, Body]]
    unsaid: list[str]


def toolset(tools: Iterable[tuple[int, Raw]], dialect: Dialect, *, server_tools: bool, cache_marks: bool) -> Toolset:
    """Tools, each with its position in the merged list, in a dialect's words.

    `server_tools`: the provider takes `openrouter:*` itself. `cache_marks`: it takes `cache_control` beside a function.
    """
    writer = _Writer(dialect, server_tools=server_tools, cache_marks=cache_marks)
    for position, tool in tools:
        writer.add(position, tool)
    return writer.done()


def allowed(tools: Raw, choice: Raw | None) -> list[tuple[int, Raw]]:
    """The tools that a choice of the kind `allowed_tools` leaves, with their positions; all without such a choice."""
    numbered = list(enumerate(as_array(tools)))
    told = as_object(choice)
    if as_text(told.get("type")) != "allowed_tools":
        return numbered
    inner = as_object(told.get("allowed_tools")) or told
    wanted = [members(entry) for entry in as_array(inner.get("tools"))]
    return [(at, tool) for at, tool in numbered if any(names(one, members(tool)) for one in wanted)]


def functions_in_form(tools: Raw, form: Dialect) -> Raw:
    """The list with every plain function in the form of a protocol; what is none stays as it is."""
    entries = as_array(tools)
    written = [_in_form(tool, form) for tool in entries]
    if all(new is old for new, old in zip(written, entries, strict=True)):
        return tools
    return raw(written)


def _in_form(tool: Raw, form: Dialect) -> Raw:
    told = members(tool)
    function = read_function(told)
    if function is None or _form(told) == form:
        return tool
    if form == "chat" and function.name != function_name(Named(function.name)):
        return tool  # chat has no such name; how it is called upstream is decided there
    return write_function(function, form)


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
        self._left_out: list[tuple[int, Body]] = []
        self._unsaid: list[str] = []

    def add(self, position: int, tool: Raw) -> None:
        told = members(tool)
        if self._is_native(told):
            self._sent.append(tool)
        elif as_text(told.get("type")) == "namespace" and self._dialect != "responses":
            self._add_namespace(position, told)
        elif not self._add_function(told, f"/tools/{position}", None):
            self._left_out.append((position, told))

    def done(self) -> Toolset:
        names = ToolNames(
            self._names, self._taken, _NATIVE_CALLS[self._dialect], namespaces=self._dialect == "responses"
        )
        return Toolset(self._sent, names, self._left_out, self._unsaid)

    def _is_native(self, tool: Body) -> bool:
        """Whether the dialect, or this provider, has the tool as it is."""
        kind = as_text(tool.get("type")) or ""
        if kind.startswith("openrouter:"):
            return self._server_tools
        if read_function(tool) is not None:
            return _form(tool) == self._dialect
        match self._dialect:
            case "chat":
                return (kind == "custom" and "custom" in tool) or (kind in SHORTHANDS and self._server_tools)
            case "messages":
                return kind not in _RESPONSES_ONLY and "custom" not in tool
            case "responses":
                return not _VERSIONED.fullmatch(kind) and not (kind == "custom" and "custom" in tool)

    def _add_namespace(self, position: int, namespace: Body) -> None:
        name = as_text(namespace.get("name"))
        for at, tool in enumerate(as_array(namespace.get("tools"))):
            told = members(tool)
            if not self._add_function(told, f"/tools/{position}/tools/{at}", name):
                self._unsaid.append(f"/tools/{position}/tools/{at}")

    def _add_function(self, tool: Body, pointer: str, namespace: str | None) -> bool:
        """Say a tool as a function; False when it is none, and nothing like one."""
        kind, function = call_kind(tool), read_function(tool) or known_function(tool)
        if kind == "custom" and self._dialect == "responses":
            self._sent.append(Raw(join({"type": raw("custom"), **as_object(tool.get("custom"))})))
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


# --- functions in three forms --------------------------------------------------------------------------------

_INSIDE = {
    "name": "name",
    "description": "description",
    "parameters": "parameters",
    "input_schema": "parameters",
    "strict": "strict",
}
"""Member of a function of messages or responses to its name inside chat's `function`."""


def _form(tool: Body) -> Dialect:
    if "function" in tool:
        return "chat"
    return "messages" if "input_schema" in tool else "responses"


def read_function(tool: Body) -> Function | None:
    """A plain function of any of the three protocols; None for any other tool."""
    kind = as_text(tool.get("type")) or ""
    if kind == "function" and "function" in tool:
        inside = as_object(tool["function"])
        beside = {name: content for name, content in tool.items() if name not in ("type", "function")}
        return Function(as_text(inside.get("name")) or "", inside, beside)
    if not (kind == "function" or (kind in ("", "custom") and "input_schema" in tool)):
        return None
    inside: Body = {}
    beside: Body = {}
    for name, content in tool.items():
        if name == "type" or is_null(content):  # a null says nothing here
            continue
        if word := _INSIDE.get(name):
            inside[word] = content
        else:
            beside[name] = content
    return Function(as_text(tool.get("name")) or "", inside, beside)


def write_function(function: Function, form: Dialect) -> Raw:
    """A function in the form of a protocol."""
    inside, beside = function.inside, function.beside
    match form:
        case "chat":
            return Raw(join({"type": raw("function"), "function": Raw(join(inside)), **beside}))
        case "messages":
            words = {"parameters": "input_schema"}
            told = {words.get(name, name): content for name, content in inside.items() if name != "strict"}
            told.setdefault("input_schema", Raw(b'{"type":"object","properties":{}}'))
            return Raw(join({**told, **beside}))
        case "responses":
            told = dict(inside)
            told.setdefault("parameters", NULL)
            # A function of responses is strict unless it says otherwise; one of the other two is not.
            told.setdefault("strict", _STRICT_FALSE)
            return Raw(join({"type": raw("function"), **told, **beside}))


def call_kind(tool: Body) -> CallKind | None:
    """What a call of this tool is, in the responses protocol's kinds; None for what no client can be called for."""
    kind = as_text(tool.get("type")) or ""
    if read_function(tool) is not None or known_function(tool) is not None:
        match kind:
            case "custom" if "input_schema" not in tool:
                return "custom"
            case "local_shell" | "shell" | "apply_patch":
                return kind
            case _:
                return "function"
    return None


def known_function(tool: Body) -> Function | None:
    """The function that stands for a client's tool which has no schema of its own; None for any other."""
    kind = as_text(tool.get("type")) or ""
    if kind == "custom" and "input_schema" not in tool:
        told = as_object(tool.get("custom")) or tool
        name = as_text(told.get("name")) or ""
        inside: Body = {"name": raw(name), "description": _described(told), "parameters": KNOWN_TOOLS["custom"].schema}
        return Function(name, inside, {})
    for prefix, known in KNOWN_TOOLS.items():
        if kind == prefix or (known.versioned and kind.startswith(prefix + "_")):
            name = as_text(tool.get("name")) or prefix
            return Function(
                name, {"name": raw(name), "description": raw(known.description), "parameters": known.schema}, {}
            )
    return None


def _described(custom: Body) -> Raw:
    """The description of a tool that takes free text, with what its format says of that text."""
    description = as_text(custom.get("description")) or ""
    grammar = as_object(custom.get("format"))
    grammar = as_object(grammar.get("grammar")) or grammar
    definition = as_text(grammar.get("definition"))
    if definition:
        syntax = as_text(grammar.get("syntax")) or "given"
        description += f"\n\nThe input must follow this {syntax} grammar:\n{definition}"
    return raw(description.strip())


# --- what must be called -------------------------------------------------------------------------------------


def refuse_forced(choice: Raw | None, left_out: list[Body], *, none_left: bool) -> None:
    """A tool that must be called and cannot be said is an error, never an answer without it.

    `choice` is a canonical `tool_choice`. Raises: `RequestError`.
    """
    named = as_object(choice)
    forced = next((tool for tool in left_out if named and names(named, tool)), None)
    if as_text(choice) == "required" and none_left and left_out:
        forced = left_out[0]
    if forced is not None:
        raise RequestError(
            "invalid_request",
            f"tool_choice: forces the tool {tool_name(forced)}, which is not supported here",
            metadata={"reason": "unsupported"},
        )


def names(choice: Body, tool: Body) -> bool:
    """Whether a `tool_choice` that names a tool, in chat's or responses' words, means this one."""
    kind, other = as_text(choice.get("type")), as_text(tool.get("type"))
    if kind in ("function", "custom"):
        name = as_text(as_object(choice.get(kind)).get("name")) or as_text(choice.get("name"))
        return name == tool_name(tool)
    searches = (*SHORTHANDS, "openrouter:web_search")
    return kind == other or (kind in searches and other in searches)


def tool_name(tool: Body) -> str:
    """What a tool is called: by its name, else its type."""
    inner = as_object(tool.get("function")) or as_object(tool.get("custom")) or tool
    return as_text(inner.get("name")) or as_text(tool.get("type")) or ""
