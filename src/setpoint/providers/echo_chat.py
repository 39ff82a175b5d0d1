"""The offline model in the chat dialect: what it understands of a request, and how its answer is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Raw, Struct

from setpoint.errors import FieldError
from setpoint.providers.echo_model import (
    Asked,
    Said,
    Tool,
    first_callable,
    named_callable,
    output_limit,
    parameters,
    shown,
    stop_sequences,
)
from setpoint.providers.least import ANY_OBJECT
from setpoint.wire.body import (
    Body,
    as_array,
    as_object,
    as_text,
    is_array,
    is_null,
    is_object,
    is_string,
    items,
    members,
    raw,
    value,
)
from setpoint.wire.sse import DONE, data_frame

if TYPE_CHECKING:
    from setpoint.providers.echo_model import Answer

_HIDDEN = frozenset({"messages", "model", "stream", "stream_options", "tools"})
_LIMITS = ("max_tokens", "max_completion_tokens")
_TRUE = Raw(b"true")


# --- what reached it -----------------------------------------------------------------------------------------


def read(request: Body) -> Asked:
    """A request as the model understands it. Raises: `FieldError`."""
    said = _conversation(request)
    tools = _tools(request)
    stops = stop_sequences(request.get("stop"), "stop")
    return Asked(
        said=said,
        parameters=parameters(request, _HIDDEN, "stop", stops),
        tools=tools,
        stops=stops,
        limit=output_limit(request, *_LIMITS),
        called=_called(request, tools),
        form=as_object(request.get("response_format")),
    )


def _conversation(request: Body) -> list[Said]:
    messages = request.get("messages")
    if messages is None:
        raise FieldError("messages", "is required")
    entries = as_array(messages)
    if not entries:
        raise FieldError("messages", "must be a list with at least one message")
    return [_message(entry, at) for at, entry in enumerate(entries)]


def _message(entry: Raw, at: int) -> Said:
    message = as_object(entry)
    role = as_text(message.get("role"))
    if role is None:
        raise FieldError(f"messages[{at}].role", "must be a string")
    content = message.get("content")
    if content is None or is_null(content):
        return Said(role, "")
    if is_string(content):
        return Said(role, value(content))
    if is_array(content):
        return Said(role, shown(items(content)))
    raise FieldError(f"messages[{at}].content", "must be a string or a list of parts")


def _tools(request: Body) -> dict[str, Tool]:
    """The tools by name; what is no function goes by its type."""
    tools: dict[str, Tool] = {}
    for tool in map(as_object, as_array(request.get("tools"))):
        function = as_object(tool.get("function"))
        if name := as_text(function.get("name")):
            takes = function.get("parameters", ANY_OBJECT)
            tools[name] = Tool(name=name, schema=takes if is_object(takes) else ANY_OBJECT)
        else:
            kind = as_text(tool.get("type")) or "?"
            tools[kind] = Tool(name=kind)
    return tools


def _called(request: Body, tools: dict[str, Tool]) -> Tool | None:
    """The function that `tool_choice` makes the model call, None when it leaves the choice to the model."""
    choice = request.get("tool_choice")
    if choice is not None and is_object(choice):
        return named_callable(tools.values(), as_text(as_object(members(choice).get("function")).get("name")))
    return first_callable(tools.values()) if as_text(choice) == "required" else None


# --- how it is written ---------------------------------------------------------------------------------------


class Envelope(Struct, frozen=True, kw_only=True):
    """What is the same in a whole answer and in every chunk of a stream; `digest` is that of the request."""

    digest: str
    created: int
    model: str

    @property
    def call_id(self) -> str:
        """The id of the call that an answer may make."""
        return f"call_{self.digest[24:48]}"

    def write(self, kind: str, choices: list[dict[str, Any]], **more: Any) -> bytes:
        """An object of the protocol, as JSON."""
        head = {"id": f"chatcmpl-{self.digest[:24]}", "object": kind, "created": self.created, "model": self.model}
        return bytes(raw({**head, "choices": choices, **more}))

    def chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        """One event of a stream."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return data_frame(self.write("chat.completion.chunk", [choice]))


def whole(answer: Answer, envelope: Envelope) -> bytes:
    """The answer as one JSON object."""
    said = "".join(answer.pieces)
    message: dict[str, Any] = {"role": "assistant", "content": said, "refusal": None}
    if answer.called is not None:
        function = {"name": answer.called.name, "arguments": said}
        message["content"] = None
        message["tool_calls"] = [{"id": envelope.call_id, "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish}
    return envelope.write("chat.completion", [choice], usage=_usage(answer))


def frames(answer: Answer, envelope: Envelope, request: Body) -> tuple[bytes, ...]:
    """The answer as events, each of which can be sent by itself."""
    told: list[bytes] = []
    if answer.called is None:
        told.append(envelope.chunk({"role": "assistant", "content": ""}))
        told += [envelope.chunk({"content": piece}) for piece in answer.pieces]
    else:
        function = {"name": answer.called.name, "arguments": ""}
        call = {"index": 0, "id": envelope.call_id, "type": "function", "function": function}
        told.append(envelope.chunk({"role": "assistant", "content": None, "tool_calls": [call]}))
        for piece in answer.pieces:
            told.append(envelope.chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}))
    told.append(envelope.chunk({}, answer.finish))
    if as_object(request.get("stream_options")).get("include_usage") == _TRUE:
        told.append(data_frame(envelope.write("chat.completion.chunk", [], usage=_usage(answer))))
    return (*told, DONE)


def _usage(answer: Answer) -> dict[str, int]:
    counts = {"prompt_tokens": answer.input_tokens, "completion_tokens": answer.output_tokens}
    return {**counts, "total_tokens": sum(counts.values())}
