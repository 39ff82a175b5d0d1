"""What a peer has sent that nobody has read yet."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio


def has_unread(transport: asyncio.Transport) -> bool:
    """Whether bytes, or the end of the connection, wait in the system for the event loop's next turn."""
    peer = transport.get_extra_info("socket")
    if peer is None:
        return False
    poll = select.poll()
    poll.register(peer.fileno(), select.POLLIN)
    return bool(poll.poll(0))
