"""The way from the event loop to the database and back into the snapshot: reads and writes in threads.

A write is in this worker's snapshot before its caller hears of it, and on the board, where the other workers of the
server look before each request; so whoever wrote sees what it wrote, whichever worker answers.
"""

from __future__ import annotations

import asyncio
import logging
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from setpoint.errors import GatewayError
from setpoint.storage.away import away
from setpoint.storage.lanes import Lane
from setpoint.storage.loading import load, load_since
from setpoint.storage.revisions import read_revision

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection

    from setpoint.coordination.board import Seat
    from setpoint.snapshot import SnapshotHolder
    from setpoint.storage.database import Database
    from setpoint.storage.loading import Loaded
    from setpoint.storage.sealing import Sealer

T = TypeVar("T")

_log = logging.getLogger("setpoint.storage")

READ_S = 5.0
"""How long a read may take, in seconds."""

WRITE_S = 5.0
"""How long a write may take up to its commit, and then the commit, in seconds."""

_READERS = 8
_QUEUED_READS = 64
_QUEUED_WRITES = 256
_POLL_S = 0.25
_CATCH_UP_S = 0.25


class Store:
    """Runs functions of a connection. Writes go one after the other, in their own thread.

    Nobody waits long for a storage that is away: `read` and `write` then raise `GatewayError` (unavailable), in time
    or at once when many wait already.
    """

    def __init__(
        self,
        database: Database,
        snapshots: SnapshotHolder,
        seat: Seat,
        sealer: Sealer,
        *,
        read_s: float = READ_S,
        write_s: float = WRITE_S,
    ) -> None:
        self._database = database
        self._snapshots = snapshots
        self._seat = seat
        self._sealer = sealer
        self._refresh: asyncio.Task[bool] | None = None
        self._given_up = 0  # nobody waits for what was committed up to this revision any more
        self._closing = False
        self._read_s = read_s
        self._write_s = write_s
        self._reading = Lane("setpoint-read", threads=_READERS, queued=_QUEUED_READS)
        self._reading_long = Lane("setpoint-read-long", threads=1, queued=1)
        self._following = Lane("setpoint-follow", threads=1, queued=0)
        self._writing = Lane("setpoint-write", threads=1, queued=_QUEUED_WRITES)

    def load(self) -> None:
        """Fill the snapshot with all that is stored. Blocks: for the start, before anything is answered."""
        with self._database.read() as connection:
            self._apply(load(connection, self._sealer))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """What the function gives for one consistent state of the database."""
        return await self._within(self._read_s, self._reading, work)

    async def read_long(self, work: Callable[[Connection, Callable[[], None]], T], *, wait_s: float) -> T:
        """The same of a function that reads very much, one at a time. It has to call what it is given now and then,
        which raises when the store closes. Raises: `GatewayError` (unavailable), also when two are there already.
        """
        return await self._within(wait_s, self._reading_long, lambda connection: work(connection, self._go_on))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """What the function gives, once all that it wrote is durable and in the snapshot.

        A caller that goes away does not undo it: what is committed reaches the snapshot all the same. One that hears
        of `unavailable` may take it for not done, unless the storage went away in the middle of the commit.
        """
        return await asyncio.shield(self._write(work))

    async def note(self, work: Callable[[Connection], T], undo: Callable[[Connection, T], None] | None = None) -> T:
        """What the function gives, once what it wrote survives the end of this process: no snapshot hears of it.

        Raises: as `write`; and where the storage went away in the middle of the commit, and comes back with it done, it
        is undone.
        """

        def commit(waiting: _Waiting) -> T:
            with self._database.write(durable=False, wait_s=waiting.left_s) as connection:
                result = work(connection)
                waiting.begin()
            if undo is not None and not waiting.hears():
                with self._database.write(durable=False) as connection:
                    undo(connection, result)
            return result

        return await asyncio.shield(self._committed(commit))

    @property
    def behind(self) -> bool:
        """Whether another worker has committed what is not in the snapshot yet, and could be."""
        return self._seat.revision > max(self._snapshots.current.revision, self._given_up)

    async def catch_up(self) -> None:
        """Bring the snapshot up to what other workers have committed.

        Where that fails, or takes longer than a quarter of a second, what is known stays good, and nobody waits for
        it again: the poll brings it in once the storage is back.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _CATCH_UP_S
        while self.behind:
            wanted = self._seat.revision
            refresh = self._refreshing()
            done, _ = await asyncio.wait({refresh}, timeout=max(0.0, deadline - loop.time()))
            if not done or not refresh.result():
                self._given_up = wanted

    async def follow(self) -> None:
        """Keep the snapshot up with what processes of other servers write, until cancelled: a poll of one number."""
        while True:
            await asyncio.sleep(_POLL_S)
            await asyncio.shield(self._refreshing())

    def _refreshing(self) -> asyncio.Task[bool]:
        """The refresh that runs, or a new one: there is one at a time. Its result is whether it went well."""
        if self._refresh is None or self._refresh.done():
            self._refresh = asyncio.get_running_loop().create_task(self._refresh_once())
        return self._refresh

    async def _refresh_once(self) -> bool:
        try:
            loaded = await asyncio.wrap_future(self._following.submit(self._newer))
        except GatewayError:  # the storage is away: what is known stays good, and the next poll tries again
            return False
        except Exception as error:  # a fault of ours must not end the poll
            _log.error("what others wrote cannot be read: %s", type(error).__name__)
            return False
        if loaded is not None:
            self._apply(loaded)
        return True

    def _newer(self) -> Loaded | None:
        with self._database.read() as connection:
            known = self._snapshots.current.revision
            return load_since(connection, known, self._sealer) if read_revision(connection) > known else None

    def close(self) -> None:
        """Let what runs come to its end, but for what reads long."""
        self._closing = True
        for lane in (self._reading, self._reading_long, self._following, self._writing):
            lane.close()

    def _go_on(self) -> None:
        if self._closing:
            raise away()

    async def _within(self, wait_s: float, lane: Lane, work: Callable[[Connection], T]) -> T:
        running = asyncio.wrap_future(lane.submit(lambda: self._read(work)))
        try:
            async with asyncio.timeout(wait_s):
                return await running
        except TimeoutError:
            raise away() from None

    def _read(self, work: Callable[[Connection], T]) -> T:
        with self._database.read() as connection:
            return work(connection)

    async def _write(self, work: Callable[[Connection], T]) -> T:
        def commit(waiting: _Waiting) -> tuple[T, Loaded]:
            with self._database.write(wait_s=waiting.left_s) as connection:
                result = work(connection)
                # Read before the commit: what is committed must not be answered with an error because a read failed.
                loaded = load_since(connection, self._snapshots.current.revision, self._sealer)
                waiting.begin()
            return result, loaded

        result, loaded = await self._committed(commit)
        self._seat.publish(loaded.revision)
        self._apply(loaded)
        return result

    async def _committed(self, commit: Callable[[_Waiting], T]) -> T:
        """What the function gives, which is called in the writers' thread."""
        waiting = _Waiting(self._write_s)
        submitted = self._writing.submit(lambda: commit(waiting))
        running = asyncio.wrap_future(submitted)
        await asyncio.wait({running}, timeout=self._write_s)
        if not running.done() and not waiting.gives_up():
            await asyncio.wait({running}, timeout=self._write_s)
        if not running.done() and waiting.stops_hearing():
            running.add_done_callback(_hear)
            submitted.cancel()
            raise away()
        return await running

    def _apply(self, loaded: Loaded) -> None:
        self._snapshots.apply(*loaded)


class _Waiting:
    """Somebody who waits for a commit in another thread, at first for so many seconds.

    Whether it is begun is decided once, and so is whether its end is heard: by whoever comes first, that thread or the
    one who waits.
    """

    def __init__(self, wait_s: float) -> None:
        self._until = monotonic() + wait_s
        self._begun = Lock()
        self._heard = Lock()

    @property
    def left_s(self) -> float:
        """For how long somebody still waits for the beginning, in seconds."""
        return self._until - monotonic()

    def begin(self) -> None:
        """Commit now. Raises: `GatewayError` (unavailable) when nobody waits for it any more."""
        if not self._begun.acquire(blocking=False):
            raise away()

    def gives_up(self) -> bool:
        """Wait no longer for the beginning; False when it has begun."""
        return self._begun.acquire(blocking=False)

    def hears(self) -> bool:
        """The commit is done: whether somebody hears of it."""
        return self._heard.acquire(blocking=False)

    def stops_hearing(self) -> bool:
        """Wait no longer for the end; False when it is there."""
        return self._heard.acquire(blocking=False)


def _hear(running: asyncio.Future[T]) -> None:
    """Take note of how a write ended that nobody waits for any more. The poll brings what it committed."""
    if not running.cancelled():
        running.exception()
