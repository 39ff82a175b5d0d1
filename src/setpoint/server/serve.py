"""Starting and stopping: from what the user wrote to a server that answers, and back to a clean end."""

from __future__ import annotations

import asyncio
import random
import signal
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn
import uvloop

from setpoint import __version__
from setpoint.ids import key_digest, new_key, new_uuid, user_id, utc_now
from setpoint.server.app import Application
from setpoint.server.connections import Connections
from setpoint.server.descriptors import connection_limit
from setpoint.server.http import protocol_class
from setpoint.server.http_limits import HttpLimits
from setpoint.server.keys import masked
from setpoint.server.log import configure
from setpoint.storage import keys
from setpoint.storage.database import Database
from setpoint.storage.schema import prepare
from setpoint.storage.secret import secret_key
from setpoint.storage.workspaces import ensure_default

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from setpoint.routing.catalog import Catalog
    from setpoint.server.request import Receive, Scope, Send
    from setpoint.settings import Settings

_DATABASE_FILE = "setpoint.db"
_BACKLOG = 2048
_LAST_WORDS_S = 1.0


def serve(settings: Settings, catalog: Catalog) -> None:
    """Run the server until it is told to stop. Raises: `GatewayError` when the data folder cannot be used."""
    configure(settings.log_level, settings.log_format)
    listener = listen(settings.host, settings.port)  # first of all: a key that is shown must come of a start
    secret = secret_key(settings.data_dir, settings.secret_key)
    database = Database.open(settings.data_dir / _DATABASE_FILE)
    try:
        prepare(database)
        _ensure_owner(database, settings)
        uvloop.run(_run(settings, catalog, database, secret, listener))
    finally:
        database.close()
        listener.close()


async def _run(
    settings: Settings, catalog: Catalog, database: Database, secret: bytes, listener: socket.socket
) -> None:
    application = Application(settings, catalog, database, secret)
    try:
        application.start()
        await run_http(
            application,
            settings,
            listener,
            ready=lambda address: print(f"Setpoint {__version__} on {address}", flush=True),
        )
    finally:
        await application.close()


async def run_http(
    application: Callable[[Scope, Receive, Send], object],
    settings: Settings,
    listener: socket.socket,
    *,
    ready: Callable[[str], None],
) -> None:
    """Serve an application over HTTP until SIGTERM or SIGINT. `ready` is told the address once it answers."""
    limits = HttpLimits.of(settings, max_connections=connection_limit(settings.max_connections))
    config = uvicorn.Config(
        application,  # pyright: ignore[reportArgumentType] the scope's types are narrower than a mapping's
        loop="uvloop",
        http=protocol_class(limits, Connections(limits)),  # pyright: ignore[reportArgumentType] any callable that makes a protocol will do
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=round(settings.shutdown_grace_s),
    )
    server = _Server(config)
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    server.on_started = lambda: ready(f"http://{shown}:{port}")
    await server.serve(sockets=[listener])
    # Requests that outlived the grace period are cancelled by now; each still tells its client how it ends.
    if server.server_state.tasks:
        await asyncio.wait(server.server_state.tasks, timeout=_LAST_WORDS_S)


class _Server(uvicorn.Server):
    """uvicorn's server, which ends by returning: the signal that stopped it is not raised once more."""

    on_started: Callable[[], None]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.on_started()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def listen(host: str, port: int) -> socket.socket:
    """The listening socket. Ends the program with a plain message when the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise SystemExit(f"setpoint: cannot listen on {host}:{port}: {error.strerror}") from None
    listener.setblocking(False)
    return listener


def _ensure_owner(database: Database, settings: Settings) -> None:
    """The default workspace with its owner, and a key for them: the configured one, else one that is shown once."""
    dice, now = random.SystemRandom(), utc_now()
    with database.write() as connection:
        owner = ensure_default(connection, new_id=lambda: new_uuid(dice), new_user_id=lambda: user_id(dice), now=now)
        plain = settings.api_key or (new_key(dice) if owner.created else None)
        if plain is not None:
            keys.ensure(
                connection,
                digest=key_digest(plain),
                name="First key" if settings.api_key is None else "SETPOINT_API_KEY",
                label=masked(plain),
                workspace_id=owner.workspace_id,
                creator_user_id=owner.user_id,
                now=now,
            )
    if plain is not None and settings.api_key is None:
        print(f"Admin key, shown only now: {plain}", file=sys.stdout, flush=True)
