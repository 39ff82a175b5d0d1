"""Log lines on their way out: whoever reads them, or does not, no one here waits for it."""

from __future__ import annotations

import logging
import os
import select
import sys
from collections import deque
from threading import Condition, Thread
from time import sleep
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_WAITING_BYTES = 4 * 1024 * 1024
"""How much may wait to be written, in bytes; what comes on top of it is dropped, and counted."""

GATHER_S = 0.01
"""How long a line waits for others to be written with it, in seconds."""

CLOSE_S = 1.0
"""How long the end of the process waits for what has not been written, in seconds."""

# A write to a pipe of up to this size is whole: lines of several workers that share one are never mixed.
_WHOLE_BYTES = select.PIPE_BUF


class LineQueue:
    """Lines for `write`, which may wait for as long as it likes: a thread calls it.

    Order is kept. `dropped` counts the lines that found no room or could not be written; when there is room again, the
    line that `tell` makes of their number stands where they would have stood. The thread starts with the first line,
    and again in a process that was forked from this one, which begins with an empty queue.
    """

    def __init__(
        self, write: Callable[[bytes], object], tell: Callable[[int], bytes], *, max_bytes: int = MAX_WAITING_BYTES
    ) -> None:
        self.dropped = 0
        self._write = write
        self._tell = tell
        self._max_bytes = max_bytes
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._changed = Condition()
        self._waiting: deque[bytes] = deque()
        self._bytes = 0  # of what waits, and of what is being written
        self._untold = 0
        self._failing = False  # the last write did
        self._ended = False
        self._thread: Thread | None = None

    def put(self, line: bytes) -> None:
        """Take one line, its end included. Never waits."""
        if self._pid != os.getpid():
            self._begin()
        with self._changed:
            if self._bytes + len(line) > self._max_bytes:
                self._lose(1)
                return
            self._tell_untold()
            idle = not self._bytes
            self._add(line)
            if idle:
                self._changed.notify_all()
            if self._thread is None:
                self._thread = Thread(target=self._run, name="log", daemon=True)
                self._thread.start()

    def flush(self, wait_s: float) -> bool:
        """Whether all has been written, waiting for that at most so many seconds."""
        if self._pid != os.getpid():
            self._begin()
        with self._changed:
            return self._changed.wait_for(lambda: not self._bytes, wait_s)

    def end(self) -> None:
        """Let the thread go once all has been written."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def _add(self, line: bytes) -> None:
        self._waiting.append(line)
        self._bytes += len(line)

    def _lose(self, count: int) -> None:
        self.dropped += count
        self._untold += count

    def _tell_untold(self) -> None:
        if self._untold and not self._failing:
            self._add(self._tell(self._untold))
            self._untold = 0

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                if not self._waiting:
                    self._thread = None
                    return
            sleep(GATHER_S)
            with self._changed:
                lines, self._waiting = self._waiting, deque()
            for piece in _pieces(lines):
                lost = self._lost_of(piece)
                with self._changed:
                    self._bytes -= len(piece)
                    self._failing = lost > 0
                    self._lose(lost)
            with self._changed:
                if not self._waiting:
                    self._tell_untold()
                self._changed.notify_all()

    def _lost_of(self, piece: bytes) -> int:
        """How many of these lines could not be written: nobody reads any more, or the disk is full."""
        try:
            self._write(piece)
        except OSError:
            return piece.count(b"\n")
        return 0


def _pieces(lines: deque[bytes]) -> list[bytes]:
    """The lines put together as far as they are written whole."""
    pieces: list[bytes] = []
    together: list[bytes] = []
    size = 0
    for line in lines:
        if together and size + len(line) > _WHOLE_BYTES:
            pieces.append(b"".join(together))
            together, size = [], 0
        together.append(line)
        size += len(line)
    return [*pieces, b"".join(together)]


class QueueHandler(logging.Handler):
    """Log records to standard error, by way of a queue."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self.queue = LineQueue(standard_error(), self._told)

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record. It is put into words here, so that nothing it mentions is kept alive."""
        try:
            line = self.format(record)
        except Exception as error:  # whoever logs, a library perhaps, is not to fail for its words
            line = self.format(
                _plain_record(logging.ERROR, "a line of %s failed: %s", record.name, type(error).__name__)
            )
        self.queue.put(_encoded(line))

    def flush(self) -> None:
        """Wait for what has not been written, a second at most. The end of the process calls this."""
        self.queue.flush(CLOSE_S)

    def close(self) -> None:
        """Take no more."""
        self.queue.end()
        super().close()

    def _told(self, lost: int) -> bytes:
        return _encoded(self.format(_plain_record(logging.WARNING, "%d log lines were dropped", lost)))


def _plain_record(level: int, message: str, *said: object) -> logging.LogRecord:
    return logging.LogRecord(__name__, level, "", 0, message, said, None)


def _encoded(line: str) -> bytes:
    return f"{line}\n".encode("ascii", "backslashreplace")


def standard_error() -> Callable[[bytes], object]:
    """What writes to standard error: to its descriptor, where it has one.

    The stream above the descriptor has a lock, which a thread that is stuck in a write would hold to the very end,
    and the interpreter asks for it when it ends.
    """
    try:
        descriptor = sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):
        stream = sys.stderr
        return lambda data: stream.write(data.decode())
    return lambda data: _write_all(descriptor, data)


def _write_all(descriptor: int, data: bytes) -> None:
    """Write all of it. Raises: `OSError`."""
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # whoever started us made it so
            waiting = select.poll()
            waiting.register(descriptor, select.POLLOUT)
            waiting.poll()
