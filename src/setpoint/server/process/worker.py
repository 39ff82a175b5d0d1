"""One process that serves: the application, HTTP in front of it, the database behind it."""

from __future__ import annotations

import asyncio
import gc
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from setpoint.errors import GatewayError
from setpoint.server.app import Application
from setpoint.server.connection.serving import HttpServer
from setpoint.server.telemetry.log import configure
from setpoint.storage.database import Database

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from pathlib import Path

    from setpoint.coordination.board import Board
    from setpoint.server.configuration import Configuration

T = TypeVar("T")

_log = logging.getLogger("setpoint.worker")

_BEAT_S = 0.5
_RETRY_S = 0.5
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What every worker of one server is made from. `database` is the path of its file."""

    found: Configuration
    database: Path
    secret: bytes
    listener: socket.socket
    board: Board


class Worker:
    """One that serves from `run` until `leave`, `stop` or `cut`, each of which may be said behind those before it."""

    def __init__(self, plan: Plan, index: int) -> None:
        self._plan = plan
        self._found = plan.found
        self._seat = plan.board.seat(index)
        self._application: Application | None = None
        self._http: HttpServer | None = None
        self._ending: Literal["leaving", "stopping"] | None = None
        self._retiring: asyncio.Task[None] | None = None

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve. `ready` is called once it answers.

        Raises: `GatewayError` when this is the only worker and the storage is away.
        """
        beating = asyncio.create_task(self._beat())
        database = await self._patiently(lambda: Database.open(self._plan.database))
        try:
            if database is not None:
                await self._serve(database, ready)
        finally:
            beating.cancel()
            if self._retiring is not None:
                self._retiring.cancel()
            if database is not None:
                database.close()

    def leave(self) -> None:
        """Come to an end behind a successor, who takes what is new: clients may finish in their own time."""
        if self._ending is None:
            self._end("leaving", HttpServer.leave)

    def stop(self) -> None:
        """Come to an end. Two may say so of one wish: the supervisor, and whoever signals all processes of a group."""
        if self._ending is None:
            self._end("stopping", HttpServer.stop)
        elif self._ending == "leaving":
            self._end("stopping", self._hurry)

    def cut(self) -> None:
        """Come to an end at once."""
        self.stop()
        if self._http is not None:
            self._http.stop()  # for it, the second time is at once

    def _end(self, ending: Literal["leaving", "stopping"], how: Callable[[HttpServer], None]) -> None:
        self._ending = ending
        if self._application is not None:
            self._application.health.ready = False
        if self._http is not None:
            how(self._http)

    def _hurry(self, http: HttpServer) -> None:
        """Leave no time any more to clients between two requests."""

        async def retire() -> None:
            while True:
                http.connections.retire()
                await asyncio.sleep(_LOOK_S)

        self._retiring = asyncio.create_task(retire())

    async def apply(self, found: Configuration) -> None:
        """Serve by another configuration from now on. Raises: `GatewayError` when it cannot be used."""
        settings = found.loaded.settings
        if self._application is not None:
            await self._application.apply(found)
        if self._http is not None:
            self._http.apply(settings)
        self._found = found
        configure(settings.log_level, settings.log_format)
        _log.info("the new configuration is in use")

    async def _serve(self, database: Database, ready: Callable[[], None]) -> None:
        plan = self._plan
        application = Application(self._found, database, plan.secret, self._seat)
        self._application = application  # from here on it hears of newer configurations
        try:
            await self._patiently(application.load)
            if self._ending is None:
                application.start()
                # What is there by now stays: looking through it for cycles would hold the loop up for 50 ms at a time.
                gc.collect()
                gc.freeze()
                self._http = HttpServer(application, self._found.loaded.settings, plan.listener)
                application.show_clients(self._http.connections)
                await self._http.run(ready)
        finally:
            await application.close()

    async def _patiently(self, work: Callable[[], T]) -> T | None:
        """What the storage gives; None when the worker is to end before.

        A thread asks for it, so that the supervisor is heard, and sees the event loop turn. One worker of several waits
        for a storage that is away: its siblings go on, and its end would not mend it.
        """
        said = False
        while self._ending is None:
            try:
                return await asyncio.to_thread(work)
            except GatewayError as error:
                if self._plan.board.workers == 1:
                    raise
                if not said:
                    _log.warning("the storage is away, this worker waits for it: %s", error)
                said = True
                await asyncio.sleep(_RETRY_S)
        return None

    async def _beat(self) -> None:
        """Show the supervisor that the event loop turns."""
        while True:
            self._seat.beat()
            await asyncio.sleep(_BEAT_S)
