"""The queue of log lines: order, a bound, what was lost is said once, and nobody waits for whoever reads."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from setpoint.server.telemetry.log_queue import LineQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

HANG_S = 30.0


class Reader:
    """A sink that takes nothing until it is told to."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.reading = threading.Event()
        self.asked = threading.Event()

    def write(self, data: bytes) -> None:
        self.asked.set()
        assert self.reading.wait(HANG_S)
        self.taken.append(data)

    @property
    def lines(self) -> list[bytes]:
        return b"".join(self.taken).splitlines()


@pytest.fixture
def reader() -> Iterator[Reader]:
    made = Reader()
    yield made
    made.reading.set()


def queue(reader: Reader, max_bytes: int = 10_000) -> LineQueue:
    return LineQueue(reader.write, lambda lost: b"lost %d\n" % lost, max_bytes=max_bytes)


def test_lines_are_written_in_order_and_in_pieces_that_a_pipe_takes_whole(reader: Reader) -> None:
    reader.reading.set()
    made = queue(reader, 10_000_000)
    lines = [b"%d %s" % (number, b"x" * 100) for number in range(5_000)]
    for line in lines:
        made.put(line + b"\n")
    assert made.flush(HANG_S)
    assert reader.lines == lines
    assert max(map(len, reader.taken)) <= 4096
    assert all(piece.endswith(b"\n") for piece in reader.taken)


def test_what_finds_no_room_is_dropped_counted_and_said_once_where_it_would_have_stood(reader: Reader) -> None:
    made = queue(reader)
    made.put(b"first\n")
    assert reader.asked.wait(HANG_S), "it is in the middle of a write now"
    for number in range(1_000):
        made.put(b"%04d%s\n" % (number, b"." * 95))
    assert made.dropped == 1_000 - 99, "what is being written counts as well"
    reader.reading.set()
    assert made.flush(HANG_S)
    made.put(b"last\n")
    assert made.flush(HANG_S)
    assert [line[:8] for line in reader.lines] == [
        b"first",
        *(b"%04d...." % number for number in range(99)),
        b"lost 901",
        b"last",
    ]


FORK = """
import os, threading
from setpoint.server.telemetry.log_queue import LineQueue

asked, reading = threading.Event(), threading.Event()

def write(data):
    asked.set()
    reading.wait(30)
    os.write(1, data)

queue = LineQueue(write, lambda lost: b"")
queue.put(b"in the middle\\n")
asked.wait(30)
queue.put(b"waiting\\n")
if pid := os.fork():
    os.waitpid(pid, 0)
    queue.put(b"parent\\n")
else:
    queue.put(b"child\\n")
reading.set()
queue.flush(30)
os._exit(0)
"""


def test_a_process_that_is_forked_writes_its_own_lines_and_none_of_its_parent() -> None:
    done = subprocess.run([sys.executable, "-c", FORK], capture_output=True, timeout=HANG_S, check=True)
    assert done.stdout.splitlines() == [b"child", b"in the middle", b"waiting", b"parent"]


def test_lines_that_cannot_be_written_are_counted_and_said_when_lines_can_be_written_again(reader: Reader) -> None:
    full = threading.Event()
    full.set()

    def write(data: bytes) -> None:
        if full.is_set():
            raise OSError(errno.ENOSPC, "full")
        reader.write(data)

    reader.reading.set()
    made = LineQueue(write, lambda lost: b"lost %d\n" % lost)
    for number in range(3):
        made.put(b"%d\n" % number)
        assert made.flush(HANG_S)
    assert made.dropped == 3
    full.clear()
    made.put(b"here\n")
    assert made.flush(HANG_S)
    assert reader.lines == [b"here", b"lost 3"]


def test_a_queue_that_is_ended_writes_what_waits_first(reader: Reader) -> None:
    made = queue(reader)
    made.put(b"one\n")
    made.end()
    reader.reading.set()
    assert made.flush(HANG_S)
    assert reader.lines == [b"one"]
