"""HTTP for tests: one call in one line, or a connection byte by byte with the time of every piece.

Independent of the product's own readers on purpose, and strict: what is not well formed fails the test.
"""

from __future__ import annotations

import http.client
import json as json_
import re
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from support.contract import CONTRACT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from types import TracebackType

TIMEOUT_S = 30
_REQUEST_LINE = re.compile(rb"([A-Z]+) (/[!-~]*) HTTP/1\.1\r\n")
Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Pairs
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json_.loads(self.body)

    def header(self, name: str) -> str | None:
        """The value of the first header of this name, in any case; None when there is none."""
        return _header(self.headers, name)

    def frames(self) -> list[SseFrame]:
        """The body as server-sent events."""
        return read_sse(self.body)


def call(
    method: str,
    url: str,
    json: Any = None,
    *,
    key: str | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Answer:
    """One request on a connection of its own, and its whole answer. `body` are bytes instead of `json`."""
    data = body if body is not None else None if json is None else json_.dumps(json).encode()
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request(method, _target(url), data, dict(_headers(key, has_body=data is not None, more=headers)))
        response = connection.getresponse()
        answer = Answer(response.status, tuple(response.getheaders()), response.read())
        CONTRACT.check(method, url, answer.status, answer.header("content-type"), answer.body, asked=data)
        return answer
    finally:
        connection.close()


def open_stream(
    url: str,
    json: Any,
    *,
    key: str | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Streaming:
    """A POST whose answer is read as it comes; returns with the head of the answer."""
    connection = RawConnection(url, timeout_s=timeout_s)
    data = json_.dumps(json).encode()
    try:
        connection.send(request_bytes("POST", url, data, headers=_headers(key, has_body=True, more=headers)))
        return Streaming(connection, *connection.read_head(), answers=("POST", url))
    except BaseException:
        connection.close()
        raise


def request_bytes(
    method: str, url: str, body: bytes | None = None, *, headers: Iterable[tuple[str, str]] = ()
) -> bytes:
    """A request as it goes over the wire, with Host, and Content-Length when it has a body."""
    lines = [f"{method} {_target(url)} HTTP/1.1", f"Host: {urlsplit(url).netloc}"]
    lines += [f"{name}: {content}" for name, content in headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


@dataclass(frozen=True)
class Piece:
    """What one read gave, and when, in seconds of the monotonic clock."""

    data: bytes
    at_s: float


class RawConnection:
    """A connection of which every byte is in the test's hands."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S, receive_buffer: int | None = None) -> None:
        parts = urlsplit(url)
        self._socket = socket.socket()
        if receive_buffer is not None:  # small, so that a peer soon feels that nobody reads
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(timeout_s)
        self._socket.connect((parts.hostname or "", parts.port or 80))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._rest = b""
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._asked: list[tuple[str, str]] = []

    def __enter__(self) -> RawConnection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def fileno(self) -> int:
        """The descriptor, to be waited for."""
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        """Send these bytes."""
        if line := _REQUEST_LINE.match(data):
            self._asked.append((line[1].decode(), self._origin + line[2].decode()))
        self._socket.sendall(data)

    def read_some(self, most: int = 65_536) -> Piece:
        """What the next read gives; no bytes when the peer has closed. Raises: `ConnectionResetError`."""
        if self._rest:
            data, self._rest = self._rest[:most], self._rest[most:]
        else:
            data = self._socket.recv(most)
        return Piece(data, time.monotonic())

    def read_all(self) -> bytes:
        """All bytes until the peer closes."""
        pieces: list[bytes] = []
        while data := self.read_some().data:
            pieces.append(data)
        return b"".join(pieces)

    def read_exactly(self, count: int) -> bytes:
        """So many bytes. Raises: `EOFError` when the peer closes before."""
        have = bytearray()
        while len(have) < count:
            have += self._more(have, most=count - len(have))
        return bytes(have)

    def read_line(self) -> bytes:
        """The bytes up to CRLF, without it."""
        have = bytearray()
        while (end := have.find(b"\r\n")) < 0:
            have += self._more(have)
        self._rest = bytes(have[end + 2 :]) + self._rest
        return bytes(have[:end])

    def read_head(self) -> tuple[int, Pairs]:
        """The status and the headers of an answer."""
        version, status, *_ = self.read_line().decode("latin-1").split(" ", 2)
        if version != "HTTP/1.1":
            raise ValueError(f"not an HTTP/1.1 answer: {version!r}")
        headers: list[tuple[str, str]] = []
        while line := self.read_line().decode("latin-1"):
            name, colon, content = line.partition(":")
            if not colon or name != name.strip():
                raise ValueError(f"not a header: {line!r}")
            headers.append((name, content.strip()))
        return int(status), tuple(headers)

    def read_answer(self) -> Answer:
        """A whole answer, by its length, its chunks, or the end of the connection."""
        status, headers = self.read_head()
        asked = self._asked.pop(0) if self._asked else None
        stream = Streaming(self, status, headers, answers=asked)
        return Answer(status, headers, b"".join(piece.data for piece in stream.pieces()))

    def close(self) -> None:
        """Close it, both ways."""
        self._socket.close()

    def reset(self) -> None:
        """Close it with RST."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    def _more(self, have: bytearray, most: int = 65_536) -> bytes:
        data = self.read_some(most).data
        if not data:
            raise EOFError(f"the peer closed after {len(have)} bytes: {bytes(have[-200:])!r}")
        return data


class Streaming:
    """An answer whose head has been read, and whose body comes piece by piece. `answers` is what was asked where."""

    def __init__(
        self, connection: RawConnection, status: int, headers: Pairs, *, answers: tuple[str, str] | None = None
    ) -> None:
        self._answers = answers
        self.connection = connection
        self.status = status
        self.headers = headers

    def __enter__(self) -> Streaming:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def header(self, name: str) -> str | None:
        """The value of the first header of this name, in any case; None when there is none."""
        return _header(self.headers, name)

    def pieces(self) -> Iterator[Piece]:
        """The body: a piece for each chunk, or for each read. Raises: `EOFError` when it is cut."""
        if self._answers is None or not CONTRACT.is_bound(self._answers[1]):
            yield from self._pieces()
            return
        have: list[bytes] = []
        for piece in self._pieces():
            have.append(piece.data)
            yield piece
        CONTRACT.check(*self._answers, self.status, self.header("content-type"), b"".join(have))

    def _pieces(self) -> Iterator[Piece]:
        if (self.header("transfer-encoding") or "").lower() == "chunked":
            while size := int(self.connection.read_line(), 16):
                data = self.connection.read_exactly(size + 2)
                yield Piece(data[:-2], time.monotonic())
            self.connection.read_line()
            return
        length = self.header("content-length")
        if length is not None:
            yield Piece(self.connection.read_exactly(int(length)), time.monotonic())
            return
        while (piece := self.connection.read_some()).data:
            yield piece

    def frames(self) -> Iterator[SseFrame]:
        """The body as server-sent events, each as soon as it is complete, with its time."""
        rest = b""
        for piece in self.pieces():
            *whole, rest = (rest + piece.data).split(b"\n\n")
            for frame in whole:
                yield _read_frame(frame, piece.at_s)
        if rest:
            raise ValueError(f"the stream ends inside an event: {rest!r}")

    def close(self) -> None:
        """Close the connection, whatever is still to come."""
        self.connection.close()


# --- server-sent events --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SseFrame:
    """One event: its name and its data; or comments alone, and then its data is None."""

    event: str | None
    data: str | None
    comments: tuple[str, ...] = ()
    at_s: float = field(default=0, compare=False)

    def json(self) -> Any:
        """The data as JSON."""
        if self.data is None:
            raise ValueError("a comment has no data")
        return json_.loads(self.data)


def read_sse(data: bytes) -> list[SseFrame]:
    """The events of a whole stream. Strict: LF line ends, known fields, a blank line behind the last.

    Raises: `ValueError`.
    """
    *frames, rest = data.split(b"\n\n")
    if rest:
        raise ValueError(f"the stream ends inside an event: {rest!r}")
    return [_read_frame(frame, 0) for frame in frames]


def _read_frame(frame: bytes, at_s: float) -> SseFrame:
    event: str | None = None
    lines: list[str] = []
    comments: list[str] = []
    for line in frame.decode().split("\n"):
        match = re.fullmatch(r"(event|data|): ?([^\r]*)", line)
        if match is None:
            raise ValueError(f"not a line of an event: {line!r}")
        if match[1] == "data":
            lines.append(match[2])
        elif match[1] == "event":
            event = match[2]
        else:
            comments.append(match[2])
    if event is not None and not lines:
        raise ValueError(f"an event without data: {event!r}")
    return SseFrame(event, "\n".join(lines) if lines else None, tuple(comments), at_s)


# --- parts ---------------------------------------------------------------------------------------------------


def _header(headers: Pairs, name: str) -> str | None:
    return next((content for it, content in headers if it.lower() == name.lower()), None)


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _headers(key: str | None, *, has_body: bool, more: Mapping[str, str] | None) -> list[tuple[str, str]]:
    headers = [("Authorization", f"Bearer {key}")] if key is not None else []
    if has_body:
        headers.append(("Content-Type", "application/json"))
    given = {name.lower() for name in more or {}}
    return [*((name, content) for name, content in headers if name.lower() not in given), *(more or {}).items()]
