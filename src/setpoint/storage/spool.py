"""The spool: what this process has not brought to the database yet, in files that survive it.

A line says that a request went upstream, and how it ended; the later one holds. Lines are handed to the operating
system as they come and never forced to the disk: they survive the end of the process, however it ends, but not a power
cut. Prompts and answers are in no record, so they are in no line.
"""

from __future__ import annotations

import errno
import logging
import os
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from setpoint.storage.segments import make_folder, read_lines, segment_path, write_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from setpoint.records import Generation

SEGMENT_BYTES = 4 << 20
"""How large a file grows before the next one is begun."""

MAX_BYTES = 512 << 20
"""How much may wait in the spool of one process; beyond it the oldest file is dropped."""

RETRY_S = 1.0
"""How long a spool that could not be written is left alone, in seconds."""

_log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Segment:
    """One file. `unsettled` are the ids whose end is written here and not known to be in the database.

    `parked` are those among them that are nowhere else. `begun` says that it has a whole line.
    """

    path: Path
    size: int = 0
    begun: bool = False
    unsettled: set[str] = field(default_factory=set[str])
    parked: set[str] = field(default_factory=set[str])


class Spool:
    """Append-only files in a folder that is locked for as long as this object is open. Safe in all threads.

    `dropped` counts records that were nowhere else and are lost. While the files cannot be written every method does
    without them, and they are tried again.
    """

    def __init__(
        self,
        root: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        max_bytes: int = MAX_BYTES,
        retry_s: float = RETRY_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.dropped = 0
        self.bytes = 0
        self._root = root
        self._segment_bytes = segment_bytes
        self._max_bytes = max_bytes
        self._retry_s = retry_s
        self._clock = clock
        self._lock = Lock()  # held for moments: the event loop takes it too
        self._folder: Path | None = None
        self._folder_lock: int | None = None
        self._number = 0
        self._segments: list[_Segment] = []
        self._file: int | None = None  # of the last segment, while it can be written
        self._open: dict[str, bytes] = {}  # the lines of requests that have not ended, all in the last segment too
        self._away_until: float | None = None
        self._dropping = False
        self._closed = False
        with self._lock:
            self._begin_segment()

    def begin(self, generation: Generation) -> None:
        """Note a request that goes upstream now; should it never end, this is what is known of it."""
        line = write_line(generation)
        if line is not None:
            with self._lock:
                self._append(line)
                self._open[generation.id] = line

    def finish(self, generation: Generation) -> bool:
        """Note how a request ended, and say whether that survives this process."""
        line = write_line(generation)
        with self._lock:
            self._open.pop(generation.id, None)
            if line is None or not self._append(line):
                return False
            self._segments[-1].unsettled.add(generation.id)
            return True

    def park(self, id_: str) -> bool:
        """Take sole charge of a record; False when it is not here."""
        with self._lock:
            segment = next((one for one in reversed(self._segments) if id_ in one.unsettled), None)
            if segment is None:
                return False
            segment.parked.add(id_)
            return True

    @property
    def holder(self) -> str | None:
        """The name of its folder: what this process is called by whoever brings home what it left. None: none yet."""
        folder = self._folder
        return folder.name if folder is not None else None

    @property
    def parked_count(self) -> int:
        """How many records are here and nowhere else."""
        with self._lock:
            return sum(len(segment.parked) for segment in self._segments)

    def has_parked(self, id_: str) -> bool:
        """Whether the record with this id is here and nowhere else."""
        with self._lock:
            return any(id_ in segment.parked for segment in self._segments)

    def settle(self, ids: Iterable[str]) -> None:
        """Forget these records: they are in the database, or never will be."""
        left = set(ids)
        gone: list[_Segment] = []
        with self._lock:
            for segment in self._segments:
                here = left & segment.unsettled
                if here:
                    left -= here
                    segment.unsettled -= here
                    segment.parked -= here
                    if not left:
                        break
            # The last one has what is open; but once it cannot be written, it may be what the disk is full of.
            current = self._segments[-1] if self._file is not None else None
            gone = [segment for segment in self._segments if not segment.unsettled and segment is not current]
            if gone:
                self._forget(gone)
                self._dropping = False
        _remove(gone)

    def parked(self) -> list[Generation]:
        """The parked records of the oldest file that has any; none when there are none.

        Those that their file no longer has are given up. Raises: `OSError` when it cannot be read now.
        """
        with self._lock:
            segment = next((one for one in self._segments if one.parked), None)
            if segment is None:
                return []
            wanted = set(segment.parked)
        found = self._read(segment, wanted)
        with self._lock:
            lost = (wanted - found.keys()) & segment.parked
            self.dropped += len(lost)
        if lost:
            _log.error("%d generations are lost: their spool file is damaged", len(lost))
            self.settle(lost)
        return list(found.values())

    def read(self, id_: str) -> Generation | None:
        """The parked record with this id, None when there is none any more. Raises: `OSError`."""
        with self._lock:
            segment = next((one for one in self._segments if id_ in one.parked), None)
        return None if segment is None else self._read(segment, {id_}).get(id_)

    def close(self) -> int:
        """Let go of the folder, and say how many records it still has. One that has none is removed."""
        with self._lock:
            self._closed = True
            self._end_segment()
            left = sum(len(segment.unsettled) for segment in self._segments)
            if not left and not self._open:
                _remove(self._segments)
                self._segments = []
                if self._folder is not None:
                    with suppress(OSError):
                        self._folder.rmdir()
            self._leave_folder()
        return left

    @staticmethod
    def _read(segment: _Segment, wanted: set[str]) -> dict[str, Generation]:
        try:
            lines = read_lines(segment.path)
            return {
                one.id: one for one in lines if one is not None and one.id in wanted and one.status != "interrupted"
            }
        except FileNotFoundError:
            return {}

    def _append(self, line: bytes) -> bool:
        """Write a line behind all others; False when that cannot be done now."""
        if self._file is None or self._segments[-1].size + len(line) > self._segment_bytes:
            self._begin_segment()
        if self._file is None:
            return False
        try:
            self._write(self._file, line)
        except OSError as error:
            self._fail(error)
            return False
        return True

    def _write(self, file: int, lines: bytes) -> None:
        written = os.write(file, lines)
        segment = self._segments[-1]
        segment.size += written
        self.bytes += written
        if written != len(lines):  # the disk is full; what comes next must not stand behind half a line
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        segment.begun = True
        if self._away_until is not None:
            self._away_until = None
            _log.info("the spool is back")

    def _begin_segment(self) -> None:
        """Go on in a new file, which begins with what is open."""
        if self._closed or (self._away_until is not None and self._clock() < self._away_until):
            return
        self._end_segment()
        try:
            if self._folder is None:
                self._folder, self._folder_lock = make_folder(self._root)
            self._number += 1
            path = segment_path(self._folder, self._number)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
            self._segments.append(_Segment(path))
            if self._open:
                self._write(self._file, b"".join(self._open.values()))
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                self._leave_folder()  # someone took it away: the next try makes another
            self._fail(error)
            return
        self._drop_oldest()

    def _end_segment(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None

    def _fail(self, error: OSError) -> None:
        """Do without files for a while."""
        self._end_segment()
        if self._segments and not self._segments[-1].begun:  # else every try would leave one behind
            last = self._segments[-1]
            self._forget([last])
            _remove([last])
        if self._away_until is None:
            _log.warning("the spool is away, records wait in memory only: %s", os.strerror(error.errno or 0))
        self._away_until = self._clock() + self._retry_s

    def _drop_oldest(self) -> None:
        while self.bytes > self._max_bytes and len(self._segments) > 1:
            oldest = self._segments[0]
            self._forget([oldest])
            _remove([oldest])
            self.dropped += len(oldest.parked)
            if oldest.parked and not self._dropping:
                self._dropping = True
                _log.error("the spool holds %d bytes: the oldest records are dropped from now on", self._max_bytes)
            oldest.parked.clear()

    def _forget(self, segments: list[_Segment]) -> None:
        self._segments = [segment for segment in self._segments if segment not in segments]
        self.bytes -= sum(segment.size for segment in segments)

    def _leave_folder(self) -> None:
        if self._folder_lock is not None:
            os.close(self._folder_lock)
        self._folder = self._folder_lock = None


def _remove(segments: Iterable[_Segment]) -> None:
    """Delete files. One that cannot be deleted is read again at the next start, which changes nothing."""
    for segment in segments:
        with suppress(OSError):
            segment.path.unlink()
