"""Tool calls in a chat message, both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.canonical.parts import ToolCall
from setpoint.errors import FieldError
from setpoint.protocols.chat.content import cache_mark, object_in, string_in, unsayable
from setpoint.protocols.names import Named, arguments_text, function_name
from setpoint.wire.body import Body, as_text, is_null, is_object, is_string, join, members, raw, value

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
