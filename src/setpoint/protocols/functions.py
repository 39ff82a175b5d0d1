"""A function in the forms of the three protocols, and the client's tools that stand for one without a schema of theirs.

A tool stays the bytes that came as long as nobody needs it in another form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Raw

from setpoint.protocols.known_tools import KNOWN_TOOLS
from setpoint.protocols.names import Named, function_name
from setpoint.wire.body import NULL, Body, as_array, as_object, as_text, is_null, join, members, raw

if TYPE_CHECKING:
    from setpoint.canonical.parts import CallKind
    from setpoint.records import Dialect

_STRICT_FALSE = Raw(b"false")


class Function(NamedTuple):
    """A function, whichever protocol wrote it: its name, and its members under chat's names; the rest beside it."""

    name: str
    inside: Body
    beside: Body


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
    if function is None or form_of(told) == form:
        return tool
    if form == "chat" and function.name != function_name(Named(function.name)):
        return tool  # chat has no such name; how it is called upstream is decided there
    return write_function(function, form)


_INSIDE = {
    "name": "name",
    "description": "description",
    "parameters": "parameters",
    "input_schema": "parameters",
    "strict": "strict",
}
"""Member of a function of messages or responses to its name inside chat's `function`."""


def form_of(tool: Body) -> Dialect:
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
            told["input_schema"] = _object_schema(told.get("input_schema"))
            return Raw(join({**told, **beside}))
        case "responses":
            told = dict(inside)
            told.setdefault("parameters", NULL)
            # A function of responses is strict unless it says otherwise; one of the other two is not.
            told.setdefault("strict", _STRICT_FALSE)
            return Raw(join({"type": raw("function"), **told, **beside}))


def _object_schema(schema: Raw | None) -> Raw:
    """A schema as messages wants it, which says that it is an object's."""
    told = as_object(schema)
    if "type" in told and schema is not None:
        return schema
    return Raw(join({"type": raw("object"), **({"properties": Raw(b"{}")} if not told else {}), **told}))


def flat_custom(tool: Body) -> Raw:
    """A tool of chat that takes free text in the form of responses, which has neither of chat's two inner levels."""
    inner = as_object(tool.get("custom"))
    form = as_object(inner.get("format"))
    if grammar := as_object(form.get("grammar")):
        inner["format"] = Raw(join({"type": raw("grammar"), **grammar}))
    return Raw(join({"type": raw("custom"), **inner}))


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
