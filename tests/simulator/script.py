"""Builders of scripts: what a test wants an upstream to do, in one call.

    simulator.script(status(429, headers={"Retry-After": "2"}), ok("second time lucky"))
    simulator.script(stream(["Hel", "lo"], end="reset"), prefix="/a")
    simulator.script(in_pieces(ok(), size=1))
    simulator.script(typed(messages.events(messages.message(messages.text("Hi"), messages.tool_use("look")))))

The bytes of an answer are made here, so a wrong answer is as easy to write as a right one; the process only plays.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from simulator import answers
from simulator.answers import (
    LAST_CHUNK,
    Framing,
    Headers,
    chunk,
    chunked,
    data_frame,
    dumps,
    event_frame,
    head,
    usage_chunk,
)
from simulator.dialects import Dialect, error_body
from simulator.steps import Answer, End, How, Pause, Repeat, Script, Send, Step

Finish = Literal["complete", "close", "reset", "hang"]
"""How a stream ends after its last frame: as it should, or cut there, without the end of the transfer coding."""


# --- right answers -------------------------------------------------------------------------------------------


def ok(
    text: str = answers.TEXT,
    *,
    tokens: tuple[int, int] = answers.USAGE,
    delay_ms: float = 0,
    pause_ms: float = 0,
    id_: str | None = None,
) -> Script:
    """A correct answer in the dialect of the request's path, streamed or whole as it asks.

    `tokens` are prompt and completion.
    """
    return _script(Answer(text, *tokens, pause_ms=pause_ms, id_=id_), delay_ms=delay_ms)


def obeying() -> Script:
    """What each request orders of itself: see `orders.py`."""
    return Script((), obeys=True)


def body(
    content: Any,
    *,
    code: int = 200,
    headers: Headers = (),
    content_type: str | None = "application/json",
    framing: Framing = "length",
    content_length: int | None = None,
    delay_ms: float = 0,
) -> Script:
    """An answer with this body: bytes as they are, text in UTF-8, anything else as JSON.

    `content_length` replaces the right one; the connection closes behind an answer whose end it does not tell.
    """
    data = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else dumps(content)
    lines = [("Content-Type", content_type)] if content_type is not None else []
    lines += _pairs(headers)
    if framing == "chunked":
        lines.append(("Transfer-Encoding", "chunked"))
        data = (chunked(data) if data else b"") + LAST_CHUNK
    elif framing == "length":
        lines.append(("Content-Length", str(len(data) if content_length is None else content_length)))
    honest = framing == "chunked" or (framing == "length" and content_length in (None, len(data)))
    steps: list[Step] = [Send(head(code, lines) + data)]
    return _script(*steps, *(() if honest else (End("close"),)), delay_ms=delay_ms)


def status(
    code: int,
    content: Any = None,
    *,
    headers: Headers = (),
    content_type: str | None = "application/json",
    dialect: Dialect = "chat",
    delay_ms: float = 0,
) -> Script:
    """An answer with this status; the body is an error as a provider of the dialect writes it, unless one is given."""
    if content is None:
        content = error_body(dialect, code)
    return body(content, code=code, headers=headers, content_type=content_type, delay_ms=delay_ms)


# --- streams -------------------------------------------------------------------------------------------------


def stream(
    chunks: Sequence[str | Mapping[str, Any]] = ("Hello", " from", " the", " simulator."),
    *,
    finish: str | None = "stop",
    tokens: tuple[int, int] | None = answers.USAGE,
    done: bool = True,
    end: Finish = "complete",
    model: str = answers.MODEL,
    delay_ms: float = 0,
    pause_ms: float = 0,
    framing: Literal["chunked", "close"] = "chunked",
) -> Script:
    """A chat stream, asked for or not: text, or whole deltas; then finish reason, usage and `[DONE]`, each if wanted.

    `delay_ms` is before the head, `pause_ms` before every frame behind the first.
    """
    frames = [data_frame(chunk({"role": "assistant", "content": ""}, model=model))]
    frames += [data_frame(chunk({"content": it} if isinstance(it, str) else it, model=model)) for it in chunks]
    if finish is not None:
        frames.append(data_frame(chunk({}, finish, model=model)))
    if tokens is not None:
        frames.append(data_frame(usage_chunk(tokens, model=model)))
    if done:
        frames.append(b"data: [DONE]\n\n")
    return _event_stream(frames, end=end, delay_ms=delay_ms, pause_ms=pause_ms, framing=framing)


def typed(
    events: Iterable[Mapping[str, Any]],
    *,
    end: Finish = "complete",
    delay_ms: float = 0,
    pause_ms: float = 0,
    framing: Literal["chunked", "close"] = "chunked",
) -> Script:
    """A stream of events that have types, as messages and responses upstreams send them, asked for or not."""
    frames = [event_frame(event) for event in events]
    return _event_stream(frames, end=end, delay_ms=delay_ms, pause_ms=pause_ms, framing=framing)


def sse(
    frames: Iterable[str | bytes],
    *,
    ending: Literal["\n", "\r\n", "\r"] = "\n",
    end: Finish = "complete",
    headers: Headers = (),
    delay_ms: float = 0,
    pause_ms: float = 0,
    framing: Literal["chunked", "close"] = "chunked",
) -> Script:
    """A stream of these events, each given as its lines: `"event: ping\\ndata: {}"`. Bytes go out as they are."""
    sent = [it if isinstance(it, bytes) else f"{it}\n\n".replace("\n", ending).encode() for it in frames]
    return _event_stream(sent, end=end, delay_ms=delay_ms, pause_ms=pause_ms, framing=framing, headers=headers)


def endless_comments(comment: str = "OPENROUTER PROCESSING", *, pause_ms: float = 10) -> Script:
    """A stream of nothing but comments, for as long as somebody listens."""
    comments = Repeat(chunked(f": {comment}\n\n".encode()), pause_ms=pause_ms)
    return _script(Send(_stream_head("chunked")), comments)


def flood(times: int, text: str = "x" * 1_000) -> Script:
    """A chat stream of so many equal chunks at full speed, with a correct end."""
    opening = data_frame(chunk({"role": "assistant", "content": ""}))
    again = Repeat(chunked(data_frame(chunk({"content": text}))), times=times)
    closing = data_frame(chunk({}, "stop")) + data_frame(usage_chunk(answers.USAGE)) + b"data: [DONE]\n\n"
    return _script(Send(_stream_head("chunked") + chunked(opening)), again, Send(chunked(closing) + LAST_CHUNK))


def long_line(size: int = 50 * 1_048_576) -> Script:
    """A stream with one line of about so many bytes, made on the fly, that never ends; then silence."""
    block = b"x" * 65_536
    line = Repeat(chunked(block), times=-(-size // len(block)))
    return _script(Send(_stream_head("chunked") + chunked(b'data: {"x":"')), line, End("hang"))


# --- faults --------------------------------------------------------------------------------------------------


def raw(*pieces: bytes, then: How | None = "close", pause_ms: float = 0) -> Script:
    """These bytes for an answer, whatever they mean. `then` None keeps the connection for the next request."""
    steps = _spaced([Send(piece) for piece in pieces], pause_ms)
    return _script(*steps, *(() if then is None else (End(then),)))


def gzip_bomb(mebibytes: int, *, content_type: str = "application/json") -> Script:
    """A JSON string of so many MiB of spaces in a gzip body of about a thousandth of that, correct to its checksum."""
    block = b" " * 1_048_576
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    # A full flush ends on a byte and forgets what came before it, so the piece can be repeated.
    piece = squeeze.compress(block) + squeeze.flush(zlib.Z_FULL_FLUSH)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    first = squeeze.compress(b'"') + squeeze.flush(zlib.Z_FULL_FLUSH)
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    last = squeeze.compress(b'"') + squeeze.flush()
    checksum = zlib.crc32(b'"')
    for _ in range(mebibytes):
        checksum = zlib.crc32(block, checksum)
    checksum = zlib.crc32(b'"', checksum)
    size = (mebibytes * len(block) + 2) % 2**32
    first = b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + first
    last += checksum.to_bytes(4, "little") + size.to_bytes(4, "little")
    length = len(first) + mebibytes * len(piece) + len(last)
    lines = [("Content-Type", content_type), ("Content-Encoding", "gzip"), ("Content-Length", str(length))]
    return _script(Send(head(200, lines) + first), Repeat(piece, times=mebibytes), Send(last))


def gzip_without_end(content: str) -> Script:
    """A whole gzip body of this JSON, and behind it bytes that are none of it for as long as the peer stays."""
    lines = [("Content-Type", "application/json"), ("Content-Encoding", "gzip"), ("Connection", "close")]
    return _script(Send(head(200, lines) + gzip.compress(content.encode())), Repeat(b"\0" * 65_536))


def hang(of: Script | None = None, *, after: int = 0) -> Script:
    """Silence on an open connection after so many bytes of an answer: by default at once, before any."""
    return _stopped(of, after, "hang")


def cut(of: Script | None = None, *, after: int = 0) -> Script:
    """The connection closed (FIN) after so many bytes of an answer, head included: by default before any."""
    return _stopped(of, after, "close")


def reset(of: Script | None = None, *, after: int = 0) -> Script:
    """The connection reset (RST) after so many bytes of an answer, head included: by default before any."""
    return _stopped(of, after, "reset")


def in_pieces(of: Script, *, size: int | None = None, at: Sequence[int] = (), pause_ms: float = 0) -> Script:
    """The answer in writes of `size` bytes, or cut at these byte positions of the whole of it, head included."""
    return replace(of, piece_bytes=size, cuts=tuple(at), piece_pause_ms=pause_ms)


def deaf(of: Script | None = None) -> Script:
    """Reads the request's head and not a byte more. Says nothing, unless it is given an answer."""
    return replace(of or _script(End("hang")), read_body=False)


