"""Bringing home what processes that are no more have left in their spools: at the start, and from time to time."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from threading import Event, Thread
from typing import TYPE_CHECKING, NamedTuple

from setpoint.errors import GatewayError
from setpoint.storage import leases
from setpoint.storage.batches import BATCH, save_batch
from setpoint.storage.segments import folders, read_lines, segment_paths, take

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from setpoint.records import Generation
    from setpoint.storage.database import Database

EVERY_S = 2.0
"""How often it is looked for processes that have ended, in seconds."""

_BREATH_S = 0.01  # between batches, in which others get their turn to write

_log = logging.getLogger(__name__)


class Recovered(NamedTuple):
    """What was found in a spool: records with an end, records of requests whose end nobody saw, lines that are none."""

    ended: int
    interrupted: int
    unreadable: int


class Recovery:
    """A thread that looks for spools without an owner. Several processes may do this at once: one gets each spool."""

    def __init__(self, database: Database, root: Path, *, every_s: float = EVERY_S) -> None:
        self._database = database
        self._root = root
        self._every_s = every_s
        self._done: set[Path] = set()  # folders that are brought home and cannot be deleted
        self._closing = Event()
        self._thread = Thread(target=self._run, name="recovery", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it. What is not brought home yet stays for the next one."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            # Storage is away, or the folder is: there is a next time.
            with suppress(GatewayError, OSError):
                for folder in folders(self._root):
                    self._look_at(folder)
                self._release_lost()
            if self._closing.wait(self._every_s):
                return

    def _look_at(self, folder: Path) -> None:
        if folder in self._done or self._closing.is_set():
            return
        lock = take(folder)
        if lock is None:
            return
        try:
            found = self._bring_home(folder)
            if found is not None:
                if not _delete(folder):
                    self._done.add(folder)
                if any(found):
                    _log.warning(
                        "%d generations are brought home from a process that has ended, %d of them interrupted; "
                        "%d lines of its spool are unreadable",
                        found.ended + found.interrupted,
                        found.interrupted,
                        found.unreadable,
                    )
        finally:
            os.close(lock)

    def _release_lost(self) -> None:
        """Release what nobody can hold any more: whose folder someone has taken away."""
        with self._database.read() as connection:
            held = leases.holders(connection)
        gone = set(held).difference(folder.name for folder in folders(self._root)) if held else set[str]()
        for holder in gone:
            with self._database.write(durable=False) as connection:
                leases.release(connection, holder)

    def _bring_home(self, folder: Path) -> Recovered | None:
        """Write all of a spool to the database; None when there is no time left for it.

        A record that is there already stays as it is, so this may be done again. Of one request, how it ended comes
        first, and where nothing says that, that it was under way.
        """
        ended = unreadable = 0
        batch: list[Generation] = []
        under_way: dict[str, Generation] = {}
        for record in _records(folder):
            if record is None:
                unreadable += 1
            elif record.status == "interrupted":
                under_way[record.id] = record
            else:
                under_way.pop(record.id, None)
                batch.append(record)
                ended += 1
            if len(batch) >= BATCH:
                if self._closing.wait(_BREATH_S):
                    return None
                save_batch(self._database, batch, folder.name)
                batch = []
        batch += under_way.values()
        for start in range(0, len(batch), BATCH):
            save_batch(self._database, batch[start : start + BATCH], folder.name)
        with self._database.write(durable=False) as connection:
            leases.release(connection, folder.name)
        return Recovered(ended, len(under_way), unreadable)


def _records(folder: Path) -> Iterator[Generation | None]:
    for path in segment_paths(folder):
        yield from read_lines(path)


def _delete(folder: Path) -> bool:
    """Delete the segments and the folder; False when something of it stays."""
    try:
        for path in segment_paths(folder):
            path.unlink()
        folder.rmdir()
    except OSError:
        return False
    return True
