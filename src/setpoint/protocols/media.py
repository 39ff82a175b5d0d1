"""Data URLs and addresses: the ways in which the three protocols write an image, a file, sound or film."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec import Raw

from setpoint.canonical.parts import Media
from setpoint.wire.body import raw, value

if TYPE_CHECKING:
    from setpoint.canonical.parts import MediaKind

_DATA_URL = re.compile(rb'"data:([^",;\\]{0,200})((?:;[^",;\\]{0,200})*);base64,')


def read_url(kind: MediaKind, url: Raw, *, path: str, filename: Raw | None = None, detail: Raw | None = None) -> Media:
    """The medium behind a raw URL string: the content of a base64 data URL, or the address."""
    plain = url if b"\\" not in bytes(memoryview(url)[:512]) else raw(value(url))
    match = _DATA_URL.match(plain)
    if match is None:
        return Media(kind=kind, url=url, filename=filename, detail=detail, path=path)
    data = Raw(b'"' + bytes(memoryview(plain)[match.end() :]))
    return Media(
        kind=kind, data=data, media_type=match[1].decode() or None, filename=filename, detail=detail, path=path
    )


def write_url(medium: Media, media_type: str) -> Raw | None:
    """The raw URL string of a medium, a data URL for content; None when it is neither. `media_type` is the default."""
    if medium.data is not None:
        head = raw(f"data:{medium.media_type or media_type};base64,")
        return Raw(bytes(head)[:-1] + bytes(memoryview(medium.data)[1:]))
    return medium.url
