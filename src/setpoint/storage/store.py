"""The way from the event loop to the database and back into the snapshot: reads and writes in threads.

A write is in the snapshot before its caller hears of it, so whoever wrote sees what it wrote.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from setpoint.storage.loading import load, load_since

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from setpoint.snapshot import SnapshotHolder
    from setpoint.storage.database import Database
    from setpoint.storage.loading import Loaded

T = TypeVar("T")

_READERS = 8


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
