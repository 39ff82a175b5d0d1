"""native/upstream.c in Python, for machines without a C compiler: the same paths, the same answers."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any, cast

import uvloop

if TYPE_CHECKING:
    from collections.abc import Iterator

_TARGET = re.compile(rb"[A-Z]+ /(whole|stream|status)-(\d+)(?:-(\d+))?/")
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_PIECES = 64

_USAGE: dict[str, Any] = {
    "prompt_tokens": 119,
    "completion_tokens": 50,
    "total_tokens": 169,
    "prompt_tokens_details": {"cached_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0},
}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _plain(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} {'OK' if status < 400 else 'Error'}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _event(choices: list[dict[str, Any]], usage: object) -> bytes:
    fields = {
        "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        "object": "chat.completion.chunk",
        "created": 1741570283,
        "model": "gpt-4.1-mini-2025-04-14",
        "service_tier": "default",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": choices,
        "usage": usage,
    }
    return _chunk(b"data: " + _json(fields) + b"\n\n")


def _delta(delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return _event([choice], None)


_MESSAGE: dict[str, Any] = {
    "role": "assistant",
    "content": "Hello~ How can I assist you today? I can help with questions, writing, code and a good many other "
    "things.",
    "refusal": None,
    "annotations": [],
}
_COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT",
    "object": "chat.completion",
    "created": 1741569952,
    "model": "gpt-4.1-mini-2025-04-14",
    "choices": [{"index": 0, "message": _MESSAGE, "logprobs": None, "finish_reason": "stop"}],
    "usage": _USAGE,
    "service_tier": "default",
    "system_fingerprint": "fp_44709d6fcb",
}
_WHOLE = _plain(200, _json(_COMPLETION))
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)
_ROLE = _delta({"role": "assistant", "content": "", "refusal": None})
_EVENTS = [_delta({"content": f" word~{number:02d}"}) for number in range(_PIECES)]
_END = _delta({}, "stop") + _event([], _USAGE) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._received = b""
        self._timer: asyncio.Handle | None = None
        self._may_write = True
        self._next: Iterator[bytes] | None = None
        self._delay_s = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """More of a request."""
        self._received += data
        self._take()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 asyncio names it
        """The client has gone."""
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        """The client reads slowly."""
        self._may_write = False

    def resume_writing(self) -> None:
        """It has caught up."""
        self._may_write = True
        if self._next is not None and self._timer is None:
            self._advance()

    def _take(self) -> None:
        while self._next is None and self._timer is None:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._received, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._received) < size:
                return
            target = _TARGET.match(self._received)
            self._received = self._received[size:]
            if target is None:
                self._transport.close()
                return
            self._answer(target[1], int(target[2]), int(target[3] or 0))

    def _answer(self, kind: bytes, number: int, delay_ms: int) -> None:
        if kind == b"status":
            body = _json({"error": {"message": "as asked for", "type": "server_error"}})
            self._transport.write(_plain(number, body))
        elif kind == b"whole" and number == 0:
            self._transport.write(_WHOLE)
        elif kind == b"whole":
            self._next = iter([_WHOLE])
            self._timer = self._loop.call_later(number / 1000, self._advance)
        else:
            self._transport.write(_HEAD)
            self._transport.write(_ROLE)
            self._next = (_EVENTS[index % _PIECES] for index in range(number))
            self._delay_s = delay_ms / 1000
            self._wait(self._loop.time())

    def _wait(self, since: float) -> None:
        self._due = since + self._delay_s
        self._timer = (
            self._loop.call_at(self._due, self._advance) if self._delay_s else self._loop.call_soon(self._advance)
        )

    def _advance(self) -> None:
        self._timer = None
        if not self._may_write or self._next is None:
            return
        piece = next(self._next, None)
        if piece is not None:
            self._transport.write(piece)
            if piece is not _WHOLE:
                self._wait(self._due)
                return
        else:
            self._transport.write(_END)
        self._next = None
        self._take()


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(loop), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
