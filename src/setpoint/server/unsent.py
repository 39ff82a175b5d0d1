"""What of a connection's bytes its peer has not taken yet."""

from __future__ import annotations

import fcntl
import struct
import termios
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


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