def drop(how: Literal["close", "reset"] = "close") -> Script:
    """The connection gone as soon as the request's head is there, with its body unread."""
    return deaf(_script(End(how)))


# --- parts ---------------------------------------------------------------------------------------------------


def _script(*steps: Step, delay_ms: float = 0) -> Script:
    return Script((Pause(delay_ms), *steps) if delay_ms else steps)


def _stopped(of: Script | None, after: int, how: How) -> Script:
    return replace(of or ok(), stop_after=after, stop_how=how)


def _pairs(headers: Headers) -> list[tuple[str, str]]:
    return list(headers.items()) if isinstance(headers, Mapping) else list(headers)


def _spaced(steps: Sequence[Step], pause_ms: float) -> list[Step]:
    """The steps with a pause before every one but the first."""
    spaced: list[Step] = []
    for step in steps:
        if spaced and pause_ms:
            spaced.append(Pause(pause_ms))
        spaced.append(step)
    return spaced


def _stream_head(framing: Framing, headers: Headers = ()) -> bytes:
    coding = [("Transfer-Encoding", "chunked")] if framing == "chunked" else [("Connection", "close")]
    return head(200, [("Content-Type", "text/event-stream"), *_pairs(headers), *coding])


def _event_stream(
    frames: Sequence[bytes],
    *,
    end: Finish,
    delay_ms: float,
    pause_ms: float,
    framing: Literal["chunked", "close"],
    headers: Headers = (),
) -> Script:
    sent = [chunked(frame) if framing == "chunked" else frame for frame in frames if frame]
    steps = [Send(_stream_head(framing, headers)), *_spaced([Send(frame) for frame in sent], pause_ms)]
    if end != "complete":
        steps.append(End(end))
    elif framing == "chunked":
        steps.append(Send(LAST_CHUNK))
    else:
        steps.append(End("close"))
    return _script(*steps, delay_ms=delay_ms)
