"""The board: memory that the workers of one server share, made before they are forked.

Nothing on it needs a lock: each cell and each slot has one writer, and is read as it stands. What stands there
outlives the worker that wrote it, and ends with the server.
"""

from __future__ import annotations

import mmap
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

SLOT_BYTES = 256 * 1024
"""The most that a worker's slot holds, in bytes."""

VITALS_BYTES = 1024 * 1024
"""The most that the slot of what a worker has seen of endpoints holds, in bytes."""

CONFIGURATION_BYTES = 2 * 1024 * 1024
"""The most that the configuration's slot holds, in bytes: more than the file may have."""

_CELL_BYTES = 8
_MILLISECONDS = 1000
_SLOT_HEAD = 3
"""Cells at the head of a slot: how often it was written, and how long each of its two halves is."""


class Happening(IntEnum):
    """What happens to a server as a whole, and is counted."""

    RESTART = 0
    """A worker was started in place of one that ended."""

    RELOAD = 1
    """A newer configuration was put to use."""

    REFUSED_RELOAD = 2
    """A newer configuration was wrong."""


class Slot:
    """Bytes that one process writes and all can read. A writer that is killed at it leaves what was there before."""

    def __init__(self, memory: memoryview) -> None:
        head = _SLOT_HEAD * _CELL_BYTES
        self._cells = memory[:head].cast("Q")
        self.most_bytes = (len(memory) - head) // 2
        self._halves = (memory[head : head + self.most_bytes], memory[head + self.most_bytes :])

    def write(self, data: bytes) -> None:
        """Replace what is there. Raises: `ValueError` for more than fits."""
        if len(data) > self.most_bytes:
            raise ValueError(f"{len(data)} bytes do not fit in a slot of {self.most_bytes}")
        written = self._cells[0] + 1
        half = written % 2
        self._halves[half][: len(data)] = data
        self._cells[1 + half] = len(data)
        self._cells[0] = written  # last: from here on the new half is the one that counts

    def read(self) -> bytes:
        """What was written last, b"" when nothing was."""
        while True:
            written = self._cells[0]
            half = written % 2
            data = bytes(self._halves[half][: self._cells[1 + half]])
            if self._cells[0] == written:  # else the writer may have begun this half again meanwhile
                return data


class Board:
    """The shared memory of a server with this many workers, each known by an index from 0.

    `clock` gives monotonic seconds that all processes of the machine have in common. `configuration` is a slot of the
    supervisor's, for the file that the workers are to read. `vitals` are a slot of each worker, for what it has seen
    of endpoints.
    """

    def __init__(self, workers: int, clock: Callable[[], float]) -> None:
        self.workers = workers
        self._clock = clock
        cells = (3 * workers + len(Happening)) * _CELL_BYTES
        slot, vitals = _slot_size(SLOT_BYTES), _slot_size(VITALS_BYTES)
        slots = cells + workers * slot
        memory = memoryview(mmap.mmap(-1, slots + workers * vitals + _slot_size(CONFIGURATION_BYTES)))
        numbers = memory[:cells].cast("Q")
        self._revisions = numbers[:workers]
        self._beats = numbers[workers : 2 * workers]
        self._held = numbers[2 * workers : 3 * workers]
        self._counts = numbers[3 * workers :]
        self._slots = tuple(Slot(memory[cells + at * slot :][:slot]) for at in range(workers))
        self.vitals = tuple(Slot(memory[slots + at * vitals :][:vitals]) for at in range(workers))
        self.configuration = Slot(memory[slots + workers * vitals :])

    @property
    def revision(self) -> int:
        """The highest revision of the database that any worker has committed."""
        return max(self._revisions)

    def publish(self, index: int, revision: int) -> None:
        """Tell all workers what this one has committed. Said before the write is answered."""
        self._revisions[index] = max(revision, self._revisions[index])

    def beat(self, index: int) -> None:
        """Say that this worker's event loop turns."""
        self._beats[index] = int(self._clock() * _MILLISECONDS)

    def silence_s(self, index: int) -> float:
        """How long ago that worker's event loop last turned, in seconds."""
        return self._clock() - self._beats[index] / _MILLISECONDS

    def hold(self, index: int) -> None:
        """Say that this worker has records that are not in the database, since now or since it said so before."""
        if not self._held[index]:
            self._held[index] = int(self._clock() * _MILLISECONDS)

    def let_go(self, index: int) -> None:
        """Say that this worker has brought its records to the database."""
        self._held[index] = 0

    def held_s(self) -> float:
        """How long any worker has had records that are not in the database, in seconds; 0 when none has."""
        since = min(filter(None, self._held), default=None)
        return 0.0 if since is None else self._clock() - since / _MILLISECONDS

    def count(self, what: Happening) -> None:
        """Count one more of these. The process that leads the server does, and no other."""
        self._counts[what] += 1

    def counted(self, what: Happening) -> int:
        """How many of these there were."""
        return self._counts[what]

    def slot(self, index: int) -> Slot:
        """The slot that this worker writes."""
        return self._slots[index]

    def slots(self) -> list[bytes]:
        """What every worker wrote last."""
        return [slot.read() for slot in self._slots]

    def seat(self, index: int) -> Seat:
        """The place of the worker with this index."""
        return Seat(self, index)


def _slot_size(most: int) -> int:
    """The bytes of a slot that holds so many."""
    return _SLOT_HEAD * _CELL_BYTES + 2 * most


class Seat:
    """One worker's place at the board: what it writes under its own name, and what it reads of all."""

    def __init__(self, board: Board, index: int) -> None:
        self.board = board
        self.index = index

    @property
    def revision(self) -> int:
        """The highest revision of the database that any worker has committed."""
        return self.board.revision

    def publish(self, revision: int) -> None:
        """Tell all workers what this one has committed."""
        self.board.publish(self.index, revision)

    def beat(self) -> None:
        """Say that this worker's event loop turns."""
        self.board.beat(self.index)

    def hold(self) -> None:
        """Say that this worker has records that are not in the database."""
        self.board.hold(self.index)

    def let_go(self) -> None:
        """Say that this worker has brought its records to the database."""
        self.board.let_go(self.index)

    def held_s(self) -> float:
        """How long any worker has had records that are not in the database, in seconds."""
        return self.board.held_s()

    @property
    def slot(self) -> Slot:
        """The slot that this worker writes."""
        return self.board.slot(self.index)
