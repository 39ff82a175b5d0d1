"""The body of a request that asked for an upgrade which is not taken up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import httptools

if TYPE_CHECKING:
    from collections.abc import Sequence


class Callbacks(Protocol):
    """What the parser calls."""

    def on_message_begin(self) -> None: ...
    def on_url(self, url: bytes) -> None: ...
    def on_header(self, name: bytes, value: bytes) -> None: ...
    def on_headers_complete(self) -> None: ...
    def on_body(self, body: bytes) -> None: ...
    def on_message_complete(self) -> None: ...


def parser_of(callbacks: Callbacks) -> httptools.HttpRequestParser:
    """A parser that says when there is more behind a request that was to be the last, instead of failing before it."""
    parser = httptools.HttpRequestParser(callbacks)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def has_body(framing: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether these headers announce a body."""
    found = dict(framing)
    return b"transfer-encoding" in found or found.get(b"content-length", b"0").strip(b" \t0") != b""


def resumed(callbacks: Callbacks, framing: Sequence[tuple[bytes, bytes]]) -> httptools.HttpRequestParser:
    """A parser that stands behind the head of a request with this framing, before its body.

    The library ends a request that asks for an upgrade at its head, whether a body follows or not. A Java client asks
    so with every first POST, and what it then sends is no request: read as one, its body could hide another.
    """
    known = _BehindHead(callbacks)
    parser = parser_of(known)
    lines = [b"%s: %s\r\n" % header for header in framing if header[0] in (b"content-length", b"transfer-encoding")]
    parser.feed_data(b"POST / HTTP/1.1\r\n%s\r\n" % b"".join(lines))
    known.told = True
    return parser


class _BehindHead:
    """Passes on what the parser says, once it has been told of the head that is known already."""

    def __init__(self, callbacks: Callbacks) -> None:
        self._callbacks = callbacks
        self.told = False

    def on_message_begin(self) -> None:
        if self.told:
            self._callbacks.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self.told:
            self._callbacks.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.told:
            self._callbacks.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.told:
            self._callbacks.on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._callbacks.on_body(body)

    def on_message_complete(self) -> None:
        self._callbacks.on_message_complete()
