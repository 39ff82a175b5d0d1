"""The memory that workers share: what one process writes, another reads, also after the writer's death."""

from __future__ import annotations

import os
import signal
import time

import pytest

from setpoint.coordination.board import SLOT_BYTES, Board, Happening


def in_a_fork(work: object) -> int:
    """The status of a forked process that does this and ends."""
    pid = os.fork()
    if pid == 0:
        try:
            assert callable(work)
            work()
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1]


def board(workers: int = 2) -> Board:
    return Board(workers, time.monotonic)


def test_a_revision_that_one_process_publishes_is_seen_by_another() -> None:
    shared = board()
    assert shared.revision == 0
    assert in_a_fork(lambda: shared.publish(1, 7)) == 0
    assert shared.revision == 7


def test_a_published_revision_never_falls() -> None:
    shared = board()
    shared.publish(0, 9)
    shared.publish(1, 4)
    shared.publish(0, 5)
    assert shared.revision == 9


def test_a_beat_ends_the_silence() -> None:
    now = [1000.0]
    shared = Board(2, lambda: now[0])
    shared.beat(0)
    shared.beat(1)
    now[0] += 12
    shared.beat(1)
    assert shared.silence_s(0) == pytest.approx(12, abs=0.01)
    assert shared.silence_s(1) == pytest.approx(0, abs=0.01)


def test_what_happens_is_counted_for_all() -> None:
    shared = board()
    assert in_a_fork(lambda: shared.count(Happening.RESTART)) == 0
    shared.count(Happening.RESTART)
    shared.count(Happening.RELOAD)
    assert [shared.counted(what) for what in Happening] == [2, 1, 0]


def test_a_slot_holds_what_was_written_last_whatever_its_length() -> None:
    shared = board()
    assert shared.slots() == [b"", b""]
    shared.slot(0).write(b"a" * 5000)
    assert in_a_fork(lambda: shared.slot(1).write(b"other")) == 0
    shared.slot(0).write(b"b")
    assert shared.slots() == [b"b", b"other"]
    shared.slot(0).write(b"c" * SLOT_BYTES)
    assert shared.slots()[0] == b"c" * SLOT_BYTES
    with pytest.raises(ValueError, match="do not fit"):
        shared.slot(0).write(b"d" * (SLOT_BYTES + 1))
    assert shared.slots()[0] == b"c" * SLOT_BYTES


def test_a_reader_never_sees_half_of_a_write_also_when_the_writer_is_killed() -> None:
    shared = board(1)
    texts = [bytes([letter]) * 50_000 for letter in b"abcdefgh"]
    shared.slot(0).write(texts[0])
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            at, until = 0, time.monotonic() + 30
            while time.monotonic() < until:
                for _burst in range(3):
                    at += 1
                    shared.slot(0).write(texts[at % len(texts)])
                time.sleep(0.0001)
            os._exit(0)
        try:
            until = time.monotonic() + 0.02
            while time.monotonic() < until:
                assert shared.slot(0).read() in texts
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        assert shared.slot(0).read() in texts


def test_records_are_held_since_the_first_of_them_until_let_go() -> None:
    now = 100.0
    shared = Board(2, lambda: now)
    assert shared.held_s() == 0
    shared.hold(1)
    now = 103.0
    shared.hold(1)
    shared.hold(0)
    assert shared.held_s() == 3
    shared.let_go(1)
    assert shared.held_s() == 0
    now = 104.0
    assert shared.held_s() == 1
    shared.let_go(0)
    assert shared.held_s() == 0
