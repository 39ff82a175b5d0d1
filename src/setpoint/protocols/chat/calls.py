"""Tool calls in a chat message, both ways."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from msgspec import Raw, structs

from setpoint.canonical.parts import ToolCall
from setpoint.errors import FieldError
from setpoint.protocols.chat.content import cache_mark, object_in, string_in, unsayable
from setpoint.protocols.names import Named, arguments_text, function_name
from setpoint.wire.body import (
    Body,
    as_array,
    as_object,
    as_text,
    is_null,
    is_object,
    is_string,
    join,
    join_strings,
    members,
    raw,
    value,
)

if TYPE_CHECKING:
    from setpoint.canonical.parts import CallKind

_EMPTY = Raw(b'""')


def read_arguments(content: Raw | None) -> Raw:
    """Arguments as the raw JSON string that they should be; some write the object itself."""
    if content is None or is_null(content):
        return _EMPTY
    return content if is_string(content) else arguments_text(content)


def read_tool_call(data: Raw, path: str) -> ToolCall:
    """One call in a message of the conversation.

    Raises: `FieldError` naming the member that is wrong, or the call when no other protocol has a word for its kind.
    """
    if not is_object(data):
        raise FieldError(path, "must be an object")
    call = members(data)
    kind = as_text(call.get("type")) or "function"
    if kind not in ("function", "custom"):
        raise unsayable(path, kind)
    id_, told = value(string_in(call, "id", path)), object_in(call, kind, path)
    name = value(string_in(told, "name", f"{path}.{kind}"))
    cache = cache_mark(call)
    if kind == "custom":
        text = string_in(told, "input", f"{path}.custom")
        return ToolCall(id=id_, name=name, arguments=text, kind="custom", cache=cache, path=path)
    return ToolCall(id=id_, name=name, arguments=read_arguments(told.get("arguments")), cache=cache, path=path)


def write_tool_call(call: ToolCall, id_: str) -> Body:
    """A call with this id: a function's unless it is of chat's own custom kind. A namespace is put before its name."""
    kind = written_kind(call.kind)
    name = function_name(Named(call.name, call.kind, call.namespace)) if call.namespace else call.name
    told: Body = {"name": raw(name), **write_arguments(kind, call.arguments)}
    return {"id": raw(id_), "type": raw(kind), kind: Raw(join(told))}


def written_kind(kind: CallKind) -> str:
    """The type that a call has in chat."""
    return "custom" if kind == "custom" else "function"


def write_arguments(kind: str, arguments: Raw) -> Body:
    """The member that holds a call's arguments, or a piece of them."""
    return {"input" if kind == "custom" else "arguments": arguments}


# --- free text as a function's arguments ---------------------------------------------------------------------

FREE_TEXT_BEGIN, FREE_TEXT_END = arguments_text(Raw(b'{"input":"')), arguments_text(Raw(b'"}'))
"""What stands around the free text of a custom tool where it is the one argument of a function."""


class CustomTools:
    """The tools that a request lists in chat's own custom form. Its list is read for the first call that asks for it.

    A preset that was made in the responses protocol brings others: clients of chat know those only as functions.
    """

    def __init__(self, request: Body) -> None:
        self._request = request

    @cached_property
    def _names(self) -> frozenset[str | None]:
        tools = [as_object(tool) for tool in as_array(self._request.get("tools"))]
        return frozenset(as_text(as_object(tool.get("custom")).get("name")) for tool in tools)

    def lack(self, call: ToolCall) -> bool:
        """Whether a call takes free text, and the request lists tools, but none of that name in this form."""
        if call.kind != "custom" or not self._names:
            return False
        return call.namespace is not None or call.name not in self._names


def as_function(call: ToolCall) -> ToolCall:
    """A whole call that takes free text, as a function's."""
    arguments = join_strings([FREE_TEXT_BEGIN, free_text(call.arguments), FREE_TEXT_END])
    return structs.replace(call, kind="function", arguments=arguments)


def free_text(text: Raw) -> Raw:
    """A piece of free text as a piece of such arguments."""
    return arguments_text(Raw(bytes(text)[1:-1]))
