"""Server-sent event frames: an incremental reader, and the writer's few bytes.

Source: the event stream format of the HTML standard, "Interpreting an event stream".
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_EVENT_BYTES = 33_554_432

DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": OPENROUTER PROCESSING\n\n"
"""The comment that tells a waiting client that the stream is alive."""

_LINE_ENDS = bytes.maketrans(b"\r\n", b"  ")
_line_end = re.compile(rb"\r\n|\n|\r")


class Frame(NamedTuple):
    """One event of a stream: its name (None when it has none) and its data, lines joined by a newline."""

    event: bytes | None
    data: bytes


class FrameTooLargeError(ValueError):
    """One event is larger than allowed."""


def data_frame(data: bytes) -> bytes:
    """One event without a name, from JSON: line ends in it can only stand between members."""
    if b"\n" in data or b"\r" in data:
        data = data.translate(_LINE_ENDS)
    return b"data: " + data + b"\n\n"


def named_frame(name: bytes, data: bytes) -> bytes:
    """One event with a name, from JSON."""
    return b"event: " + name + b"\n" + data_frame(data)


class FrameReader:
    """Frames out of bytes that may be cut anywhere. Comments, ids and retry hints are not events.

    Lines may end in CR, LF or CRLF; a frame is handed out as soon as its blank line has come. What has no blank line
    behind it when the stream ends is no event and is dropped, as the standard says.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max = max_event_bytes
        self._rest = bytearray()  # a line that has not ended yet
        self._skip_newline = False  # the last piece ended in CR: a LF right behind it belongs to that line end
        self._start = True
        self._event: bytes | None = None
        self._data: bytearray | None = None  # None: no data line yet

    @property
    def held_bytes(self) -> int:
        """How much there is of an event that is not complete."""
        return len(self._rest) + len(self._data or b"")

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that are complete with this chunk, in order. Raises: `FrameTooLargeError`."""
        if self._start:
            chunk = self._without_bom(chunk)
        elif not (self._rest or self._data is not None or self._event or self._skip_newline) and _is_plain(chunk):
            frames = [Frame(None, part[6:]) for part in chunk[:-2].split(b"\n\n")]
            if all(len(frame.data) <= self._max for frame in frames):
                return frames
            raise FrameTooLargeError
        if self._skip_newline and chunk:
            self._skip_newline = False
            if chunk[:1] == b"\n":
                chunk = chunk[1:]
        return self._lines(chunk)

    def _without_bom(self, chunk: bytes) -> bytes:
        """Hold the first bytes back until it is clear whether they are a byte order mark."""
        bom = b"\xef\xbb\xbf"
        self._rest += chunk
        if len(self._rest) < len(bom) and bom.startswith(self._rest):
            return b""
        self._start = False
        return self._taken().removeprefix(bom)

    def _taken(self) -> bytes:
        """What was held back, which is held back no longer."""
        rest, self._rest = bytes(self._rest), bytearray()
        return rest

    def _lines(self, chunk: bytes) -> list[Frame]:
        frames: list[Frame] = []
        at = 0
        for match in _line_end.finditer(chunk):
            line = chunk[at : match.start()]
            at = match.end()
            if self._rest:
                line = self._taken() + line
            frame = self._line(line)
            if frame is not None:
                frames.append(frame)
        if at == len(chunk):
            self._skip_newline = chunk[-1:] == b"\r"
        else:
            self._rest += memoryview(chunk)[at:]
            if self.held_bytes > self._max:
                raise FrameTooLargeError
        return frames

    def _line(self, line: bytes) -> Frame | None:
        if not line:
            return self._dispatch()
        name, _, content = line.partition(b":")
        content = content.removeprefix(b" ")
        if name == b"data":
            if self._data is None:
                self._data = bytearray(content)
            else:
                self._data += b"\n" + content
            if len(self._data) > self._max:
                raise FrameTooLargeError
        elif name == b"event":
            self._event = content or None
        return None

    def _dispatch(self) -> Frame | None:
        data, event = self._data, self._event
        self._data, self._event = None, None
        return None if data is None else Frame(event, bytes(data))


def _is_plain(chunk: bytes) -> bool:
    """Whether the chunk is whole frames of one `data: ` line each, as nearly every provider sends them."""
    if not chunk.endswith(b"\n\n") or b"\r" in chunk or not chunk.startswith(b"data: "):
        return False
    frames = chunk.count(b"\n\n")
    return chunk.count(b"\n") == 2 * frames and chunk.count(b"\n\ndata: ") == frames - 1
