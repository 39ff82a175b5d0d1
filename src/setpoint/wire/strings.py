"""Raw JSON strings that come in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

if TYPE_CHECKING:
    from collections.abc import Iterable


class GrowingString:
    """One raw JSON string of all its pieces, their escapes untouched.

    The pieces are put together as they come: each of them, kept, would keep the whole event that it came in.
    """

    __slots__ = ("_inside",)

    def __init__(self, pieces: Iterable[Raw] = ()) -> None:
        self._inside = bytearray()
        for piece in pieces:
            self.add(piece)

    def __len__(self) -> int:
        """The bytes between the quotes."""
        return len(self._inside)

    def add(self, piece: Raw) -> None:
        """Take one more piece."""
        self._inside += memoryview(piece)[1:-1]

    def whole(self) -> Raw:
        """All that came."""
        return Raw(b'"%b"' % self._inside)
