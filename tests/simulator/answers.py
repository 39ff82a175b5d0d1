"""HTTP answers as bytes, and the correct ones of a chat upstream: what scripts are made of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

TEXT = "Hello from the simulator."
USAGE = (11, 5)
ID = "chatcmpl-simulator"
MODEL = "upstream-model"
CREATED = 1_700_000_000

Headers = Mapping[str, str] | Sequence[tuple[str, str]]
Framing = Literal["chunked", "close", "length"]
LAST_CHUNK = b"0\r\n\r\n"


def dumps(content: Any) -> bytes:
    """JSON as a provider writes it: UTF-8, without white space."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    """The status line and the headers, with the blank line behind them."""
    reason = HTTPStatus(status).phrase if status in set(HTTPStatus) else "Unknown"
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {content}" for name, content in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunked(data: bytes) -> bytes:
    """The data as one chunk of the chunked transfer coding."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def usage(tokens: tuple[int, int]) -> dict[str, int]:
    """The usage object of so many prompt and completion tokens."""
    return {"prompt_tokens": tokens[0], "completion_tokens": tokens[1], "total_tokens": sum(tokens)}


def completion(text: str | None, tokens: tuple[int, int], *, model: str = MODEL, **message: Any) -> dict[str, Any]:
    """A whole chat completion; `message` adds members to its message, such as `tool_calls`."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, "refusal": None, **message},
        "logprobs": None,
        "finish_reason": "tool_calls" if message.get("tool_calls") else "stop",
    }
    shell = {"id": ID, "object": "chat.completion", "created": CREATED, "model": model}
    return {**shell, "choices": [choice], "usage": usage(tokens)}


def chunk(delta: Mapping[str, Any], finish: str | None = None, *, model: str = MODEL) -> dict[str, Any]:
    """A chunk of a stream with one choice."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {"id": ID, "object": "chat.completion.chunk", "created": CREATED, "model": model, "choices": [choice]}


def usage_chunk(tokens: tuple[int, int], *, model: str = MODEL) -> dict[str, Any]:
    """The chunk that ends a stream for which usage was asked."""
    return {**chunk({}, model=model), "choices": [], "usage": usage(tokens)}


def data_frame(content: Any) -> bytes:
    """One server-sent event with this JSON."""
    return b"data: " + dumps(content) + b"\n\n"


def event_frame(event: Mapping[str, Any]) -> bytes:
    """One server-sent event that has a name: its type."""
    return f"event: {event['type']}\n".encode() + data_frame(event)


def words(text: str) -> list[str]:
    """The text in words, each with the space before it."""
    first, *others = text.split(" ")
    return [first, *(f" {word}" for word in others)]
