"""What a model says aloud: one medium, which a stream brings in pieces."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING

from setpoint.canonical.parts import Media
from setpoint.protocols.chat.content import string_or_none
from setpoint.wire.body import join_strings, raw, value

if TYPE_CHECKING:
    from msgspec import Raw

    from setpoint.wire.body import Body


class Sound:
    """The `audio` of an answer so far."""

    def __init__(self) -> None:
        self._id: Raw | None = None
        self._data: list[Raw] = []
        self._transcript: list[Raw] = []

    def __bool__(self) -> bool:
        return bool(self._id or self._data or self._transcript)

    def add(self, audio: Body) -> None:
        """Take the next piece."""
        self._id = self._id or string_or_none(audio, "id")
        for name, pieces in (("data", self._data), ("transcript", self._transcript)):
            piece = string_or_none(audio, name)
            if piece is not None:
                pieces.append(piece)

    def whole(self) -> Media | None:
        """All of it, the transcript as its text; None when nothing came."""
        if not self:
            return None
        return Media(
            kind="audio",
            data=_joined(self._data) if self._data else None,
            file_id=self._id,
            text=join_strings(self._transcript) if self._transcript else None,
        )


def _joined(pieces: list[Raw]) -> Raw:
    """One base64 string of several, each of which may be complete in itself."""
    if not any(b"=" in bytes(piece) for piece in pieces[:-1]):
        return join_strings(pieces)
    try:
        return raw(b64encode(b"".join(b64decode(str(value(piece)), validate=True) for piece in pieces)).decode())
    except ValueError:
        return join_strings(pieces)
