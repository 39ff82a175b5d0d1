"""HTTP on the listening socket, in this process: accepting, and the way to a clean end."""

from __future__ import annotations

import asyncio
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from setpoint.server.connections import Connections
from setpoint.server.descriptors import connection_limit
from setpoint.server.http import protocol_class
from setpoint.server.http_limits import HttpLimits
from setpoint.server.listener import BACKLOG

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator

    from setpoint.server.request import Receive, Scope, Send
    from setpoint.settings import Settings

_LAST_WORDS_S = 1.0


async def run_http(
    application: Callable[[Scope, Receive, Send], object],
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
    """Serves an application over HTTP from `run` until `stop`."""

    def __init__(
        self, application: Callable[[Scope, Receive, Send], object], settings: Settings, listener: socket.socket
    ) -> None:
        limits = HttpLimits.of(settings, max_connections=connection_limit(settings.max_connections))
        self.connections = Connections(limits)
        config = uvicorn.Config(
            application,  # pyright: ignore[reportArgumentType] the scope's types are narrower than a mapping's
            loop="uvloop",
            http=protocol_class(limits, self.connections),  # pyright: ignore[reportArgumentType] any callable that makes a protocol will do
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_graceful_shutdown=round(settings.shutdown_grace_s),
        )
        self._server = _Server(config)
        self._listener = listener

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until `stop`; then let what runs come to its end, within the grace period."""
        self._server.on_started = ready
        await self._server.serve(sockets=[self._listener])
        # Requests that outlived the grace period are cancelled by now; each still tells its client how it ends.
        if self._server.server_state.tasks:
            await asyncio.wait(self._server.server_state.tasks, timeout=_LAST_WORDS_S)

    def stop(self) -> None:
        """Accept nothing more and come to an end; when said again, at once."""
        self._server.force_exit = self._server.should_exit
        self._server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn's server, without its signal handlers."""

    on_started: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_started()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
