"""The items of a model's calls, of every kind that the protocol has.

Source: the tool call items of the Responses reference, read 2026-11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Raw

from setpoint.canonical.parts import ToolCall
from setpoint.errors import FieldError
from setpoint.protocols.names import arguments_object, arguments_text
from setpoint.protocols.responses.texts import string_member
from setpoint.wire.body import NULL, Body, as_object, as_text, is_object, join, raw, value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from setpoint.canonical.parts import CallKind

_EXEC = Raw(b'"exec"')


class CallItem(NamedTuple):
    """How calls of one kind are written: the type of the item and of its output, and the member that says what to do.

    `needs` are the members without which that is no action or operation, with what each of them must look like.
    """

    type: str
    prefix: str
    member: str
    needs: tuple[tuple[str, bytes], ...] = ()

    @property
    def output(self) -> str:
        """The type of the item that answers such a call."""
        return f"{self.type}_output"


CALLS: dict[CallKind, CallItem] = {
    "function": CallItem("function_call", "fc_", "arguments"),
    "custom": CallItem("custom_tool_call", "ctc_", "input"),
    "local_shell": CallItem("local_shell_call", "lsh_", "action", (("command", b"["),)),
    "shell": CallItem("shell_call", "sh_", "action", (("commands", b"["),)),
    "apply_patch": CallItem("apply_patch_call", "apc_", "operation", (("type", b'"'), ("path", b'"'))),
}
"""Kind of call to its item."""

KINDS: dict[str, CallKind] = {item.type: kind for kind, item in CALLS.items()}
"""Type of an item to the kind of call that it is."""

_NAMED: frozenset[CallKind] = frozenset({"function", "custom"})


def write_call(call: ToolCall, item_id: str | None, status: str | None) -> Body:
    """The item of a call. One that tells no action or operation of its kind is written as a function's."""
    kind, action = _as_written(call)
    item: Body = {"type": raw(CALLS[kind].type)}
    if item_id is not None:
        item["id"] = raw(item_id)
    item["call_id"] = raw(call.id)
    if kind in _NAMED:
        item["name"] = raw(call.name)
    item[CALLS[kind].member] = action
    if call.namespace is not None:
        item["namespace"] = raw(call.namespace)
    if status is not None:
        # A patch is never `incomplete`: it is in progress for as long as it is not complete.
        item["status"] = raw("in_progress" if kind == "apply_patch" and status != "completed" else status)
    return item


def item_of(call: ToolCall) -> CallItem:
    """How a whole call is written."""
    return CALLS[_as_written(call)[0]]


def _as_written(call: ToolCall) -> tuple[CallKind, Raw]:
    """The kind that a call is written as, and what it says is to be done."""
    action = _write_action(call)
    return ("function", call.arguments) if action is None else (call.kind, action)


def _write_action(call: ToolCall) -> Raw | None:
    """What a call says is to be done, in the shape of its kind; None when it has another."""
    if call.kind in _NAMED:
        return call.arguments
    told = as_object(arguments_object(call.arguments))
    for name, opening in CALLS[call.kind].needs:
        if not bytes(told.get(name, NULL)).startswith(opening):
            return None
    match call.kind:
        case "local_shell":
            told = {"type": _EXEC, "env": Raw(b"{}"), **told}
        case "shell":
            told = {"timeout_ms": NULL, "max_output_length": NULL, **told}
        case _:
            pass
    return Raw(join(told))


def read_call(item: Body, kind: CallKind, path: str) -> ToolCall:
    """The call of an item. Raises: `FieldError` naming the member that has another shape."""
    member = CALLS[kind].member
    if kind in _NAMED:
        # Some upstreams write the arguments of a function as the object that they are.
        given = item.get(member, NULL)
        name = str(value(string_member(item, "name", path)))
        arguments = arguments_text(given) if is_object(given) else string_member(item, member, path)
    else:
        action = item.get(member, NULL)
        if not is_object(action):
            raise FieldError(f"{path}.{member}", "must be an object")
        told = as_object(action)
        if told.get("type") == _EXEC:  # says nothing, and stands in no schema of a function
            del told["type"]
        name, arguments = kind, arguments_text(Raw(join(told)))
    return ToolCall(
        id=str(value(string_member(item, "call_id", path))),
        name=name,
        arguments=arguments,
        kind=kind,
        namespace=as_text(item.get("namespace")),
        item_id=as_text(item.get("id")),
        path=path,
    )


def answered_calls(listed: Iterable[Body]) -> frozenset[str]:
    """The ids of the calls whose output stands among these items."""
    outputs = (item for item in listed if (as_text(item.get("type")) or "").endswith("_call_output"))
    return frozenset(id_ for item in outputs if (id_ := as_text(item.get("call_id"))) is not None)
