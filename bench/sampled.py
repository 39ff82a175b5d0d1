"""`setpoint` with a sampler beside it: `python -m bench.sampled FILE serve ...`, for `bench.profile`.

SIGRTMIN starts the sampling, another ends it and writes the file. While it is on, every millisecond of CPU time brings
a SIGPROF, whose handler sees where the main thread is. A sample weighs what the main thread's CPU clock says has gone
by since the one before, so that the sum is right though a handler must wait for C code to return; that time counts for
who called the C code.
"""

from __future__ import annotations

import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import setpoint
from setpoint.cli.main import main

if TYPE_CHECKING:
    from types import FrameType

_INTERVAL_S = 0.001
_OURS = Path(setpoint.__file__).parent.as_posix() + "/"
_LOOP = "uvloop"


class Spot(msgspec.Struct, frozen=True):
    """Where a sample fell. `room` and `function` are the innermost of Setpoint's own, empty when there is none."""

    room: str
    function: str
    library: str
    """The package that the innermost frame belongs to; empty when that is Setpoint itself."""


class Profile(msgspec.Struct, frozen=True):
    """Nanoseconds of CPU time by spot, of the main thread, and of all other threads together."""

    spots: list[tuple[Spot, int]]
    other_threads_ns: int


class Sampler:
    """What has been seen since the sampling was started."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._on = False
        self._spots: Counter[Spot] = Counter()
        self._last_ns = self._started_ns = self._started_all_ns = 0

    def toggle(self, _number: int, _frame: FrameType | None) -> None:
        """Start, or end and write the file."""
        self._on = not self._on
        if self._on:
            self._last_ns = self._started_ns = time.thread_time_ns()
            self._started_all_ns = time.process_time_ns()
            signal.setitimer(signal.ITIMER_PROF, _INTERVAL_S, _INTERVAL_S)
            return
        signal.setitimer(signal.ITIMER_PROF, 0)
        own_ns = time.thread_time_ns() - self._started_ns
        others_ns = time.process_time_ns() - self._started_all_ns - own_ns
        new = self._file.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(Profile(list(self._spots.items()), others_ns)))
        new.replace(self._file)

    def sample(self, _number: int, frame: FrameType | None) -> None:
        """One more sample."""
        now_ns = time.thread_time_ns()
        if self._on:
            self._spots[spot(frame)] += now_ns - self._last_ns
        self._last_ns = now_ns


def spot(frame: FrameType | None) -> Spot:
    """Where a stack stands. What lies under the event loop is the same for all and not looked at."""
    library = "" if frame is None else _library(frame.f_code.co_filename)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_OURS):
            inside = name.removeprefix(_OURS)
            return Spot(inside.split("/")[0].removesuffix(".py"), f"{inside}:{frame.f_code.co_qualname}", library)
        if _library(name) == _LOOP:
            break
        frame = frame.f_back
    return Spot("", "", library)


def _library(file: str) -> str:
    if file.startswith(_OURS):
        return ""
    _, found, inside = file.rpartition("/site-packages/")
    return inside.split("/")[0].removesuffix(".py") if found else "Python's own library"


if __name__ == "__main__":
    sampler = Sampler(Path(sys.argv.pop(1)))
    signal.signal(signal.SIGRTMIN, sampler.toggle)
    signal.signal(signal.SIGPROF, sampler.sample)
    signal.siginterrupt(signal.SIGPROF, False)
    sys.exit(main())
