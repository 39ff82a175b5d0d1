"""Taking clients in: from the listening socket to a connection on the event loop."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from setpoint.server.connection.listener import BACKLOG

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_log = logging.getLogger("setpoint.server")

_AT_ONCE = 128
"""So many are taken in one turn of the loop. The loop's own server takes one: when turns are long, clients would wait
at the door longer than for their answers, and whoever asks after our health among them."""

_PAUSE_S = 0.5


class Acceptor:
    """Takes in who comes, from `start` to `stop`.

    `protocol` makes what speaks with one client, `left` says for how many there is room.
    """

    def __init__(
        self, listener: socket.socket, protocol: Callable[[], asyncio.Protocol], left: Callable[[], int]
    ) -> None:
        self._listener = listener
        self._protocol = protocol
        self._left = left
        self._loop = asyncio.get_running_loop()
        self._joining: set[asyncio.Task[object]] = set()
        self._paused: asyncio.TimerHandle | None = None
        self._said = False

    def start(self) -> None:
        """Listen."""
        self._listener.listen(BACKLOG)
        self._loop.add_reader(self._listener, self._accept)

    async def stop(self) -> None:
        """Take in who has come, so that nobody is left to be reset, and then nobody more; the socket is closed."""
        self._loop.remove_reader(self._listener)
        self._accept(BACKLOG)
        if self._paused is not None:
            self._paused.cancel()
        self._listener.close()
        if self._joining:
            await asyncio.wait(self._joining)

    def _accept(self, most: int = _AT_ONCE) -> None:
        for _ in range(min(most, max(1, self._left() - len(self._joining)))):
            if not self._take():
                return

    def _take(self) -> bool:
        """Whether one more was taken in."""
        try:
            client, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionAbortedError:
            return True  # this one has gone already: on to the next
        except OSError as error:
            self._pause(error)
            return False
        client.setblocking(False)
        joining = self._loop.create_task(self._join(client))
        self._joining.add(joining)
        joining.add_done_callback(self._joining.discard)
        return True

    async def _join(self, client: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._protocol, client)
        except OSError:
            client.close()

    def _pause(self, error: OSError) -> None:
        """Look again in a while: out of descriptors or memory, the same would be found at every turn of the loop."""
        if not self._said:
            self._said = True
            _log.error("no client can be taken in for now: %s", error.strerror)
        self._loop.remove_reader(self._listener)
        self._paused = self._loop.call_later(_PAUSE_S, self._resume)

    def _resume(self) -> None:
        self._paused = None
        self._loop.add_reader(self._listener, self._accept)
