"""What was said in an exchange, as it is kept: the conversation in its skin's words, and the answer put together."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Raw, Struct

from setpoint.canonical.fold import Fold
from setpoint.canonical.parts import Media, Reasoning, Refusal, Text, ToolCall
from setpoint.canonical.result import Result
from setpoint.errors import ProviderError, SetpointError
from setpoint.gateway.redaction import Redaction
from setpoint.protocols.answer import StreamFailedError
from setpoint.protocols.base import Room
from setpoint.protocols.payloads import without_payloads
from setpoint.records import Content
from setpoint.wire.body import NULL, Body, MalformedError, is_array, join, join_strings, raw, split
from setpoint.wire.sse import FrameReader, FrameTooLargeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from setpoint.records import Dialect

MOST_LOOKED_AT_BYTES = 16 << 20
"""A conversation that is longer is not even looked through for media, in bytes."""

MOST_KEPT_BYTES = 1 << 20
"""How long a conversation or an answer may be without its media, in bytes."""

_CONVERSATION: dict[Dialect, tuple[str, ...]] = {
    "chat": ("messages",),
    "messages": ("system", "messages"),
    "responses": ("instructions", "input"),
}


class Said(Struct, frozen=True, kw_only=True):
    """All of an exchange that its content is read from. `body` is the effective request, `pieces` what the client got.

    `cut`: the answer went on. `failures` are those of its tries, each with its provider's display name. `redaction`
    takes the caller's keys out of it.
    """

    id: str
    workspace_id: str
    created_at: datetime
    skin: Room
    body: Body
    stream: bool
    pieces: tuple[bytes, ...]
    cut: bool
    error: SetpointError | None
    failures: tuple[tuple[str, ProviderError], ...]
    provider: str | None
    redaction: Redaction


def transcript(said: Said) -> Content:
    """The content of an exchange, with no key of ours in it and nothing longer than may be kept."""
    redacted = said.redaction.json
    return Content(
        generation_id=said.id,
        workspace_id=said.workspace_id,
        created_at=said.created_at,
        input=redacted(_input(said)),
        output=redacted(_bounded(_output(said), _NO_OUTPUT)),
        error=redacted(_error(said.error, said)) if said.error is not None else None,
    )


def _input(said: Said) -> bytes:
    """The conversation: `prompt` or `messages`, and beside it what the skin has the system prompt in."""
    asked: Body = {}
    for name in _CONVERSATION[said.skin.name]:
        content = said.body.get(name, NULL)
        if content != NULL:
            asked[_word(name, content)] = content
    size = sum(len(memoryview(content)) for content in asked.values())
    if size > MOST_LOOKED_AT_BYTES:
        return _left_out(size, _NO_INPUT)
    return _bounded(without_payloads(join(asked), lambda length: b"[%d bytes]" % (length * 3 // 4)), _NO_INPUT)


def _word(name: str, content: Raw) -> str:
    if name != "input":
        return name
    return "messages" if is_array(content) else "prompt"


# What is left out, in the form of what is not: typed clients look for these members.
_NO_INPUT: Mapping[str, Any] = {"messages": ()}
_NO_OUTPUT: Mapping[str, Any] = {"completion": None, "reasoning": None}


def _bounded(content: bytes, nothing: Mapping[str, Any]) -> bytes:
    return content if len(content) <= MOST_KEPT_BYTES else _left_out(len(content), nothing)


def _left_out(size: int, nothing: Mapping[str, Any]) -> bytes:
    return bytes(raw({**nothing, "left_out_bytes": size}))


def _output(said: Said) -> bytes:
    """The answer: `completion` and `reasoning`, null where there was none, and `tool_calls` when there are any."""
    result = _streamed(said) if said.stream else _whole(said)
    texts = [part.text for part in result.parts if isinstance(part, Text | Refusal)]
    thoughts = [part.text for part in result.parts if isinstance(part, Reasoning) and part.text is not None]
    calls = [
        {"id": part.id, "name": part.name, "arguments": part.arguments}
        for part in result.parts
        if isinstance(part, ToolCall)
    ]
    media = [part.kind for part in result.parts if isinstance(part, Media)]
    told: dict[str, Any] = {
        "completion": join_strings(texts) if texts else None,
        "reasoning": join_strings(thoughts) if thoughts else None,
    }
    told |= {"tool_calls": calls} if calls else {}
    told |= {"media": media} if media else {}
    told |= {"cut": True} if said.cut else {}
    return bytes(raw(told))


def _whole(said: Said) -> Result:
    try:
        return said.skin.read_result(split(b"".join(said.pieces)))
    except (MalformedError, ProviderError, StreamFailedError):
        return Result()


def _streamed(said: Said) -> Result:
    """As much of the answer as the stream tells, which may end anywhere."""
    frames, reader, fold = FrameReader(), said.skin.reader(), Fold()
    try:
        for piece in said.pieces:
            for frame in frames.feed(piece):
                for event in reader.read(frame):
                    fold.add(event)
    except (FrameTooLargeError, MalformedError, ProviderError, StreamFailedError):
        pass
    return fold.result()


def _error(error: SetpointError, said: Said) -> bytes:
    failures = said.failures
    if failures and failures[-1][1].message == error.message:  # it is this one that the client was told of
        failures = failures[:-1]
    told = {
        "message": error.message,
        "status": error.status,
        "raw": None,
        "provider_name": said.provider,
        "previous_errors": [_previous(provider, failure) for provider, failure in failures],
    }
    return bytes(raw(told))


def _previous(provider: str, failure: ProviderError) -> dict[str, Any]:
    status = failure.upstream_status or failure.status
    return {"code": status, "message": failure.message, "provider_name": provider, "raw": None}
