"""One process that serves: alone, or as one of several under a supervisor."""

from __future__ import annotations

import asyncio
import logging
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from setpoint.errors import GatewayError
from setpoint.server.app import Application
from setpoint.server.channel import Order, Word
from setpoint.server.serving import HttpServer
from setpoint.storage.database import Database

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from setpoint.coordination.board import Board
    from setpoint.server.channel import Channel
    from setpoint.server.configuration import Configuration, Source

T = TypeVar("T")

_log = logging.getLogger("setpoint.worker")

_BEAT_S = 0.5
_RETRY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What every worker of one server is made from. `database` is the path of its file."""

    source: Source
    found: Configuration
    database: Path
    secret: bytes
    listener: socket.socket
    board: Board


async def serve_alone(plan: Plan, ready: Callable[[], None]) -> None:
    """Be the only process of a server, until SIGTERM or SIGINT; the second of them ends it at once."""
    worker = Worker(plan, 0)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, worker.stop)
    await worker.run(ready)


async def serve_under(plan: Plan, index: int, channel: Channel) -> None:
    """Be one worker of several, until the supervisor says so, ends, or this process is sent SIGTERM."""
    worker = Worker(plan, index)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, worker.stop)

    def obey() -> None:
        for order in channel.received():
            if order == Order.STOP:
                worker.stop()
        if channel.ended:  # nobody is left who could replace this worker: what runs ends well, nothing new begins
            loop.remove_reader(channel)
            worker.stop()

    loop.add_reader(channel, obey)
    await worker.run(lambda: channel.send(Word.READY))


class Worker:
    """The application, HTTP in front of it, the database behind it."""

    def __init__(self, plan: Plan, index: int) -> None:
        self._plan = plan
        self._seat = plan.board.seat(index)
        self._http: HttpServer | None = None
        self._stopped = asyncio.Event()

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until `stop`. `ready` is called once it answers.

        Raises: `GatewayError` when this is the only worker and the storage is away.
        """
        beating = asyncio.create_task(self._beat())
        database = await self._patiently(lambda: Database.open(self._plan.database))
        try:
            if database is not None:
                await self._serve(database, ready)
        finally:
            beating.cancel()
            if database is not None:
                database.close()

    def stop(self) -> None:
        """Come to an end; when said again, at once."""
        self._stopped.set()
        if self._http is not None:
            self._http.stop()

    async def _serve(self, database: Database, ready: Callable[[], None]) -> None:
        plan = self._plan
        settings = plan.found.loaded.settings
        application = Application(settings, plan.found.catalog, database, plan.secret, self._seat)
        try:
            await self._patiently(application.start)
            if not self._stopped.is_set():
                self._http = HttpServer(application, settings, plan.listener)
                application.show_clients(self._http.connections)
                await self._http.run(ready)
        finally:
            await application.close()

    async def _patiently(self, work: Callable[[], T]) -> T | None:
        """What the storage gives; None when the worker is stopped before.

        One worker of several waits for a storage that is away: its siblings go on, and its end would not mend it.
        """
        said = False
        while not self._stopped.is_set():
            try:
                return work()
            except GatewayError:
                if self._plan.board.workers == 1:
                    raise
                if not said:
                    _log.warning("the storage is away: this worker waits for it")
                said = True
                await asyncio.sleep(_RETRY_S)
        return None

    async def _beat(self) -> None:
        """Show the supervisor that the event loop turns."""
        while True:
            self._seat.beat()
            await asyncio.sleep(_BEAT_S)
