"""What the tools of a request are called at an endpoint that cannot say them as they are, and the way back.

A tool of the responses protocol may stand in a namespace, take free text, or be the client's own shell; one of chat or
messages may have a name that the other does not take. Towards a dialect without such words each becomes a function.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Raw, Struct, structs

from setpoint.canonical.parts import CallKind, ToolCall
from setpoint.wire.body import MalformedError, as_text, is_object, is_string, raw, split, value

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")
_MOST_CHARACTERS = 64
_DIGEST_CHARACTERS = 8


class Named(Struct, frozen=True):
    """A tool as the client knows it."""

    name: str
    kind: CallKind = "function"
    namespace: str | None = None


_NO_TOOLS: Mapping[str, Named] = MappingProxyType({})
_NO_NAMES: Mapping[Named, str] = MappingProxyType({})


class ToolNames(Struct, frozen=True):
    """The tools of one attempt: name upstream to the client's tool, and back, for those that are called otherwise.

    `native` are the kinds of call that the dialect has words for itself; `namespaces`: it knows those, too.
    `native_tools` are tools that it has as they are, but which a client of another skin knows as functions of a name.
    """

    tools: Mapping[str, Named] = _NO_TOOLS
    sent_names: Mapping[Named, str] = _NO_NAMES
    native: frozenset[CallKind] = frozenset({"function"})
    namespaces: bool = False
    native_tools: Mapping[str, Named] = _NO_TOOLS

    def as_sent(self, call: ToolCall) -> ToolCall:
        """A call of the conversation as the upstream is told of it: a function's where it has no other word."""
        native = self.native_tools.get(call.name) if call.kind == "function" and call.namespace is None else None
        if native is not None:
            return _as_named(call, native)
        if call.kind in self.native and self.namespaces:
            return call
        named = Named(call.name, call.kind, call.namespace)
        name = self.sent_names.get(named) or function_name(named)
        if name == call.name and call.kind == "function":
            return call
        arguments = call.arguments
        if call.kind == "custom":
            arguments = _quoted(raw({"input": call.arguments}))
        return structs.replace(call, name=name, kind="function", namespace=None, arguments=arguments)

    def restored(self, call: ToolCall) -> ToolCall:
        """A whole call of the answer as the client knows the tool."""
        named = self.tools.get(call.name)
        if named is None or call.kind != "function":
            return call
        return _as_named(call, named)

    def native_choice(self, name: str) -> Raw | None:
        """The `tool_choice` of a tool that the dialect has as it is, by the client's name for it."""
        tool = self.native_tools.get(name)
        if tool is None:
            return None
        if tool.kind in ("function", "custom"):
            return raw({"type": tool.kind, "name": tool.name})
        return raw({"type": tool.kind})

    def is_whole_only(self, call: ToolCall) -> bool:
        """Whether the arguments of a call can be told to the client only once they are complete."""
        named = self.tools.get(call.name)
        return named is not None and named.kind != "function" and call.kind == "function"


def _as_named(call: ToolCall, tool: Named) -> ToolCall:
    """A function's call as one of this tool."""
    arguments = _free_text(call.arguments) if tool.kind == "custom" else call.arguments
    return structs.replace(call, name=tool.name, kind=tool.kind, namespace=tool.namespace, arguments=arguments)


def function_name(tool: Named) -> str:
    """A name that every dialect takes for this tool: its own where it can be, 1 to 64 of `A-Za-z0-9_-`."""
    whole = f"{tool.namespace}__{tool.name}" if tool.namespace else tool.name
    safe = _NOT_IN_NAMES.sub("_", whole)
    if safe == whole and 1 <= len(safe) <= _MOST_CHARACTERS:
        return safe
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{safe[: _MOST_CHARACTERS - _DIGEST_CHARACTERS - 1]}_{digest}"


def _quoted(data: Raw) -> Raw:
    """Raw JSON as a raw JSON string."""
    return raw(bytes(data).decode("utf-8", "surrogatepass"))


def _free_text(arguments: Raw) -> Raw:
    """The one string of a custom tool's arguments, a raw JSON string; what has another shape stays all there is."""
    try:
        text = str(value(arguments))
        body = split(text.encode("utf-8", "surrogatepass"))
    except (MalformedError, UnicodeEncodeError):
        return arguments
    given = body.get("input")
    return given if given is not None and is_string(given) else arguments


def arguments_object(arguments: Raw) -> Raw | None:
    """The arguments of a call as a raw JSON object; None when the text is no JSON object. No text at all is `{}`."""
    text = as_text(arguments) or ""
    if not text.strip():
        return Raw(b"{}")
    try:
        data = text.encode()
        split(data)
    except (MalformedError, UnicodeEncodeError):
        return None
    return Raw(data) if is_object(Raw(data.lstrip())) else None


def arguments_text(data: Raw) -> Raw:
    """A raw JSON object as the raw JSON string that the other protocols write arguments in."""
    return _quoted(data)
