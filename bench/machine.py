"""What the operating system says of processes: CPU time, memory, and which cores they may use. Linux only."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from collections.abc import Set as AbstractSet

_PROC = Path("/proc")


class Cores(NamedTuple):
    """Who runs where: the gateway apart from what loads it, when there are two cores or more."""

    gateway: frozenset[int]
    load: frozenset[int]

    @property
    def apart(self) -> bool:
        """Whether the two do not disturb each other."""
        return not self.gateway & self.load


def available_cores() -> list[int]:
    """The cores that this process may use."""
    return sorted(os.sched_getaffinity(0))


def share(available: Sequence[int], workers: int = 1) -> Cores:
    """The cores for a gateway of so many workers, and for the rest. The last core always belongs to the load."""
    if len(available) == 1:
        return Cores(frozenset(available), frozenset(available))
    load = frozenset(available[workers:] or available[-1:])
    return Cores(frozenset(available[:workers]), load)


@contextmanager
def on(chosen: AbstractSet[int]) -> Generator[None]:
    """What is started inside runs on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, chosen)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def tree(pid: int) -> list[int]:
    """The process and all that descend from it."""
    found, queue = [pid], [pid]
    while queue:
        for task in (_PROC / str(queue.pop()) / "task").glob("*/children"):
            try:
                children = [int(child) for child in task.read_text().split()]
            except OSError:  # it has ended in this moment
                continue
            found += children
            queue += children
    return found


def cpu_s(pids: Sequence[int]) -> float:
    """The CPU time that living processes have used, all their threads together, in seconds.

    Read from each process's CPU clock, which counts nanoseconds where `/proc/PID/stat` counts in hundredths of a
    second. The number of that clock is what `clock_getcpuclockid` makes of a process id.
    """
    total = 0.0
    for pid in pids:
        try:
            total += time.clock_gettime((~pid << 3) | 2)
        except OSError:  # it has ended
            continue
    return total


class Memory(NamedTuple):
    """Resident memory of processes, summed, in bytes: now, and at its highest."""

    now: int
    peak: int


def memory(pids: Sequence[int]) -> Memory:
    """The memory of living processes. What they share is counted in each."""
    now = peak = 0
    for pid in pids:
        try:
            lines = (_PROC / str(pid) / "status").read_text().splitlines()
        except OSError:
            continue
        figures = dict(line.split(":", 1) for line in lines)
        now += _kib(figures.get("VmRSS"))
        peak += _kib(figures.get("VmHWM"))
    return Memory(now, peak)


def _kib(written: str | None) -> int:
    return int(written.split()[0]) * 1024 if written else 0


def open_files(pid: int) -> int:
    """How many file descriptors a process holds."""
    return len(list((_PROC / str(pid) / "fd").iterdir()))


def threads(pid: int) -> int:
    """How many threads a process has."""
    return len(list((_PROC / str(pid) / "task").iterdir()))
