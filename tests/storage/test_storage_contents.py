"""Contents on their way to the database, and what becomes of them when that is away."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

import pytest

from setpoint.records import Content
from setpoint.storage.contents import ContentRecorder, get
from storage.away_support import Impatient, lock
from support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from setpoint.storage.database import Database


@pytest.fixture
def make(now: datetime) -> Callable[[str], Callable[[], Content]]:
    """Makes what reads the content of a generation."""

    def reading(id_: str) -> Callable[[], Content]:
        return lambda: Content(
            generation_id=id_, workspace_id="w1", created_at=now, input=b'{"prompt":1.50}', output=b"{}", error=b"{}"
        )

    return reading


def kept(database: Database, id_: str, workspace_id: str = "w1") -> Content | None:
    with database.read() as connection:
        return get(connection, id_, workspace_id)


def nothing() -> None:
    """For those who do not have to hear of it."""


def test_what_is_taken_is_written_as_it_was(database: Database, make: Callable[[str], Callable[[], Content]]) -> None:
    recorder = ContentRecorder(database)
    done = Event()
    assert recorder.keep("g1", make("g1"), done.set)
    assert done.wait(20)
    assert kept(database, "g1") == make("g1")()
    assert kept(database, "g1", "w2") is None
    assert kept(database, "g2") is None
    recorder.close()


def test_one_that_cannot_be_read_does_not_keep_the_others_back(
    database: Database, make: Callable[[str], Callable[[], Content]], caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Content:
        raise ZeroDivisionError("with a prompt in it")

    recorder = ContentRecorder(database)
    recorder.keep("g1", broken, nothing)
    recorder.keep("g2", make("g2"), nothing)
    recorder.close()
    assert kept(database, "g2") is not None
    assert recorder.dropped == 1
    assert "prompt" not in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_while_the_storage_is_away_some_wait_and_others_are_dropped_and_one_line_says_so(
    impatient: Impatient,
    database_path: Path,
    make: Callable[[str], Callable[[], Content]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorder = ContentRecorder(impatient, capacity=3)
    with lock(database_path):
        taken = [recorder.keep(id_, make(id_), nothing) for id_ in "abcdefgh"]
        impatient.wait_for_tries()
    assert taken == [True] * 3 + [False] * 5
    until(lambda: kept(impatient, "c"))
    assert (kept(impatient, "a") is not None, kept(impatient, "d")) == (True, None)
    assert (recorder.dropped, caplog.text.count("are dropped from now on")) == (5, 1)
    assert recorder.keep("i", make("i"), nothing)
    recorder.close()
    assert kept(impatient, "i") is not None


def test_what_cannot_be_written_until_the_end_is_lost_and_said(
    impatient: Impatient,
    database_path: Path,
    make: Callable[[str], Callable[[], Content]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    recorder = ContentRecorder(impatient)
    with lock(database_path):
        recorder.keep("g1", make("g1"), nothing)
        recorder.close(wait_s=0.1)
    assert kept(impatient, "g1") is None
    assert "1 contents are lost" in caplog.text
