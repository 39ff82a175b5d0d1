"""The offline model `setpoint/echo`: what a chat request gets for an answer when no provider and no key is at hand.

A pure function of the body. It asks neither clock nor dice, so the same body always gets the same bytes, and its
text shows what reached it, a line for each thing:

    system: You triage parcels.          each system or developer message
    max_tokens: 40                       each parameter, by name, with its raw value
    stop: 1 sequence                     the stop sequences are counted: showing one would end the text right there
    temperature: 0.20
    tools: search, book                  the tools' names (the type of what is no function)
    user: Where is my parcel?            the last user message
    tool: {"status":"on its way"}        each tool result behind it

`messages`, `model`, `stream` and `stream_options` are no parameters here: streamed or not, the text is the same. A
line is cut after 2,000 characters, and of one kind no more than 64 lines are shown; both say so. With a
`response_format` of `json_object` the text is `{"text": <the lines>}`, with `json_schema` the least JSON that has the
schema's shape. The model calls a tool only when `tool_choice` is `required` (the first function) or names one.

Tokens are pieces: at most 16 characters without white space, and the white space before them, so that an English
word is one piece; the arguments of a tool call come in pieces of 8 characters. The model's own limit is 8,192 pieces.
"""

from __future__ import annotations

import hashlib
import re
from itertools import islice
from typing import Any, Literal

from msgspec import Raw, Struct

from setpoint.canonical.usage import estimated_tokens
from setpoint.errors import FieldError
from setpoint.providers.least import ANY_OBJECT, least
from setpoint.wire.body import (
    Body,
    MalformedError,
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
    split,
    value,
)
from setpoint.wire.sse import DONE, data_frame

MAX_PIECES = 8_192
MAX_LINE_CHARS = 2_000
MAX_LINES = 64

_PIECE = re.compile(r"\s{0,16}\S{1,16}|\s{1,16}")
_NO_PARAMETERS = frozenset({"messages", "model", "stream", "stream_options", "tools"})
_TRUE = Raw(b"true")
_LIMITS = ("max_tokens", "max_completion_tokens")


class EchoReply(Struct, frozen=True, kw_only=True):
    """A whole answer in `body`, or a streamed one in `frames`, each of which can be sent (and paced) by itself.

    A status other than 200 has an error in the provider's own form in `body`, streamed or not.
    """

    status: int = 200
    body: bytes = b""
    frames: tuple[bytes, ...] = ()


def reply(body: bytes, *, created: int) -> EchoReply:
    """What the model says to one chat request. `created` is the time it states, in Unix seconds."""
    try:
        request = split(body)
        answer = _answer(request)
    except MalformedError as error:
        return _refusal(str(error), None)
    except FieldError as error:
        return _refusal(error.message, error.path)
    digest = hashlib.sha256(body).hexdigest()
    frame = _Envelope(id=f"chatcmpl-{digest[:24]}", created=created, model=as_text(request.get("model")) or "echo")
    call_id = f"call_{digest[24:48]}"
    if request.get("stream") == _TRUE:
        return EchoReply(frames=_frames(frame, answer, call_id, with_usage=_wants_usage(request)))
    return EchoReply(body=_whole(frame, answer, call_id))


# --- what the model says -------------------------------------------------------------------------------------


class _Message(Struct, frozen=True):
    role: str
    text: str


class _Answer(Struct, frozen=True, kw_only=True):
    """The answer in pieces: of the text, or of the arguments when `function` names the one that is called."""

    pieces: tuple[str, ...]
    finish: Literal["stop", "length", "tool_calls"]
    function: str | None
    prompt_tokens: int

    @property
    def usage(self) -> dict[str, int]:
        count = len(self.pieces)
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": count,
            "total_tokens": self.prompt_tokens + count,
        }


