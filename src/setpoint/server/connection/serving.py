"""HTTP on the listening socket, in this process: accepting, and the way to a clean end."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import uvicorn

from setpoint.server.connection.accepting import Acceptor
from setpoint.server.connection.connections import Connections
from setpoint.server.connection.descriptors import connection_limit
from setpoint.server.connection.http import protocol_class
from setpoint.server.connection.limits import HttpLimits

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator

    from setpoint.server.connection.asgi import Application
    from setpoint.settings import Settings

_TICK_S = 1.0
_IDLE_S = 1.0
"""How long a client that is between two requests may still send one after the server was told to stop."""
_LOOK_S = 0.05
_LAST_WORDS_S = 1.0
_LAST_LOOKS = 20


async def run_http(
    application: Application,
    settings: Settings,
    listener: socket.socket,
    *,
    ready: Callable[[], None],
) -> None:
    """Serve an application until SIGTERM or SIGINT. `ready` is called once it answers."""
    server = HttpServer(application, settings, listener)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop)
    await server.run(ready)


class HttpServer:
    """Serves an application over HTTP from `run` until `stop` or `leave`."""

    def __init__(self, application: Application, settings: Settings, listener: socket.socket) -> None:
        self.connections = Connections(_limits(settings))
        config = uvicorn.Config(
            application,
            loop="uvloop",
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
        )
        self._server = _Server(config, self.connections)
        self._server.grace_s = settings.shutdown_grace_s
        self._listener = listener

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until the end: that of the last request, or of the grace period."""
        self._server.on_started = ready
        await self._server.serve(sockets=[self._listener])

    def apply(self, settings: Settings) -> None:
        """Serve by these settings: connections that are there keep the limits that they came under."""
        self._server.grace_s = settings.shutdown_grace_s
        self.connections.apply(_limits(settings))

    def stop(self) -> None:
        """Accept nothing more and come to an end; when said again, at once."""
        self._server.end(_IDLE_S)

    def leave(self) -> None:
        """Accept nothing more and come to an end, in no hurry: clients between two requests may send one more."""
        self._server.end(self._server.grace_s)


class _Server(uvicorn.Server):
    """uvicorn's server, without its signal handlers and with an end of our own."""

    on_started: Callable[[], None]
    grace_s: float

    def __init__(self, config: uvicorn.Config, connections: Connections) -> None:
        super().__init__(config)
        self._connections = connections
        self._ending = asyncio.Event()
        self._idle_s = 0.0

    def end(self, idle_s: float) -> None:
        """Begin to end, or end at once when that has begun. `idle_s` is for clients between two requests."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._idle_s = idle_s
        self._ending.set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        made, config, state = protocol_class(self._connections), self.config, self.server_state

        def protocol() -> asyncio.Protocol:
            return made(config=config, server_state=state, app_state={})

        self._acceptors = [Acceptor(one, protocol, lambda: self._connections.left) for one in sockets or ()]
        for acceptor in self._acceptors:
            acceptor.start()
        self.started = True
        self.on_started()

    async def main_loop(self) -> None:
        """Keep the date of answers until it is time to end."""
        while not self.should_exit:
            await self.on_tick(0)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _TICK_S)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let what runs come to its end, and end what outlives the grace period: nothing is cut in silence."""
        del sockets  # each is closed by who accepts from it
        self._connections.draining = True
        for acceptor in self._acceptors:
            await acceptor.stop()
        await self._last_requests()
        await self._last_words()

    async def _last_requests(self) -> None:
        """Wait for what is under way, as long as it may go on, and end connections that have rested for long enough."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while self._connections or self.server_state.tasks:
            now = loop.time()
            if self.force_exit or now >= begun + self.grace_s:
                break
            if now >= begun + self._idle_s:
                self._connections.retire()
            await asyncio.sleep(_LOOK_S)

    async def _last_words(self) -> None:
        """Cancel the requests that are left; each still tells its client how it ends."""
        tasks = set(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_WORDS_S)
        for _ in range(_LAST_LOOKS):
            if not self._connections.sending:
                break
            await asyncio.sleep(_LOOK_S)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def _limits(settings: Settings) -> HttpLimits:
    return HttpLimits.of(settings, max_connections=connection_limit(settings.max_connections))
