"""The recorder: takes generations from the event loop and brings them to the database later, in batches."""

from __future__ import annotations

import logging
from collections import OrderedDict
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING

from setpoint.errors import GatewayError
from setpoint.storage.away import away
from setpoint.storage.batches import BATCH, save_batch

if TYPE_CHECKING:
    from setpoint.coordination.board import Seat
    from setpoint.records import Generation
    from setpoint.storage.database import Database
    from setpoint.storage.spool import Spool

HELD = 10_000
"""How many records wait in memory while the storage is away; those beyond it wait in the spool alone."""

CAPACITY = 100_000
"""How many wait in memory while the spool is away, too; beyond it the oldest are dropped."""

GATHER_S = 0.05
"""How long a record waits for others to be written with it, in seconds."""

CLOSE_S = 10.0
"""How long `close` goes on trying to write what is nowhere else, in seconds."""

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0

_log = logging.getLogger(__name__)


class Recorder:
    """Generations on their way to the database, written by a thread that has a connection to itself.

    What it is given is in the spool before it returns, and stays there until the database has it.
    """

    def __init__(
        self,
        database: Database,
        spool: Spool,
        seat: Seat,
        *,
        held: int = HELD,
        capacity: int = CAPACITY,
        gather_s: float = GATHER_S,
    ) -> None:
        self._database = database
        self._spool = spool
        self._seat = seat  # where the other workers see that there are records here
        self._held = held
        self._capacity = capacity
        self._gather_s = gather_s
        self._lock = Lock()  # held for moments only: the event loop takes it too
        self._waiting: OrderedDict[str, Generation] = OrderedDict()
        self._writing: dict[str, Generation] = {}
        self._bare: set[str] = set()  # of these, the ones that are not in the spool
        self._dropped = 0
        self._full = False
        self._work = Event()
        self._closing = Event()
        self._close_by = float("inf")
        seat.let_go()
        self._thread = Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """How many records will never be written."""
        return self._dropped + self._spool.dropped

    @property
    def waiting(self) -> int:
        """How many records are not in the database yet."""
        return len(self._waiting) + len(self._writing) + self._spool.parked_count

    def begin(self, generation: Generation) -> None:
        """Note a request that goes upstream now: what its record will be if this process does not see its end."""
        self._spool.begin(generation)

    def record(self, generation: Generation) -> None:
        """Take a record. Never waits for the storage."""
        spooled = self._spool.finish(generation)
        overflow = False
        with self._lock:
            if spooled and len(self._waiting) >= self._held and self._spool.park(generation.id):
                return  # the thread is at work, and comes to it when it has done what is in memory
            self._waiting[generation.id] = generation
            if not spooled:
                self._bare.add(generation.id)
            first = len(self._waiting) == 1
            if first:
                self._seat.hold()
            if len(self._waiting) > self._capacity:
                oldest, _ = self._waiting.popitem(last=False)
                if not self._spool.park(oldest):
                    self._dropped += 1
                    overflow, self._full = not self._full, True
                self._bare.discard(oldest)
        if first:
            self._work.set()
        if overflow:
            _log.error("%d generations wait for the storage: the oldest are dropped from now on", self._capacity)

    def find(self, id_: str) -> Generation | None:
        """The record with this id if it is in memory still, otherwise None."""
        with self._lock:
            return self._waiting.get(id_) or self._writing.get(id_)

    def has_parked(self, id_: str) -> bool:
        """Whether the record with this id waits in the spool alone."""
        return self._spool.has_parked(id_)

    def read_parked(self, id_: str) -> Generation | None:
        """The record that waits in the spool alone, None when it is gone from there. Reads a file.

        Raises: `GatewayError` (unavailable).
        """
        try:
            return self._spool.read(id_)
        except OSError as error:
            raise away() from error

    def close(self, *, wait_s: float = CLOSE_S) -> int:
        """Write all that waits, and say how many records are lost. Nothing may be recorded any more.

        What cannot be written now stays in the spool, for the next start.
        """
        self._close_by = monotonic() + wait_s
        self._closing.set()
        self._work.set()
        self._thread.join()
        if left := self._spool.close():
            _log.warning("the storage is away: %d generations stay in the spool for the next start", left)
        lost = len(self._bare)
        if lost:
            _log.error("%d generations are lost: the storage and the spool were away until the end", lost)
        return lost

    def _run(self) -> None:
        while not self._closing.is_set():
            self._work.wait()
            self._work.clear()
            self._drain()

    def _drain(self) -> None:
        """Write until nothing waits, or until it is too late."""
        pause_s = 0.0
        while self._waiting or self._writing or (self._spool.parked_count and not self._closing.is_set()):
            if len(self._waiting) < BATCH:
                self._closing.wait(self._gather_s)
            if self._write():
                if pause_s:
                    _log.info("the storage is back")
                pause_s = 0.0
                continue
            self._spool_again()
            if self._closing.is_set() and (not self._bare or monotonic() > self._close_by):
                return
            if not pause_s:
                _log.warning("the storage is away: %d generations wait for it", self.waiting)
            pause_s = min(pause_s * 2 or _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
            if self._closing.wait(pause_s):
                sleep(_FIRST_PAUSE_S)

    def _write(self) -> bool:
        """Take the next records in hand and write them; False when that cannot be, and then they stay in hand."""
        try:
            self._take()
            self._dropped += save_batch(self._database, list(self._writing.values()), self._spool.holder)
        except (GatewayError, OSError):
            return False
        self._spool.settle(self._writing)
        with self._lock:
            self._bare.difference_update(self._writing)
            self._writing = {}
            self._seat.let_go()
            if self._waiting:
                self._seat.hold()
        return True

    def _take(self) -> None:
        """The oldest records, unless some are in hand from a try that failed; behind them those in the spool alone.

        Raises: `OSError` when the spool cannot be read.
        """
        with self._lock:
            if self._writing:
                return
            count = min(BATCH, len(self._waiting))
            self._writing = dict(self._waiting.popitem(last=False) for _ in range(count))
            self._full = False
        if not count:
            parked = {record.id: record for record in self._spool.parked()}
            with self._lock:
                self._writing = parked
                self._seat.hold()

    def _spool_again(self) -> None:
        """Bring to the spool what it could not take when it came."""
        for id_ in list(self._bare):
            record = self.find(id_)
            if record is not None and not self._spool.finish(record):
                return
            with self._lock:
                self._bare.discard(id_)