def _answer(request: Body) -> _Answer:
    conversation = _conversation(request)
    tools = _tools(request)
    stops = _stops(request)
    limit = _limit(request)
    prompt_tokens = estimated_tokens(sum(len(said.text.encode("utf-8", "surrogatepass")) for said in conversation))
    called = _called(request, tools)
    if called is not None:
        pieces = _fragments(least(tools[called] or ANY_OBJECT))
    else:
        text = _as_asked(request, _text(request, conversation, list(tools), len(stops)))
        pieces = _words(_before(stops, text))
    whole = len(pieces) <= limit
    finish = "length" if not whole else "tool_calls" if called is not None else "stop"
    return _Answer(pieces=pieces[:limit], finish=finish, function=called, prompt_tokens=prompt_tokens)


def _text(request: Body, conversation: list[_Message], tools: list[str], stops: int) -> str:
    """The lines that show what reached the model."""
    shown = {name: _plain(content) for name, content in request.items() if name not in _NO_PARAMETERS}
    if stops:
        shown["stop"] = f"{stops} sequence{'s' if stops > 1 else ''}"
    last_user = max((at for at, said in enumerate(conversation) if said.role == "user"), default=len(conversation))
    lines = _some([_line("system", said.text) for said in conversation if said.role in ("system", "developer")])
    lines += _some([_line(name, shown[name]) for name in sorted(shown)])
    if tools:
        lines.append(_line("tools", ", ".join(tools)))
    lines += [_line("user", said.text) for said in conversation[last_user : last_user + 1]]
    lines += _some([_line("tool", said.text) for said in conversation[last_user:] if said.role == "tool"])
    return "\n".join(lines)


def _line(name: str, content: str) -> str:
    more = len(content) - MAX_LINE_CHARS
    return f"{name}: {content}" if more <= 0 else f"{name}: {content[:MAX_LINE_CHARS]} … ({more} more characters)"


def _some(lines: list[str]) -> list[str]:
    more = len(lines) - MAX_LINES
    return lines if more <= 0 else [*lines[:MAX_LINES], f"… ({more} more)"]


def _as_asked(request: Body, text: str) -> str:
    """The text in the form that `response_format` asks for."""
    form = as_object(request.get("response_format"))
    match as_text(form.get("type")):
        case "json_object":
            return _plain(raw({"text": text}))
        case "json_schema":
            return least(as_object(form.get("json_schema")).get("schema", ANY_OBJECT))
        case _:
            return text


def _before(stops: list[str], text: str) -> str:
    return text[: min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))]


def _words(text: str) -> tuple[str, ...]:
    """The text in pieces, one more than the model's own limit at most."""
    return tuple(match.group() for match in islice(_PIECE.finditer(text), MAX_PIECES + 1))


