"""A watch on the event loop: when it stands still, the log says where."""

from __future__ import annotations

import logging
import sys
import time
from pathlib import PurePath
from threading import Event, Thread, get_ident
from traceback import walk_stack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

    from setpoint.gateway.lag import LoopLag

BLOCKED_S = 1.0
"""How long the loop may stand still before it is said, in seconds."""

_LOOK_S = 0.2
_FRAMES = 5
_log = logging.getLogger("setpoint.loop")


class LoopWatch:
    """A thread beside the event loop that says in the log when the loop has stood still for a second, and where.

    Make it, and `start` it, in the loop's own thread. `observe` is told each lateness that the loop itself measures,
    and says how long it was when the loop turns again.
    """

    def __init__(self, lag: LoopLag) -> None:
        self._lag = lag
        self._loop_thread = get_ident()
        self._said: float | None = None  # since when the loop stands still, once that is said
        self._cpu_s = time.process_time()
        self._end = Event()
        self._thread = Thread(target=self._run, name="loop watch", daemon=True)

    def start(self) -> None:
        """Watch from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def observe(self, late_s: float) -> None:
        """The loop has just turned, so late, in seconds."""
        cpu_s = time.process_time()
        busy_s, self._cpu_s = cpu_s - self._cpu_s, cpu_s
        since, self._said = self._said, None
        if since is not None:
            _log.warning("the event loop turns again: it stood still for %.1f s", time.monotonic() - since)
        elif late_s >= BLOCKED_S and busy_s > late_s / 2:
            # What holds the interpreter's lock all the while holds up the watch as well. The time that was used tells
            # it from a machine that had no time for us.
            _log.warning("the event loop turns again: it stood still for %.1f s, as did all threads", late_s)

    def _run(self) -> None:
        looked = fair = time.monotonic()
        while not self._end.wait(_LOOK_S):
            now = time.monotonic()
            if now - looked > 2 * _LOOK_S:
                fair = now  # this thread was held up as well, so until now nothing can be said of the loop
            looked = now
            since = max(self._lag.turned_at, fair)
            still_s = now - since
            if still_s >= BLOCKED_S and self._said is None:
                self._said = since
                _log.warning("the event loop stands still for %.1f s: %s", still_s, self._where())

    def _where(self) -> str:
        """The functions that the loop's thread is in, the innermost first. Places only, never values."""
        # Documented in spite of its name, and the only way to another thread's stack.
        frames = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        frame = frames.get(self._loop_thread)
        return " < ".join(_place(frame, line) for frame, line in list(walk_stack(frame))[:_FRAMES]) if frame else "?"


def _place(frame: FrameType, line: int) -> str:
    code = frame.f_code
    return f"{code.co_qualname} ({'/'.join(PurePath(code.co_filename).parts[-2:])}:{line})"
