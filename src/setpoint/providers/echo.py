"""The offline model `setpoint/echo`: what a request gets for an answer when no provider and no key is at hand.

A pure function of the body, in each of the three dialects. It asks neither clock nor dice, so the same body always gets
the same bytes, and its text shows what reached it, a line for each thing:

    system: You triage parcels.          each system or developer message
    max_tokens: 40                       each parameter, by its name in the body, with its raw value
    stop: 1 sequence                     the stop sequences are counted: showing one would end the text right there
    temperature: 0.20
    tools: search, book                  the tools' names (the type of what is no function)
    replayed: as it was given            each step of its own reasoning that comes back, or one that is not
    user: Where is my parcel?            the last user message
    tool: {"status":"on its way"}        each tool result behind it

The fields that hold the conversation, the tools, the model's name and the order to stream are no parameters here:
streamed or not, the text is the same. A line is cut after 2,000 characters, and of one kind no more than 64 lines are
shown; both say so. Where JSON is asked for the text is `{"text": <the lines>}`, with a schema the least JSON that has
its shape. The model calls a tool only when `tool_choice` says that it must (the first), or names one.

Tokens are pieces: at most 16 characters without white space, and the white space before them, so that an English
word is one piece; the arguments of a tool call come in pieces of 8 characters. The model's own limit is 8,192 pieces.

In the messages and responses dialects it also reasons, when it is asked to: a sentence, signed or sealed, so that it
can tell whether it comes back unchanged.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec import Raw, Struct

from setpoint.errors import FieldError
from setpoint.providers import echo_chat, echo_events, echo_request
from setpoint.providers.echo_model import MAX_LINE_CHARS, MAX_LINES, MAX_PIECES, THOUGHT, answer
from setpoint.wire.body import MalformedError, as_text, raw, split

if TYPE_CHECKING:
    from setpoint.providers.echo_model import Asked
    from setpoint.records import Dialect
    from setpoint.wire.body import Body

__all__ = ["MAX_LINES", "MAX_LINE_CHARS", "MAX_PIECES", "THOUGHT", "EchoReply", "count", "dialect_of", "reply"]

_TRUE = Raw(b"true")
_PATHS: dict[str, Dialect] = {"/chat/completions": "chat", "/messages": "messages", "/responses": "responses"}


class EchoReply(Struct, frozen=True, kw_only=True):
    """A whole answer in `body`, or a streamed one in `frames`, each of which can be sent (and paced) by itself.

    A status other than 200 has an error in the provider's own form in `body`, streamed or not.
    """

    status: int = 200
    body: bytes = b""
    frames: tuple[bytes, ...] = ()


def dialect_of(path: str) -> Dialect | None:
    """The dialect that is spoken at a path or URL, by its end; None at any other."""
    return next((dialect for end, dialect in _PATHS.items() if path.endswith(end)), None)


def reply(body: bytes, dialect: Dialect = "chat", *, created: int) -> EchoReply:
    """What the model says to one request. `created` is the time that it states, in Unix seconds."""
    try:
        request = split(body)
        said = answer(_read(dialect, request))
    except (MalformedError, FieldError) as error:
        return _refusal(dialect, error)
    digest, model = hashlib.sha256(body).hexdigest(), as_text(request.get("model")) or "echo"
    if dialect == "chat":
        envelope = echo_chat.Envelope(digest=digest, created=created, model=model)
        if request.get("stream") == _TRUE:
            return EchoReply(frames=echo_chat.frames(said, envelope, request))
        return EchoReply(body=echo_chat.whole(said, envelope))
    head = echo_events.Head(dialect=dialect, request=request, digest=digest, created=created, model=model)
    if request.get("stream") == _TRUE:
        return EchoReply(frames=echo_events.frames(said, head))
    return EchoReply(body=echo_events.whole(said, head))


def count(body: bytes) -> EchoReply:
    """How many tokens a request of the messages dialect has."""
    try:
        asked = _read("messages", split(body))
    except (MalformedError, FieldError) as error:
        return _refusal("messages", error)
    return EchoReply(body=bytes(raw({"input_tokens": asked.input_tokens})))


def _read(dialect: Dialect, request: Body) -> Asked:
    return echo_chat.read(request) if dialect == "chat" else echo_request.read(dialect, request)


def _refusal(dialect: Dialect, error: MalformedError | FieldError) -> EchoReply:
    """A 400 in the form of a provider of the dialect."""
    kind = "invalid_request_error"
    if dialect == "messages":
        told = {"type": "error", "error": {"type": kind, "message": str(error)}, "request_id": None}
    else:
        param = error.path if isinstance(error, FieldError) else None
        told = {"error": {"message": str(error), "type": kind, "param": param, "code": None}}
    return EchoReply(status=400, body=bytes(raw(told)))
