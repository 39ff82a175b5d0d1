"""The way from the event loop to the database and back into the snapshot: reads and writes in threads.

A write is in the snapshot before its caller hears of it, so whoever wrote sees what it wrote.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from setpoint.errors import GatewayError
from setpoint.storage.loading import load, load_since
from setpoint.storage.revisions import read_revision

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from setpoint.snapshot import SnapshotHolder
    from setpoint.storage.database import Database
    from setpoint.storage.loading import Loaded

T = TypeVar("T")

_READERS = 8
_POLL_S = 0.5


class Store:
    """Runs functions of a connection. Writes go one after the other, in their own thread."""

    def __init__(self, database: Database, snapshots: SnapshotHolder) -> None:
        self._database = database
        self._snapshots = snapshots
        self._reading = ThreadPoolExecutor(_READERS, thread_name_prefix="setpoint-read")
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="setpoint-write")

    def load(self) -> None:
        """Fill the snapshot with all that is stored. Blocks: for the start, before anything is answered."""
        with self._database.read() as connection:
            self._apply(load(connection))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What the function gives for one consistent state of the database."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, self._read, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What the function gives, once all that it wrote is durable and in the snapshot.

        A caller that goes away does not undo it: what is committed reaches the snapshot all the same.
        """
        return await asyncio.shield(self._write(work))

    async def follow(self) -> None:
        """Keep the snapshot up with what other processes write, until cancelled: a poll of one number."""
        while True:
            await asyncio.sleep(_POLL_S)
            with suppress(GatewayError):  # storage is away: what is known stays good, and the next poll tries again
                loaded = await asyncio.get_running_loop().run_in_executor(self._reading, self._newer)
                if loaded is not None:
                    self._apply(loaded)

    def _newer(self) -> Loaded | None:
        with self._database.read() as connection:
            known = self._snapshots.current.revision
            return load_since(connection, known) if read_revision(connection) > known else None

    def close(self) -> None:
        """Let what runs come to its end."""
        self._reading.shutdown()
        self._writing.shutdown()

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._database.read() as connection:
            return work(connection)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        result, loaded = await asyncio.get_running_loop().run_in_executor(self._writing, self._commit, work)
        self._apply(loaded)
        return result

    def _commit(self, work: Callable[[Connection], T]) -> tuple[T, Loaded]:
        with self._database.write() as connection:
            result = work(connection)
            # Read before the commit: what is committed must not be answered with an error because a read failed.
            return result, load_since(connection, self._snapshots.current.revision)

    def _apply(self, loaded: Loaded) -> None:
        self._snapshots.apply(loaded.revision, loaded.presets, loaded.keys)
