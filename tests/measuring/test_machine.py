"""What the operating system says: CPU time and memory of a process and its children, cores kept apart."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from bench.machine import available_cores, cpu_s, memory, on, open_files, share, threads, tree

if TYPE_CHECKING:
    from collections.abc import Generator

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc: needs Linux")

_BURN = """
import os, sys, time
held = b"x" * (64 << 20)
if os.fork() == 0 and os.fork() == 0:
    while time.process_time() < 0.3: pass
    print("burnt", flush=True)
time.sleep(60)
"""


@contextmanager
def burning() -> Generator[int]:
    """A process that sleeps with 64 MiB, and has a grandchild that has used 0.3 s of CPU time and then sleeps."""
    with subprocess.Popen(
        [sys.executable, "-c", _BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"burnt\n"
        try:
            yield process.pid
        finally:
            os.killpg(process.pid, 9)


def test_cpu_time_and_memory_are_those_of_the_whole_tree() -> None:
    with burning() as pid:
        pids = tree(pid)
        assert len(pids) == 3
        assert pids[0] == pid
        assert cpu_s(pids) - cpu_s([pid]) >= 0.3
        size = memory(pids)
        assert size.peak >= size.now > 64 << 20
        assert memory([pid]).now < size.now
        assert threads(pid) == 1
        assert open_files(pid) >= 3


def test_cpu_clock_agrees_with_the_process_itself() -> None:
    before, own = cpu_s([os.getpid()]), time.process_time()
    while time.process_time() - own < 0.05:
        pass
    after, own_after = cpu_s([os.getpid()]), time.process_time()
    assert abs((after - before) - (own_after - own)) < 0.02


def test_process_that_has_ended_counts_nothing() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert tree(ended.pid) == [ended.pid]
    assert cpu_s([ended.pid]) == 0
    assert memory([ended.pid]) == (0, 0)


@pytest.mark.parametrize(
    ("available", "workers", "gateway", "load", "apart"),
    [
        ([3], 1, {3}, {3}, False),
        ([0, 1], 1, {0}, {1}, True),
        ([0, 1], 2, {0, 1}, {1}, False),
        ([0, 1, 2, 3], 2, {0, 1}, {2, 3}, True),
    ],
)
def test_gateway_and_load_are_apart_where_there_are_cores_enough(
    available: list[int], workers: int, gateway: set[int], load: set[int], *, apart: bool
) -> None:
    cores = share(available, workers)
    assert (cores.gateway, cores.load, cores.apart) == (gateway, load, apart)


def test_what_is_started_inside_runs_where_it_is_told() -> None:
    last = available_cores()[-1]
    before = available_cores()
    with on({last}):
        inside = subprocess.run(
            [sys.executable, "-c", "import os; print(*os.sched_getaffinity(0))"],
            capture_output=True,
            text=True,
            check=True,
        )
    assert inside.stdout.split() == [str(last)]
    assert available_cores() == before
