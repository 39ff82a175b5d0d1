"""What a provider answers of itself, in the dialect of the path that was asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, cast
from urllib.parse import urlsplit

from simulator import messages, responses
from simulator.answers import ID as CHAT_ID
from simulator.answers import (
    LAST_CHUNK,
    MODEL,
    chunk,
    chunked,
    completion,
    data_frame,
    dumps,
    event_frame,
    head,
    usage_chunk,
    words,
)

Dialect = Literal["chat", "messages", "responses"]

DONE = b"data: [DONE]\n\n"


def dialect_of(path: str) -> Dialect:
    """The dialect in which a path is asked: by its end, chat when that says nothing."""
    route = urlsplit(path).path
    if route.endswith(("/messages", "/messages/count_tokens")):
        return "messages"
    return "responses" if route.endswith("/responses") else "chat"


def answer_to(path: str, request: bytes, text: str, tokens: tuple[int, int], *, id_: str | None = None) -> list[bytes]:
    """The whole HTTP answer to a request in the pieces that a provider would write: a stream when it asks.

    `id_` None is the id that all answers of the dialect have.
    """
    asked = _members(request)
    model = str(asked.get("model", MODEL))
    if urlsplit(path).path.endswith("/count_tokens"):
        return [_whole(messages.count(tokens[0]))]
    streamed = asked.get("stream") is True
    match dialect_of(path):
        case "chat":
            if not streamed:
                return [_whole({**completion(text, tokens, model=model), "id": id_ or CHAT_ID})]
            counted = _object(asked.get("stream_options")).get("include_usage") is True
            return _stream([*_chunks(text, tokens, model, counted=counted, id_=id_ or CHAT_ID), DONE])
        case "messages":
            said = messages.message(messages.text(text), tokens=tokens, model=model, id=id_ or messages.ID)
            return _stream([event_frame(it) for it in messages.events(said)]) if streamed else [_whole(said)]
        case "responses":
            said = responses.response(responses.message(text), tokens=tokens, model=model, id=id_ or responses.ID)
            return _stream([event_frame(it) for it in responses.events(said)]) if streamed else [_whole(said)]


def error_body(dialect: Dialect, code: int) -> dict[str, Any]:
    """The body of an error answer with this status, as a provider of the dialect writes it."""
    if dialect == "messages":
        return messages.error(_ERROR_TYPES.get(code, "api_error"), f"simulated {code}")
    return {"error": {"message": f"simulated {code}", "type": "simulated_error", "param": None, "code": None}}


_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def _chunks(text: str, tokens: tuple[int, int], model: str, *, counted: bool, id_: str) -> list[bytes]:
    frames = [chunk({"role": "assistant", "content": ""}, model=model)]
    frames += [chunk({"content": word}, model=model) for word in words(text)]
    frames.append(chunk({}, "stop", model=model))
    if counted:
        frames.append(usage_chunk(tokens, model=model))
    return [data_frame({**frame, "id": id_}) for frame in frames]


def _whole(said: Mapping[str, Any]) -> bytes:
    body = dumps(said)
    return head(200, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]) + body


def _stream(frames: list[bytes]) -> list[bytes]:
    headers = [("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked")]
    *first, last = [chunked(frame) for frame in frames]
    return [head(200, headers), *first, last + LAST_CHUNK]


def _members(request: bytes) -> dict[str, Any]:
    try:
        return _object(json.loads(request))
    except ValueError:
        return {}


def _object(content: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", content) if isinstance(content, dict) else {}
