"""The recorder: takes finished generations from the event loop and brings them to the database later, in batches."""

from __future__ import annotations

import logging
from collections import OrderedDict
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING

from setpoint.errors import GatewayError
from setpoint.storage.generations import save_many

if TYPE_CHECKING:
    from setpoint.records import Generation
    from setpoint.storage.database import Database

CAPACITY = 100_000
"""How many records may wait while the storage is away; beyond it the oldest are dropped."""

GATHER_S = 0.05
"""How long a record waits for others to be written with it, in seconds."""

CLOSE_S = 10.0
"""How long `close` goes on trying when the storage is away, in seconds."""

_BATCH = 500
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0

_log = logging.getLogger(__name__)


class Recorder:
    """Generations on their way to the database, written by a thread that has a connection to itself.

    While the storage is away they stay here and are tried again. `dropped` counts those that will never be written.
    """

    def __init__(self, database: Database, *, capacity: int = CAPACITY, gather_s: float = GATHER_S) -> None:
        self.dropped = 0
        self._database = database
        self._capacity = capacity
        self._gather_s = gather_s
        self._lock = Lock()  # held for moments only: the event loop takes it too
        self._waiting: OrderedDict[str, Generation] = OrderedDict()
        self._writing: dict[str, Generation] = {}
        self._full = False
        self._work = Event()
        self._closing = Event()
        self._close_by = float("inf")
        self._thread = Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def record(self, generation: Generation) -> None:
        """Take a record. Never waits for the storage."""
        overflow = False
        with self._lock:
            self._waiting[generation.id] = generation
            first = len(self._waiting) == 1
            if len(self._waiting) > self._capacity:
                self._waiting.popitem(last=False)
                self.dropped += 1
                overflow, self._full = not self._full, True
        if first:
            self._work.set()
        if overflow:
            _log.error("%d generations wait for the storage: the oldest are dropped from now on", self._capacity)

    @property
    def waiting(self) -> int:
        """How many records are not in the database yet."""
        return len(self._waiting) + len(self._writing)

    def find(self, id_: str) -> Generation | None:
        """The record with this id if it is not in the database yet, otherwise None."""
        with self._lock:
            return self._waiting.get(id_) or self._writing.get(id_)

    def close(self, *, wait_s: float = CLOSE_S) -> int:
        """Write all that waits, and say how many could not be written. Nothing may be recorded any more."""
        self._close_by = monotonic() + wait_s
        self._closing.set()
        self._work.set()
        self._thread.join()
        left = self.waiting
        if left:
            _log.error("%d generations are lost: the storage was away until the end", left)
        return left

    def _run(self) -> None:
        while not self._closing.is_set():
            self._work.wait()
            self._work.clear()
            self._drain()

    def _drain(self) -> None:
        """Write until nothing waits, or until it is too late."""
        pause_s = 0.0
        while self._waiting or self._writing:
            if len(self._waiting) < _BATCH:
                self._closing.wait(self._gather_s)
            self._take()
            if self._write():
                if pause_s:
                    _log.info("the storage is back")
                pause_s = 0.0
                continue
            if monotonic() > self._close_by:
                return
            if not pause_s:
                _log.warning("the storage is away: %d generations wait for it", self.waiting)
            pause_s = min(pause_s * 2 or _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
            if self._closing.wait(pause_s):
                sleep(_FIRST_PAUSE_S)

    def _take(self) -> None:
        """Take the oldest records in hand, unless some are in hand from a try that failed."""
        with self._lock:
            if not self._writing:
                count = min(_BATCH, len(self._waiting))
                self._writing = dict(self._waiting.popitem(last=False) for _ in range(count))
                self._full = False

    def _write(self) -> bool:
        """Write what is in hand; False when the storage is away, and then it stays in hand."""
        try:
            self._save(list(self._writing.values()))
        except GatewayError:
            return False
        except Exception as error:  # one record that no database can hold must not keep the others back
            _log.warning("a batch is written one by one: %s", type(error).__name__)
            return self._write_one_by_one()
        with self._lock:
            self._writing = {}
        return True

    def _write_one_by_one(self) -> bool:
        for id_, generation in list(self._writing.items()):
            lost = False
            try:
                self._save([generation])
            except GatewayError:
                return False
            except Exception as error:
                _log.error("generation %s cannot be written: %s", id_, type(error).__name__)
                lost = True
            with self._lock:
                del self._writing[id_]
                self.dropped += lost
        return True

    def _save(self, generations: list[Generation]) -> None:
        with self._database.write(durable=False) as connection:
            save_many(connection, generations)
