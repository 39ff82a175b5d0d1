"""What a supervisor and its workers say to each other: single bytes over a pair of sockets, whose end is heard too."""

from __future__ import annotations

import socket
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENOUGH = 256


class Order(IntEnum):
    """What a supervisor tells a worker."""

    STOP = 1
    """End, as after SIGTERM."""

    RELOAD = 2
    """Use the configuration that stands on the board."""

    LEAVE = 3
    """A successor has taken over: end, but in no hurry."""

    CUT = 4
    """End at once, as after a second SIGTERM."""


class Word(IntEnum):
    """What a worker tells its supervisor."""

    READY = 1
    """It answers requests."""


class Channel:
    """One end. `ended` is true once the process at the other end is gone."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self.ended = False

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
        """Both ends of a new channel."""
        one, other = socket.socketpair()
        return cls(one), cls(other)

    def fileno(self) -> int:
        """The descriptor, for whoever waits until there is something to receive."""
        return self._end.fileno()

    def send(self, word: Order | Word) -> None:
        """Say it, unless nobody listens any more or has listened for long."""
        try:
            self._end.send(bytes([word]))
        except OSError:
            return

    def received(self) -> Iterator[int]:
        """What was said since the last time."""
        try:
            said = self._end.recv(_ENOUGH)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        self.ended = not said
        yield from said

    def close(self) -> None:
        """Close this end."""
        self._end.close()
