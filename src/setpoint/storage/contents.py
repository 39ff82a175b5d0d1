"""Contents, what was asked and answered, where that is kept: functions of a connection; and how they get there."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from threading import Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING

from msgspec import Struct
from sqlalchemy import select

from setpoint.errors import GatewayError
from setpoint.records import Content
from setpoint.storage.rows import Rows
from setpoint.storage.tables import contents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from setpoint.storage.database import Database

CAPACITY = 1_000
"""How many wait to be written; while there are so many, others are dropped."""

CLOSE_S = 5.0
"""How long `close` goes on trying to write, in seconds."""

_BATCH = 50
_GATHER_S = 0.05
_RETRY_S = 0.5

_log = logging.getLogger(__name__)
_ROWS = Rows(contents, "ON CONFLICT (generation_id) DO NOTHING")


def save_many(connection: Connection, kept: Iterable[Content]) -> None:
    """Keep these contents, each once."""
    _ROWS.insert(connection, (tuple(getattr(one, name) for name in _ROWS.names) for one in kept))


def get(connection: Connection, id_: str, workspace_id: str) -> Content | None:
    """The content of the workspace's generation with this id, None when none is kept."""
    of = contents.c.generation_id == id_, contents.c.workspace_id == workspace_id
    row = connection.execute(select(contents).where(*of)).mappings().one_or_none()
    return None if row is None else Content(**row)


class _Waiting(Struct, frozen=True):
    """A content that is to be read and written, and whom to tell when that is done."""

    read: Callable[[], Content]
    done: Callable[[], None]


class ContentRecorder:
    """Contents on their way to the database, written by a thread of its own and held in memory alone until then.

    They are worth less than records: what there is no room for is dropped, and what waits when the process is killed is
    lost.
    """

    def __init__(self, database: Database, *, capacity: int = CAPACITY) -> None:
        self.dropped = 0
        self._database = database
        self._capacity = capacity
        self._lock = Lock()  # held for moments only: the event loop takes it too
        self._waiting: OrderedDict[str, _Waiting] = OrderedDict()
        self._full = False
        self._work = Event()
        self._closing = Event()
        self._close_by = float("inf")
        self._thread = Thread(target=self._run, name="contents", daemon=True)
        self._thread.start()

    def keep(self, id_: str, read: Callable[[], Content], done: Callable[[], None]) -> bool:
        """Take one, which is read by this function later. Never waits; False when there is no room."""
        with self._lock:
            fits = len(self._waiting) < self._capacity
            if fits:
                self._waiting[id_] = _Waiting(read, done)
            say, self._full = not fits and not self._full, not fits
            if not fits:
                self.dropped += 1
        if fits:
            self._work.set()
        elif say:
            _log.error("%d contents wait for the storage: others are dropped from now on", self._capacity)
        return fits

    def close(self, *, wait_s: float = CLOSE_S) -> None:
        """Write all that waits, if that can be. Nothing may be kept any more."""
        self._close_by = monotonic() + wait_s
        self._closing.set()
        self._work.set()
        self._thread.join()
        if self._waiting:
            _log.error("%d contents are lost: the storage was away until the end", len(self._waiting))

    def _run(self) -> None:
        while not self._closing.is_set() or (self._waiting and monotonic() < self._close_by):
            self._work.wait()
            self._closing.wait(_GATHER_S)
            self._work.clear()
            while self._waiting:
                if not self._write():
                    self._closing.wait(_RETRY_S)
                    self._work.set()
                    break

    def _write(self) -> bool:
        """Write the oldest; False when the storage is away, and then they wait."""
        with self._lock:
            batch = {id_: self._waiting[id_] for id_, _ in zip(self._waiting, range(_BATCH), strict=False)}
        found = [content for one in batch.values() if (content := self._read(one)) is not None]
        try:
            with self._database.write(durable=False) as connection:
                save_many(connection, found)
        except GatewayError:
            return False
        except Exception as error:  # what no database can hold must not keep the others back
            _log.error("%d contents cannot be written: %s", len(found), type(error).__name__)
            self.dropped += len(found)
        with self._lock:
            for id_ in batch:
                del self._waiting[id_]
        for one in batch.values():
            one.done()
        return True

    def _read(self, one: _Waiting) -> Content | None:
        try:
            return one.read()
        except Exception as error:  # a fault of ours in one of them must not end the others
            _log.error("a content cannot be read: %s", type(error).__name__)
            self.dropped += 1
            return None
