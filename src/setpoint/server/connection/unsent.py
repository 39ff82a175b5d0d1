"""What of a connection's bytes its peer has not taken yet, and since when it has taken nothing."""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


class Progress:
    """How much was written to one peer, and when it last took some of it, in seconds of the loop's clock."""

    __slots__ = ("_at", "_taken", "written")

    def __init__(self) -> None:
        self.written = 0
        self._taken = 0
        self._at = 0.0

    def begin(self, now: float) -> None:
        """From now on the peer's time counts."""
        self._at = now

    def stands_still(self, transport: asyncio.Transport, now: float, for_s: float) -> bool:
        """Whether bytes have waited for the peer for so long without its taking any."""
        waiting = unsent_bytes(transport)
        taken = self.written - waiting
        if not waiting or taken > self._taken:
            self._taken, self._at = taken, now
        return now - self._at >= for_s


def unsent_bytes(transport: asyncio.Transport) -> int:
    """The bytes that were written and not acknowledged: those that wait here, and those in the system's buffer.

    The system takes megabytes from us for a peer that reads nothing, so only its own count shows who stands still.
    Where it has none, what waits here is all that is known.
    """
    return transport.get_write_buffer_size() + _unacknowledged(transport)


def _unacknowledged(transport: asyncio.Transport) -> int:
    # "SIOCOUTQ: Returns the amount of unsent data in the socket send queue." It counts what was sent and is not
    # acknowledged, too, and its number is TIOCOUTQ's. (tcp(7), read 2026-11)
    peer = transport.get_extra_info("socket")
    if peer is None:
        return 0
    try:
        answer = fcntl.ioctl(peer.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    except OSError:
        return 0
    return int(struct.unpack("i", answer)[0])


def forget_unsent(transport: asyncio.Transport) -> None:
    """Have the system throw away what waits for the peer when the connection ends, and reset it.

    It would go on offering megabytes for minutes to a peer that is not there, and no limit of ours would count them.
    """
    peer = transport.get_extra_info("socket")
    if peer is not None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