def _fragments(arguments: str) -> tuple[str, ...]:
    """The arguments in pieces of 8 characters, in two at the least, so that a client has something to join."""
    step = max(1, min(8, len(arguments) // 2))
    return tuple(arguments[at : at + step] for at in range(0, min(len(arguments), step * (MAX_PIECES + 1)), step))


# --- what reached it -----------------------------------------------------------------------------------------


def _conversation(request: Body) -> list[_Message]:
    messages = request.get("messages")
    if messages is None:
        raise FieldError("messages", "is required")
    entries = as_array(messages)
    if not entries:
        raise FieldError("messages", "must be a list with at least one message")
    return [_message(entry, at) for at, entry in enumerate(entries)]


def _message(entry: Raw, at: int) -> _Message:
    message = as_object(entry)
    role = as_text(message.get("role"))
    if role is None:
        raise FieldError(f"messages[{at}].role", "must be a string")
    content = message.get("content")
    if content is None or is_null(content):
        return _Message(role, "")
    if is_string(content):
        return _Message(role, value(content))
    if is_array(content):
        # With a space between them, halves of a surrogate pair in two parts can never become one character.
        return _Message(role, " ".join(_part(part) for part in items(content)))
    raise FieldError(f"messages[{at}].content", "must be a string or a list of parts")


def _part(part: Raw) -> str:
    """The text of a content part, or its type in brackets when it has none."""
    content = as_object(part)
    text = as_text(content.get("text"))
    return text if text is not None else f"[{as_text(content.get('type')) or 'part'}]"


def _tools(request: Body) -> dict[str, Raw | None]:
    """The tools by name, with the schema of what a function takes; of what is no function the type, and None."""
    tools: dict[str, Raw | None] = {}
    for tool in map(as_object, as_array(request.get("tools"))):
        function = as_object(tool.get("function"))
        if name := as_text(function.get("name")):
            takes = function.get("parameters", ANY_OBJECT)
            tools[name] = takes if is_object(takes) else ANY_OBJECT
        else:
            tools[as_text(tool.get("type")) or "?"] = None
    return tools


def _called(request: Body, tools: dict[str, Raw | None]) -> str | None:
    """The function that `tool_choice` makes the model call, None when it leaves the choice to the model."""
    choice = request.get("tool_choice")
    callable_ = [name for name, takes in tools.items() if takes is not None]
    if choice is not None and is_object(choice):
        name = as_text(as_object(members(choice).get("function")).get("name"))
        if name not in callable_:
            raise FieldError("tool_choice", "names no function of tools")
        return name
    if as_text(choice) != "required":
        return None
    if not callable_:
        raise FieldError("tool_choice", "is required, but there is no function in tools")
    return callable_[0]


def _stops(request: Body) -> list[str]:
    stop = request.get("stop")
    if stop is None or is_null(stop):
        return []
    sequences = [as_text(entry) for entry in (items(stop) if is_array(stop) else [stop])]
    if not all(sequences):
        raise FieldError("stop", "must be a string or a list of strings, none of them empty")
    return [sequence for sequence in sequences if sequence]


def _limit(request: Body) -> int:
    """How many pieces the answer may have."""
    limit = MAX_PIECES
    for name in _LIMITS:
        asked = request.get(name)
        if asked is None or is_null(asked):
            continue
        count = value(asked)
        if type(count) is not int or count < 1:
            raise FieldError(name, "must be a whole number of at least 1")
        limit = min(limit, count)
    return limit


def _wants_usage(request: Body) -> bool:
    return as_object(request.get("stream_options")).get("include_usage") == _TRUE


def _plain(content: Raw) -> str:
    return bytes(content).decode()


# --- how it is written ---------------------------------------------------------------------------------------


class _Envelope(Struct, frozen=True, kw_only=True):
    """What is the same in a whole answer and in every chunk of a stream."""

    id: str
    created: int
    model: str

    def write(self, kind: str, choices: list[dict[str, Any]], **more: Any) -> bytes:
        head = {"id": self.id, "object": kind, "created": self.created, "model": self.model}
        return bytes(raw({**head, "choices": choices, **more}))

    def chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return data_frame(self.write("chat.completion.chunk", [choice]))


def _whole(envelope: _Envelope, answer: _Answer, call_id: str) -> bytes:
    said = "".join(answer.pieces)
    message: dict[str, Any] = {"role": "assistant", "content": said, "refusal": None}
    if answer.function is not None:
        function = {"name": answer.function, "arguments": said}
        message["content"] = None
        message["tool_calls"] = [{"id": call_id, "type": "function", "function": function}]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish}
    return envelope.write("chat.completion", [choice], usage=answer.usage)


def _frames(envelope: _Envelope, answer: _Answer, call_id: str, *, with_usage: bool) -> tuple[bytes, ...]:
    frames: list[bytes] = []
    if answer.function is None:
        frames.append(envelope.chunk({"role": "assistant", "content": ""}))
        frames += [envelope.chunk({"content": piece}) for piece in answer.pieces]
    else:
        function = {"name": answer.function, "arguments": ""}
        call = {"index": 0, "id": call_id, "type": "function", "function": function}
        frames.append(envelope.chunk({"role": "assistant", "content": None, "tool_calls": [call]}))
        for piece in answer.pieces:
            frames.append(envelope.chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}))
    frames.append(envelope.chunk({}, answer.finish))
    if with_usage:
        frames.append(data_frame(envelope.write("chat.completion.chunk", [], usage=answer.usage)))
    return (*frames, DONE)


def _refusal(message: str, param: str | None) -> EchoReply:
    error = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
    return EchoReply(status=400, body=bytes(raw({"error": error})))
